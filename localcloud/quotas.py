"""Quotas of AWS that moto does not check: a call beyond one is refused as the service would.

Source: the "Quotas" pages of DynamoDB, EventBridge, Lambda, S3, Secrets Manager and Step Functions.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from werkzeug.wrappers import Response

from localcloud.identity.call import ApiCall
from localcloud.identity.denial import error_response

BATCH_WRITES = 25
TRANSACTION_ITEMS = 100
SECRET_BYTES = 65_536
EVENT_BYTES = 262_144
ENVIRONMENT_BYTES = 4_096
OBJECT_BYTES = 5 * 2**30
KEY_BYTES = 1_024
DEFINITION_BYTES = 1_048_576
MEMORY_MB = (128, 10_240)
STORAGE_MB = (512, 10_240)
TIMEOUT_SECONDS = (1, 900)

Broken = tuple[int, str, str]


def refuse(call: ApiCall) -> Response | None:
    """Return the refusal of a call that is beyond a quota; None for all others."""
    check = _CHECKS.get((call.service, call.operation))
    broken = next(check(call), None) if check is not None else None
    if broken is None:
        return None
    status, code, message = broken
    return error_response(call.service, status, code, message)


def _batch(call: ApiCall) -> Iterator[Broken]:
    writes = sum(len(one) for one in call.parameters.get("RequestItems", {}).values())
    if writes > BATCH_WRITES:
        yield (
            400,
            "ValidationException",
            f"Too many items requested for the BatchWriteItem call: {writes}, and at most "
            f"{BATCH_WRITES} are taken",
        )


def _secret(call: ApiCall) -> Iterator[Broken]:
    text = str(call.parameters.get("SecretString") or "").encode()
    encoded = str(call.parameters.get("SecretBinary") or "")
    binary = len(encoded) * 3 // 4 - encoded[-2:].count("=")
    for field, held in (("secretString", len(text)), ("secretBinary", binary)):
        if held > SECRET_BYTES:
            yield (
                400,
                "ValidationException",
                f"1 validation error detected: Value at '{field}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {SECRET_BYTES}",
            )


def _events(call: ApiCall) -> Iterator[Broken]:
    entries = call.parameters.get("Entries", ())
    total = sum(_event_bytes(one) for one in entries if isinstance(one, Mapping))
    if total > EVENT_BYTES:
        yield (
            400,
            "ValidationException",
            f"Total size of the entries in the request is over the limit: {total} bytes, and at "
            f"most {EVENT_BYTES} are taken",
        )


def _event_bytes(entry: Mapping[str, Any]) -> int:
    parts = ("Source", "DetailType", "Detail", *entry.get("Resources", ()))
    texts = [str(entry.get(name) or "") for name in parts[:3]] + [str(one) for one in parts[3:]]
    return sum(len(one.encode()) for one in texts) + (14 if entry.get("Time") else 0)


def _function(call: ApiCall) -> Iterator[Broken]:
    parameters = call.parameters
    variables = (parameters.get("Environment") or {}).get("Variables") or {}
    measured = len(json.dumps(variables, separators=(",", ":")).encode())
    if measured > ENVIRONMENT_BYTES:
        yield (
            400,
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the 4KB limit: {measured} bytes were measured",
        )
    storage = (parameters.get("EphemeralStorage") or {}).get("Size")
    for name, value, (least, most) in (
        ("MemorySize", parameters.get("MemorySize"), MEMORY_MB),
        ("Timeout", parameters.get("Timeout"), TIMEOUT_SECONDS),
        ("EphemeralStorage", storage, STORAGE_MB),
    ):
        if value is not None and not least <= int(value) <= most:
            yield (
                400,
                "InvalidParameterValueException",
                f"{name} is {value}, and must be between {least} and {most}",
            )


def _object(call: ApiCall) -> Iterator[Broken]:
    length = int(call.headers.get("Content-Length") or len(call.body))
    if length > OBJECT_BYTES:
        yield (
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size of a single put, 5 GB; upload "
            "it in parts",
        )
    if len(str(call.parameters.get("Key", "")).encode()) > KEY_BYTES:
        yield 400, "KeyTooLongError", f"Your key is too long: at most {KEY_BYTES} bytes are taken"


def _definition(call: ApiCall) -> Iterator[Broken]:
    if len(str(call.parameters.get("definition") or "").encode()) > DEFINITION_BYTES:
        yield (
            400,
            "InvalidDefinition",
            f"a state machine's definition may have {DEFINITION_BYTES} bytes",
        )


_CHECKS: Mapping[tuple[str, str], Callable[[ApiCall], Iterator[Broken]]] = {
    ("dynamodb", "BatchWriteItem"): _batch,
    ("events", "PutEvents"): _events,
    ("lambda", "CreateFunction"): _function,
    ("lambda", "UpdateFunctionConfiguration"): _function,
    ("s3", "CompleteMultipartUpload"): _object,
    ("s3", "PutObject"): _object,
    ("s3", "UploadPart"): _object,
    ("secretsmanager", "CreateSecret"): _secret,
    ("secretsmanager", "PutSecretValue"): _secret,
    ("secretsmanager", "UpdateSecret"): _secret,
    ("stepfunctions", "CreateStateMachine"): _definition,
    ("stepfunctions", "UpdateStateMachine"): _definition,
}
