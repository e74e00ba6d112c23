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
        conditional = {"if-match", "if-none-match"} & {name.lower() for name, _ in call.headers}
        code = "ConditionalRequestConflict" if conditional else "OperationAborted"
        return error_response("s3", 409, code, message)
    if call.operation == "TransactWriteItems":
        count = len(call.parameters.get("TransactItems", ()))
        reasons = [
            {"Code": "TransactionConflict", "Message": message},
            *({"Code": "None"},) * count,
        ]
        named = ", ".join(one["Code"] for one in reasons[:count])
        return error_response(
            call.service,
            400,
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{named}]",
            {"CancellationReasons": reasons[:count]},
        )
    code = "TransactionConflictException" if call.service == "dynamodb" else "ConflictException"
    return error_response(call.service, 400, code, message)


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
