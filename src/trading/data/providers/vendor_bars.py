"""Which rows of a service are bars: a row that may be wrong is left out, and counted.

A missing bar is asked from the next provider; a wrong one would be believed. Whole columns at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.data.frames import bars_from_codes
from trading.data.parsing import SYMBOL
from trading.data.providers.base import FetchResult
from trading.data.report import OUTSIDE_THE_REQUEST, IngestReport
from trading.market.bars import FIELDS, PRICE_COLUMNS, CorporateAction, empty_bars
from trading.market.calendar import is_session, session_close, sessions_between
from trading.market.panel import FloatArray, SessionArray

BoolArray = npt.NDArray[np.bool_]
# Above any share's price (Berkshire's A share: under a million) and any session's volume.
HIGHEST_PRICE: Final = 1e8
HIGHEST_VOLUME: Final = 1e12
# A high or low this far (relative) inside the open or close is the vendor's rounding.
ROUNDING: Final = 1e-3
# A consolidated daily bar is final some time after the close.
SETTLING: Final = timedelta(minutes=20)


@dataclass(frozen=True)
class VendorBars:
    """Rows as a service sent them, read but not yet believed.

    Attributes
    ----------
    symbol : (n,) the symbol of each row in the project's spelling, "" where it has none
    day : (n,) datetime64[D], NaT where there is none
    values : field -> (n,) float64, NaN where there is none; split-adjusted
    actions : corporate actions of the answer
    """

    symbol: Sequence[str]
    day: SessionArray
    values: Mapping[str, FloatArray]
    actions: tuple[CorporateAction, ...] = ()


def concat_vendor_bars(parts: Sequence[VendorBars]) -> VendorBars:
    """Return the rows and actions of all parts, in their order."""
    if not parts:
        return VendorBars([], np.empty(0, "datetime64[D]"), {f: np.empty(0) for f in FIELDS})
    return VendorBars(
        [symbol for part in parts for symbol in part.symbol],
        np.concatenate([part.day for part in parts]),
        {field: np.concatenate([part.values[field] for part in parts]) for field in FIELDS},
        tuple(action for part in parts for action in part.actions),
    )


def finished_sessions(start: date, end: date, exchange: str, now: datetime) -> SessionArray:
    """Return the sessions from `start` to `end` whose bars are final at `now`, datetime64[D]."""
    sessions = sessions_between(start, end, exchange)
    while len(sessions):
        last: date = sessions[-1].astype(object)
        if last < now.date() - timedelta(days=1):
            break
        if is_session(last, exchange) and session_close(last, exchange) + SETTLING <= now:
            break
        sessions = sessions[:-1]
    return sessions


def accept_bars(
    rows: VendorBars, sessions: SessionArray, source: str
) -> tuple[pd.DataFrame, IngestReport]:
    """Return the bars frame of the rows that can be true, and the account of all of them.

    Parameters
    ----------
    rows : what the service sent
    sessions : (T,) datetime64[D], sorted: the sessions that are wanted and over
    source : the provider, for the report

    A row is left out when its day or symbol is unreadable or not wanted, when it has no close,
    when a price is not above zero, too high to be one, or outside its own range, and when another
    row tells the same symbol's session differently: then nobody knows which is right.
    """
    judged = _judge(rows, sessions)
    kept = ~judged.out
    values = {field: column[kept] for field, column in judged.values.items()}
    bars = _frame(judged.days[kept], judged.codes[kept], judged.names, values)
    report = IngestReport(source, len(kept), 0, 0, None, None, dropped=judged.dropped)
    return bars, report.describing(bars)


def count_rows(rows: VendorBars, sessions: SessionArray) -> tuple[int, dict[str, int]]:
    """Return how many rows `accept_bars` would keep, and the others by reason."""
    judged = _judge(rows, sessions)
    return int(np.count_nonzero(~judged.out)), judged.dropped


@dataclass(frozen=True)
class _Judged:
    """Rows with their verdict: `out` are left out, for the reasons counted in `dropped`."""

    days: SessionArray
    codes: npt.NDArray[np.intp]
    names: Any
    values: dict[str, FloatArray]
    out: BoolArray
    dropped: dict[str, int]


def _judge(rows: VendorBars, sessions: SessionArray) -> _Judged:
    days = np.asarray(rows.day, dtype="datetime64[D]")
    codes, names = pd.factorize(np.asarray(rows.symbol, dtype=object), sort=True)
    usable = np.array([bool(SYMBOL.fullmatch(str(name))) for name in names], dtype=bool)
    values = {field: np.array(rows.values[field], dtype=np.float64) for field in FIELDS}
    with np.errstate(invalid="ignore"):
        volume = values["volume"]
        volume[(volume < 0) | (volume > HIGHEST_VOLUME)] = np.nan
        adjusted = values["adjusted_close"]
        adjusted[~((adjusted > 0) & (adjusted <= HIGHEST_PRICE))] = np.nan
        reasons = _bad_prices(values)
    reasons = {
        "no_date": np.isnat(days),
        "no_symbol": ~usable[codes] if len(names) else np.zeros(len(days), dtype=bool),
        OUTSIDE_THE_REQUEST: ~np.isin(days, sessions),
    } | reasons
    out = np.zeros(len(days), dtype=bool)
    dropped: dict[str, int] = {}
    for reason, mask in reasons.items():
        if count := int(np.count_nonzero(mask & ~out)):
            dropped[reason] = count
        out |= mask
    # A bad row beside a good one of the same day still says that something is wrong with the day.
    named = usable[codes] & ~np.isnat(days) if len(names) else ~np.isnat(days)
    repeated, conflicting = _duplicates(days, codes, values, named)
    for reason, mask in (("conflicting_duplicate", conflicting), ("duplicate", repeated)):
        if count := int(np.count_nonzero(mask & ~out)):
            dropped[reason] = count
        out |= mask
    return _Judged(days, codes, names, values, out, dropped)


def fetch_result(rows: VendorBars, sessions: SessionArray, source: str) -> FetchResult:
    """Return the answer of one provider: `accept_bars`, and the actions of those sessions."""
    bars, report = accept_bars(rows, sessions, source)
    if not len(sessions):
        return FetchResult(bars, (), report)
    first, last = sessions[0].astype(object), sessions[-1].astype(object)
    actions = {a for a in rows.actions if first <= a.ex_date <= last}
    ordered = sorted(actions, key=lambda a: (a.ex_date, a.symbol, a.type, a.value or 0.0))
    return FetchResult(bars, tuple(ordered), report)


def _bad_prices(values: Mapping[str, FloatArray]) -> dict[str, BoolArray]:
    opened, high, low, close = (values[name] for name in PRICE_COLUMNS)
    prices = np.stack([opened, high, low, close])
    top, bottom = np.fmax(opened, close), np.fmin(opened, close)
    return {
        "no_close": np.isnan(close),
        "nonpositive_price": np.asarray((prices <= 0).any(axis=0)),
        "impossible_price": np.asarray((prices > HIGHEST_PRICE).any(axis=0)),
        "high_below_low": high < low,
        "open_or_close_outside_range": (high < top * (1 - ROUNDING))
        | (low > bottom * (1 + ROUNDING)),
    }


def _duplicates(
    days: SessionArray,
    codes: npt.NDArray[np.intp],
    values: Mapping[str, FloatArray],
    named: BoolArray,
) -> tuple[BoolArray, BoolArray]:
    """Return `(repeats, conflicts)`: the second of equal rows, and every one of unequal rows."""
    repeats, conflicts = np.zeros(len(days), dtype=bool), np.zeros(len(days), dtype=bool)
    spots = np.flatnonzero(named)
    key = codes[spots].astype(np.int64) * 1_000_000 + days[spots].astype(np.int64)
    order = np.argsort(key, kind="stable")
    spots, key = spots[order], key[order]
    if not (key[1:] == key[:-1]).any():
        return repeats, conflicts
    first_of_group = np.append(True, key[1:] != key[:-1])
    group = np.cumsum(first_of_group) - 1
    leader = spots[first_of_group][group]
    differs = np.zeros(len(spots), dtype=bool)
    for field in values.values():
        mine, theirs = field[spots], field[leader]
        differs |= (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))
    bad = np.zeros(int(group[-1]) + 1, dtype=bool)
    np.logical_or.at(bad, group, differs)
    conflicts[spots[bad[group]]] = True
    repeats[spots[~first_of_group]] = True
    return repeats, conflicts


def _frame(
    days: SessionArray,
    codes: npt.NDArray[np.intp],
    names: Any,
    values: Mapping[str, FloatArray],
) -> pd.DataFrame:
    if not len(days):
        return empty_bars()
    kept, codes = np.unique(codes, return_inverse=True)
    order = np.lexsort((days, codes))
    texts = [str(names[code]) for code in kept]
    return bars_from_codes(
        days[order], codes[order], texts, {f: v[order] for f, v in values.items()}
    )
