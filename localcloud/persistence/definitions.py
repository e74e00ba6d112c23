"""Buckets, tables, secrets and model packages, kept as the calls that made them."""

import base64
import json
import sqlite3
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import quote

from moto.core.request import Request
from werkzeug.wrappers import Response

from localcloud.errors import JournalError
from localcloud.identity.call import ApiCall
from localcloud.persistence.journal import Journal

Application = Callable[[dict[str, Any], Any], Any]

# service -> operations that define a resource, and the parameter that names it
DEFINING: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "CreateBucket": "Bucket",
        "PutBucketVersioning": "Bucket",
        "PutBucketEncryption": "Bucket",
        "PutPublicAccessBlock": "Bucket",
        "PutBucketPolicy": "Bucket",
        "PutBucketTagging": "Bucket",
        "PutBucketLifecycleConfiguration": "Bucket",
        "PutBucketOwnershipControls": "Bucket",
        "PutBucketCors": "Bucket",
    },
    "dynamodb": {
        "CreateTable": "TableName",
        "UpdateTable": "TableName",
        "UpdateTimeToLive": "TableName",
        "UpdateContinuousBackups": "TableName",
        "TagResource": "ResourceArn",
        "UntagResource": "ResourceArn",
    },
    "sagemaker": {
        "CreateModelPackageGroup": "ModelPackageGroupName",
        "CreateModelPackage": "ModelPackageGroupName",
        "UpdateModelPackage": "ModelPackageArn",
    },
    "secretsmanager": {
        "CreateSecret": "Name",
        "PutSecretValue": "SecretId",
        "UpdateSecret": "SecretId",
        "UpdateSecretVersionStage": "SecretId",
        "TagResource": "SecretId",
        "UntagResource": "SecretId",
    },
}
_REMOVING: Mapping[tuple[str, str], str] = {
    ("s3", "DeleteBucket"): "Bucket",
    ("dynamodb", "DeleteTable"): "TableName",
    ("secretsmanager", "DeleteSecret"): "SecretId",
}
_UNDOING: Mapping[tuple[str, str], str] = {
    ("s3", "DeleteBucketEncryption"): "PutBucketEncryption",
    ("s3", "DeletePublicAccessBlock"): "PutPublicAccessBlock",
    ("s3", "DeleteBucketPolicy"): "PutBucketPolicy",
    ("s3", "DeleteBucketTagging"): "PutBucketTagging",
    ("s3", "DeleteBucketLifecycle"): "PutBucketLifecycleConfiguration",
    ("s3", "DeleteBucketOwnershipControls"): "PutBucketOwnershipControls",
    ("s3", "DeleteBucketCors"): "PutBucketCors",
}
# each of these adds to the one before; of all others the last one holds
_ADDING = frozenset(
    {
        "CreateModelPackage",
        "CreateModelPackageGroup",
        "PutSecretValue",
        "TagResource",
        "UntagResource",
        "UpdateTable",
        "UpdateSecretVersionStage",
    }
)
_KEPT_HEADERS = ("Content-Type", "X-Amz-Target", "X-Amz-Bucket-Object-Lock-Enabled")


def record_definition(
    connection: sqlite3.Connection, call: ApiCall, request: Request, body: bytes
) -> None:
    """Write down a call that defines a resource, or forget what a deletion undoes."""
    kind = (call.service, call.operation)
    if kind in _REMOVING:
        name = _resource(call.parameters, _REMOVING[kind])
        connection.execute(
            "DELETE FROM definitions WHERE service = ? AND resource = ?", (call.service, name)
        )
        return
    undone = _UNDOING.get(kind)
    parameter = "Bucket" if undone else DEFINING.get(call.service, {}).get(call.operation)
    if parameter is None:
        return
    name = _resource(call.parameters, parameter)
    if call.operation not in _ADDING:
        connection.execute(
            "DELETE FROM definitions WHERE service = ? AND resource = ? AND operation = ?",
            (call.service, name, undone or call.operation),
        )
    if undone is None:
        connection.execute(
            "INSERT INTO definitions (service, resource, operation, request) VALUES (?, ?, ?, ?)",
            (call.service, name, call.operation, _request(request, body)),
        )


def replay_definitions(journal: Journal, application: Application, region: str) -> None:
    """Make every resource again; raises `JournalError` when a call is refused now."""
    rows = journal.read("SELECT service, operation, request FROM definitions ORDER BY sequence")
    for service, operation, text in rows:
        response = Response.from_app(application, _environ(service, region, json.loads(text)))
        if response.status_code >= 300:
            raise JournalError(
                f"the journal's {service} {operation} is refused at the start: "
                f"{response.get_data(as_text=True)[:300]}"
            )


def _resource(parameters: Mapping[str, Any], parameter: str) -> str:
    value = str(parameters.get(parameter, ""))
    if not value.startswith("arn:"):
        return value
    last = value.split(":", 5)[5]
    if last.startswith("secret:"):
        return last.removeprefix("secret:").rpartition("-")[0]
    return last.partition("/")[2]


def _request(request: Request, body: bytes) -> str:
    headers = {n: request.headers[n] for n in _KEPT_HEADERS if n in request.headers}
    return json.dumps(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query_string.decode("latin-1"),
            "headers": headers,
            "body": base64.b64encode(body).decode(),
        }
    )


def _environ(service: str, region: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    scope = f"AKIAJOURNAL000000000/20200101/{region}/{service}/aws4_request"
    body = base64.b64decode(kept["body"])
    query = f"?{kept['query']}" if kept["query"] else ""
    environ = {
        "REQUEST_METHOD": kept["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": kept["path"],
        "RAW_URI": quote(kept["path"]) + query,
        "QUERY_STRING": kept["query"],
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=, Signature=",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in kept["headers"].items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ
