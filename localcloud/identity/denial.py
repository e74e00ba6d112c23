"""Refusals, in the words and the wire format of the service that was called."""

import json
import uuid
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from moto.core.utils import get_service_model
from werkzeug.wrappers import Response

_CODES = {
    # kind: (S3, query, JSON)
    "denied": ("AccessDenied", "AccessDenied", "AccessDeniedException"),
    "unsigned": ("AccessDenied", "MissingAuthenticationToken", "MissingAuthenticationToken"),
    "unknown": ("InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"),
    "expired": ("ExpiredToken", "ExpiredToken", "ExpiredTokenException"),
    "signature": (
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    ),
    "operation": ("MethodNotAllowed", "InvalidAction", "UnknownOperationException"),
}


QUERY = frozenset({"query", "ec2", "rest-xml"})


class RefusedError(Exception):
    """A call is refused: `kind` is a key of the wire codes, `message` one sentence."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    def response(self, service: str) -> Response:
        """Return the HTTP answer in the service's protocol."""
        xml, query, plain = _CODES[self.kind]
        protocol = protocol_of(service)
        if service == "s3":
            return error_response(service, 403, xml, self.message)
        if protocol in QUERY:
            return error_response(service, 403, query, self.message)
        status = 403 if protocol == "rest-json" else 400
        return error_response(service, status, plain, self.message)


def error_response(
    service: str, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
) -> Response:
    """Return an error in the wire format of a service; `details` are further members in JSON."""
    request_id = str(uuid.uuid4())
    text = escape(message, quote=False)
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        response = Response(body, status=status, content_type="application/xml")
    elif protocol_of(service) in QUERY:
        sender = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
        error = f"<Type>{sender}</Type><Code>{code}</Code><Message>{text}</Message>"
        rest = f"<RequestId>{request_id}</RequestId>"
        body = f"<ErrorResponse><Error>{error}</Error>{rest}</ErrorResponse>"
        response = Response(body, status=status, content_type="text/xml")
    else:
        members = {"__type": code, "message": message, "Message": message, **(details or {})}
        body = json.dumps(members)
        response = Response(body, status=status, content_type="application/x-amz-json-1.1")
        response.headers["X-Amzn-ErrorType"] = code
    response.headers["x-amzn-RequestId"] = response.headers["x-amz-request-id"] = request_id
    return response


def protocol_of(service: str) -> str:
    """Return the protocol of a service; that of most for one that botocore does not know."""
    try:
        return str(get_service_model(service).protocol)
    except Exception:  # noqa: BLE001 - botocore's error for a service that it does not know
        return "json"
