"""Read what a service sent: nothing of it is trusted, and every doubt has a name."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NoReturn

import numpy as np
import pandas as pd

from trading.data.providers.client import Answer
from trading.data.providers.failures import MalformedAnswer, quoted
from trading.market.calendar import FIRST_DAY, LAST_DAY, sessions_between
from trading.market.panel import FloatArray, SessionArray

NOT_A_DAY: Final = np.datetime64("NaT", "D")
NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
ISO_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
# Stamps beyond the year 2100 or before 1900 are not of a market.
STAMP_SECONDS: Final = (-2_208_988_800.0, 4_102_444_800.0)

# Objects and arrays of one answer, at most: a market's day has 12,000, 50,000 bars of one share as
# many, while 16 million brackets would take gigabytes to read.
MAX_CONTAINERS: Final = 500_000
# With more than this share of an answer's rows of a wrong day, the whole answer is doubted.
WRONG_DAY_SHARE: Final = 0.02


class _Refused(ValueError):
    """Something that JSON has no word for, or says twice."""


def decode_json(answer: Answer, provider: str, what: str) -> Any:
    """Return the JSON of an answer, whatever its content type claims.

    Raises `MalformedAnswer` when it is empty, cut off, no JSON, holds NaN or Infinity (which JSON
    does not have), repeats a key of an object, nests without end, or has more than
    `MAX_CONTAINERS` objects and arrays.
    """
    containers = answer.body.count(b"[") + answer.body.count(b"{")
    if containers > MAX_CONTAINERS:
        raise malformed(provider, what, f"it has {containers:,} objects and arrays")
    try:
        return json.loads(answer.body, parse_constant=_no_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        reason = _why(answer, error)
    raise MalformedAnswer(f"{provider} sent no usable JSON for {what}: {reason}; try again")


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"it holds {name}, which is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("it repeats a key of an object")
    return found


def _why(answer: Answer, error: Exception) -> str:
    kind = quoted(answer.headers.get("Content-Type", "none"))
    if not answer.body.strip():
        return "it is empty"
    if answer.body.lstrip()[:1] == b"<":
        return f"it is an HTML or XML page (content type {kind})"
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos:,} of {len(answer.body):,} bytes ({kind})"
    return f"it cannot be decoded ({type(error).__name__}, content type {kind})"


def require_mapping(value: Any, provider: str, what: str) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else raise `MalformedAnswer`."""
    if not isinstance(value, dict):
        raise malformed(provider, what, f"an object was expected, not {_kind(value)}")
    return value


def require_rows(value: Any, provider: str, what: str) -> list[Mapping[str, Any]]:
    """Return `value` if it is a JSON array of objects, else raise `MalformedAnswer`."""
    if not isinstance(value, list):
        raise malformed(provider, what, f"an array was expected, not {_kind(value)}")
    if any(not isinstance(row, dict) for row in value):
        raise malformed(provider, what, "an array of objects was expected, and some are none")
    return value


def malformed(provider: str, what: str, reason: str) -> MalformedAnswer:
    """Return the error for an answer that is not what the service sends."""
    return MalformedAnswer(f"{provider} sent something else for {what}: {reason}; try again")


def require_sessions(days: SessionArray, wanted: SessionArray, provider: str, what: str) -> None:
    """Raise `MalformedAnswer` unless an answer's days are sessions, some of them `wanted`.

    A series whose days were moved (by a day, by a time zone) has weekends and holidays in it; a few
    may be the service's own mistakes, and are left out row by row.
    """
    if not np.isin(days, wanted).any():
        raise malformed(provider, what, "none of its days is a session that was asked for")
    first = np.datetime64(FIRST_DAY, "D")
    known = days[~np.isnat(days) & (days >= first) & (days <= np.datetime64(LAST_DAY, "D"))]
    low, high = known.min().astype(object), known.max().astype(object)
    strange = int(np.count_nonzero(~np.isin(known, sessions_between(low, high))))
    if strange > WRONG_DAY_SHARE * len(known):
        raise malformed(provider, what, f"{strange:,} of its {len(known):,} days are no sessions")


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {quoted(str(value)[:40])!r}"


def as_number(value: Any) -> float:
    """Return a JSON number, or the number in a string, as a finite float, else NaN."""
    if isinstance(value, str):
        text = value.strip().replace(",", "")
        if not NUMBER.fullmatch(text) or len(text) > 40:
            return float("nan")
        value = float(text)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return float("nan")
    try:
        number = float(value)
    except OverflowError:
        return float("nan")
    return number if number - number == 0.0 else float("nan")


def as_numbers(values: list[Any]) -> FloatArray:
    """Return `as_number` of each value as `(n,) float64`."""
    return np.array([as_number(value) for value in values], dtype=np.float64)


def as_text(value: Any) -> str | None:
    """Return a string that says something, else None: `None`, `-` and blanks say nothing."""
    if not isinstance(value, str):
        return None
    text = " ".join(value.encode("utf-8", "ignore").decode().split())
    return None if text.lower() in {"", "-", "none", "null", "n/a", "nan"} else text


def as_day(value: Any) -> date | None:
    """Return the day of an ISO date or stamp, else None."""
    found = ISO_DAY.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def as_days(values: list[Any]) -> SessionArray:
    """Return `as_day` of each value as `(n,) datetime64[D]`, NaT where there is none."""
    return np.array([as_day(value) or NOT_A_DAY for value in values], dtype="datetime64[D]")


def local_days(seconds: FloatArray, timezone: str) -> SessionArray:
    """Return the wall-clock day in `timezone` of epoch seconds, NaT where there is no stamp."""
    low, high = STAMP_SECONDS
    with np.errstate(invalid="ignore"):
        usable = (seconds >= low) & (seconds <= high)
    days = np.full(len(seconds), NOT_A_DAY)
    stamps = pd.to_datetime(seconds[usable].astype(np.int64), unit="s", utc=True)
    local = stamps.tz_convert(timezone).tz_localize(None)
    days[usable] = local.to_numpy().astype("datetime64[D]")
    return days
