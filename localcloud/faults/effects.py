"""What becomes of a call that a fault strikes."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from localcloud.faults.plan import Fault, Kind
from localcloud.identity.call import ApiCall
from localcloud.identity.denial import QUERY, error_response, protocol_of
from localcloud.identity.guard import Admitted
from localcloud.listener import ConnectionDroppedError

CarryOut = Callable[[ApiCall], Response]
EndCaller = Callable[[str, bool], bool]

_TOO_MANY = {
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "lambda": (429, "TooManyRequestsException"),
    "s3": (503, "SlowDown"),
    "sesv2": (429, "TooManyRequestsException"),
}
_CONDITIONAL_PUTS = frozenset({"PutObject", "CompleteMultipartUpload"})
_BROKEN = {
    "dynamodb": (500, "InternalServerError"),
    "lambda": (500, "ServiceException"),
    "s3": (503, "ServiceUnavailable"),
}


class Effects:
    """Does to a call what its fault says.

    Parameters
    ----------
    end_caller
        Ends the function that calls with an access key: `(key, overdue)`, at its time limit or by
        a crash; tells whether there is one.
    """

    def __init__(self, end_caller: EndCaller) -> None:
        self._end_caller = end_caller

    def suffer(self, fault: Fault, admitted: Admitted, carry_out: CarryOut) -> Response:
        """Return the answer of a struck call; raises `ConnectionDroppedError` when none comes."""
        call = admitted.call
        match fault.kind:
            case Kind.THROTTLE:
                return _throttled(call.service)
            case Kind.UNAVAILABLE:
                return _unavailable(call.service)
            case Kind.SKEWED:
                return _skewed(call.service)
            case Kind.CONFLICT:
                return _conflict(call)
            case Kind.CONDITION:
                return _condition_failed(call)
            case Kind.DELAY:
                time.sleep(fault.seconds)
                return carry_out(call)
            case Kind.REPEAT:
                carry_out(call)
                return carry_out(call)
            case Kind.PARTIAL_BATCH:
                return _partial(call, carry_out)
            case Kind.LOST_RESPONSE:
                carry_out(call)
            case Kind.CRASH | Kind.TIMEOUT:
                if fault.after:
                    carry_out(call)
                self._end_caller(admitted.access_key_id, fault.kind is Kind.TIMEOUT)
        raise ConnectionDroppedError


def _throttled(service: str) -> Response:
    query = protocol_of(service) in QUERY
    default = (400, "Throttling" if query else "ThrottlingException")
    status, code = _TOO_MANY.get(service, default)
    return error_response(service, status, code, "Rate exceeded (fault plan)")


def _unavailable(service: str) -> Response:
    status, code = _BROKEN.get(service, (503, "ServiceUnavailable"))
    return error_response(service, status, code, "the service is unavailable (fault plan)")


def _skewed(service: str) -> Response:
    code = "RequestTimeTooSkewed" if service == "s3" else "InvalidSignatureException"
    message = "Signature expired: the request's time is too far from the service's (fault plan)"
    return error_response(service, 403, code, message)


def _conflict(call: ApiCall) -> Response:
    """Answer as if another request were changing the same thing at this moment."""
    message = "another request changes the same thing now (fault plan)"
    if call.service == "s3":
        code = "ConditionalRequestConflict" if is_conditional(call) else "OperationAborted"
        return error_response("s3", 409, code, message)
    if call.operation == "TransactWriteItems":
        return _cancelled(call, 0, "TransactionConflict", message)
    code = "TransactionConflictException" if call.service == "dynamodb" else "ConflictException"
    return error_response(call.service, 400, code, message)


def is_conditional(call: ApiCall) -> bool:
    """Tell whether a call is a write of S3 or DynamoDB that a condition of its own may refuse."""
    if call.service == "s3":
        conditions = {"if-match", "if-none-match"} & {name.lower() for name, _ in call.headers}
        return bool(conditions) and call.operation in _CONDITIONAL_PUTS
    return call.service == "dynamodb" and any(
        _is_refusable(one) for one in (call.parameters, *_transacted(call))
    )


def _is_refusable(write: Mapping[str, Any]) -> bool:
    """Tell whether a write has a condition; not if its refusal would hold the other's item."""
    asked = write.get("ReturnValuesOnConditionCheckFailure")
    return "ConditionExpression" in write and asked != "ALL_OLD"


def _condition_failed(call: ApiCall) -> Response:
    """Answer as if another writer had come first; that write is taken back by now."""
    if call.service == "s3":
        message = "At least one of the pre-conditions you specified did not hold (fault plan)"
        return error_response("s3", 412, "PreconditionFailed", message)
    message = "The conditional request failed (fault plan)"
    if call.operation == "TransactWriteItems":
        places = [n for n, one in enumerate(_transacted(call)) if _is_refusable(one)]
        return _cancelled(call, places[0], "ConditionalCheckFailed", message)
    return error_response(call.service, 400, "ConditionalCheckFailedException", message)


def _transacted(call: ApiCall) -> list[Mapping[str, Any]]:
    """Return what each part of a transaction does; of any other call nothing."""
    if call.operation != "TransactWriteItems":
        return []
    return [next(iter(item.values())) for item in call.parameters.get("TransactItems", ())]


def _cancelled(call: ApiCall, place: int, code: str, message: str) -> Response:
    """Answer that a transaction is cancelled because of its part at a place."""
    reasons: list[dict[str, str]] = [{"Code": "None"} for _ in _transacted(call)]
    reasons[place] = {"Code": code, "Message": message}
    named = ", ".join(one["Code"] for one in reasons)
    return error_response(
        call.service,
        400,
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{named}]",
        {"CancellationReasons": reasons},
    )


def _partial(call: ApiCall, carry_out: CarryOut) -> Response:
    """Carry out the first half of a DynamoDB batch, and hand the rest back as unprocessed."""
    is_write = call.operation == "BatchWriteItem"
    if not is_write and call.operation != "BatchGetItem":
        return _unavailable(call.service)
    taken, left = _halves(call.parameters.get("RequestItems", {}), is_write)
    parameters = {**call.parameters, "RequestItems": taken}
    body = json.dumps(parameters).encode()
    response = carry_out(replace(call, parameters=parameters, body=body))
    if response.status_code >= 300:
        return response
    answer = json.loads(response.get_data())
    name = "UnprocessedItems" if is_write else "UnprocessedKeys"
    answer[name] = {**left, **answer.get(name, {})}
    response.set_data(json.dumps(answer))
    response.headers.pop("x-amz-crc32", None)
    return response


def _halves(batch: Mapping[str, Any], is_write: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a batch: at least one request stays, and what is left over keeps its options."""
    flat = [
        (table, one)
        for table, given in batch.items()
        for one in (given if is_write else given["Keys"])
    ]
    middle = max(1, len(flat) // 2)
    halves: list[dict[str, Any]] = []
    for part in (flat[:middle], flat[middle:]):
        half: dict[str, Any] = {}
        for table, one in part:
            if is_write:
                half.setdefault(table, []).append(one)
            else:
                options = {k: v for k, v in batch[table].items() if k != "Keys"}
                half.setdefault(table, {**options, "Keys": []})["Keys"].append(one)
        halves.append(half)
    return halves[0], halves[1]
