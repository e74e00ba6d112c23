"""Refusals, in the words and the wire format of the service that was called."""

import json
import uuid
from html import escape

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


class RefusedError(Exception):
    """A call is refused: `kind` is a key of the wire codes, `message` one sentence."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    def response(self, service: str) -> Response:
        """Return the HTTP answer in the service's protocol."""
        protocol = _protocol(service)
        xml, query, plain = _CODES[self.kind]
        request_id = str(uuid.uuid4())
        text = escape(self.message, quote=False)
        if service == "s3":
            body = f"<Error><Code>{xml}</Code><Message>{text}</Message></Error>"
            response = Response(body, status=403, content_type="application/xml")
        elif protocol in {"query", "ec2", "rest-xml"}:
            error = f"<Type>Sender</Type><Code>{query}</Code><Message>{text}</Message>"
            rest = f"<RequestId>{request_id}</RequestId>"
            body = f"<ErrorResponse><Error>{error}</Error>{rest}</ErrorResponse>"
            response = Response(body, status=403, content_type="text/xml")
        else:
            status = 403 if protocol == "rest-json" else 400
            body = json.dumps({"__type": plain, "message": self.message, "Message": self.message})
            response = Response(body, status=status, content_type="application/x-amz-json-1.1")
            response.headers["X-Amzn-ErrorType"] = plain
        response.headers["x-amzn-RequestId"] = response.headers["x-amz-request-id"] = request_id
        return response


def _protocol(service: str) -> str:
    try:
        return str(get_service_model(service).protocol)
    except Exception:  # noqa: BLE001 - botocore's error for a service that it does not know
        return "json"
