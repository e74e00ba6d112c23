"""A request to the cloud, understood: which operation of which service, with which parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound

_SERVICES = {"states": "stepfunctions", "monitoring": "cloudwatch", "email": "ses"}
_JSON_LIMIT = 32 * 1024 * 1024


@dataclass(frozen=True)
class Scope:
    """Who signed a request, and for what: the credential scope of Signature Version 4."""

    access_key_id: str
    date: str
    region: str
    signing_name: str


@dataclass(frozen=True)
class ApiCall:
    """One call of an AWS API.

    `service` is boto3's name of it, `parameters` what path, query string, form or JSON body said.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    headers: Headers
    body: bytes


def service_of(scope: Scope, path: str) -> str:
    """Return boto3's name of the service that a request is for."""
    if scope.signing_name == "ses":
        return "sesv2" if path.startswith("/v2/") else "ses"
    return _SERVICES.get(scope.signing_name, scope.signing_name)


def read_call(service: str, request: Request, body: bytes) -> ApiCall | None:
    """Return the call that a request makes; None when the service has no such operation."""
    target = request.headers.get("X-Amz-Target", "")
    parameters: dict[str, Any] = {}
    try:
        operation, path = get_service_router(service).match(request)
        name = str(operation.name)
        parameters.update(path)
    except (NotFound, NotImplementedError):
        if "." not in target:
            return None
        name = target.rpartition(".")[2]
    parameters.update(request.args.items())
    parameters.update(_read_body(service, request.content_type or "", body))
    return ApiCall(service, name, parameters, request.headers, body)


def _read_body(service: str, content_type: str, body: bytes) -> dict[str, Any]:
    if service == "s3" or not body or len(body) > _JSON_LIMIT:
        return {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in form.items()}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
