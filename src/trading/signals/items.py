"""DynamoDB items: the one border between records and what a table holds, and calls that fail well.

Numbers become `Decimal(repr(x))`, which reads back as the same float; dates become ISO text; what
is None is left out.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trading.errors import ConflictError, StoreError

SMALLEST = Decimal("1e-130")
LARGEST = Decimal("9.9999999999999999e125")


class ConditionFailedError(ConflictError):
    """The condition of a conditional write did not hold."""


def to_item(record: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a record's fields and `more` as an item.

    Raises `StoreError` for a number that DynamoDB cannot hold: a magnitude outside 1e-130 to
    9.9e125 (AWS, "Supported data types"), NaN or an infinity.
    """
    fields = dict(record) | more
    return {key: _encoded(value) for key, value in fields.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's fields, each `Decimal` as an int if whole, else as the float it was."""
    return {key: _decoded(value) for key, value in item.items()}


def call(operation: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Call a DynamoDB operation (`table.put_item`, say) and return its answer.

    Raises `ConditionFailedError` when its condition did not hold, else `StoreError`.
    """
    name = getattr(operation, "__name__", "the call")
    try:
        return dict(operation(**arguments))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", "no message")
        if code == "ConditionalCheckFailedException":
            raise ConditionFailedError(f"DynamoDB {name}: {message}") from error
        raise StoreError(
            f"DynamoDB refused {name}: {code}: {message}; check the table's name and the role's "
            "permissions, or rerun if it was throttled"
        ) from error
    except BotoCoreError as error:
        raise StoreError(f"DynamoDB could not be reached for {name}: {error}; rerun") from error


def pages(operation: Callable[..., Any], **arguments: Any) -> list[dict[str, Any]]:
    """Return the items of every page of a query or scan."""
    items: list[dict[str, Any]] = []
    while True:
        answer = call(operation, **arguments)
        items += answer.get("Items", [])
        if "LastEvaluatedKey" not in answer:
            return items
        arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _encoded(value: Any) -> Any:
    if isinstance(value, float):
        number = Decimal(repr(value))
        if number == 0:
            return Decimal(0)
        if not number.is_finite() or not SMALLEST <= abs(number) <= LARGEST:
            raise StoreError(f"DynamoDB cannot hold the number {value}; scale it before storing")
        return number
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return to_item(value)
    if isinstance(value, (list, tuple)):
        return [_encoded(part) for part in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return from_item(value)
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    return value
