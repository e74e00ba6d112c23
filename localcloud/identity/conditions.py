"""The Condition element of a policy statement.

Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network

Values = Sequence[str]
Context = Mapping[str, Values]


@lru_cache(maxsize=4096)
def pattern(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return the pattern of a policy's `*` and `?` wildcards."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _like(expected: str, actual: str) -> bool:
    return pattern(expected).fullmatch(actual) is not None


def _arn_like(expected: str, actual: str) -> bool:
    wanted, got = expected.split(":", 5), actual.split(":", 5)
    return len(wanted) == len(got) and all(map(_like, wanted, got))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(expected: str, actual: str) -> bool:
        try:
            return compare(float(actual), float(expected))
        except ValueError:
            return False

    return test


def _moment(text: str) -> float:
    """Return Unix seconds of an ISO 8601 date or of Unix seconds as text."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(expected: str, actual: str) -> bool:
        try:
            return compare(_moment(actual), _moment(expected))
        except (ValueError, OverflowError):
            return False

    return test


def _in_network(expected: str, actual: str) -> bool:
    try:
        return ip_address(actual) in ip_network(expected, strict=False)
    except ValueError:
        return False


def _same_bytes(expected: str, actual: str) -> bool:
    try:
        return base64.b64decode(expected, validate=True) == base64.b64decode(actual, validate=True)
    except binascii.Error:
        return False


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringEqualsIgnoreCase": lambda expected, actual: expected.lower() == actual.lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
    "NumericEquals": _number(lambda actual, expected: actual == expected),
    "NumericLessThan": _number(lambda actual, expected: actual < expected),
    "NumericLessThanEquals": _number(lambda actual, expected: actual <= expected),
    "NumericGreaterThan": _number(lambda actual, expected: actual > expected),
    "NumericGreaterThanEquals": _number(lambda actual, expected: actual >= expected),
    "DateEquals": _date(lambda actual, expected: actual == expected),
    "DateLessThan": _date(lambda actual, expected: actual < expected),
    "DateLessThanEquals": _date(lambda actual, expected: actual <= expected),
    "DateGreaterThan": _date(lambda actual, expected: actual > expected),
    "DateGreaterThanEquals": _date(lambda actual, expected: actual >= expected),
    "IpAddress": _in_network,
    "BinaryEquals": _same_bytes,
}
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
OPERATORS = frozenset({*_POSITIVE, *_NEGATIVE, "Null"})


def holds(operator: str, expected: Values, actual: Values | None) -> bool:
    """Tell whether one key of one operator holds; `actual` is None where the request lacks it.

    An operator that is not known here never holds, so that an Allow under it does not apply.
    """
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (expected[0].lower() == "true") == (actual is None)
    if actual is None:
        return if_exists or name in _NEGATIVE or quantifier == "ForAllValues"
    test = _POSITIVE.get(_NEGATIVE.get(name, name))
    if test is None:
        return False
    found = [any(test(wanted, got) for wanted in expected) for got in actual]
    if name in _NEGATIVE:
        found = [not one for one in found]
        return any(found) if quantifier == "ForAnyValue" else all(found)
    return all(found) if quantifier == "ForAllValues" else any(found)
