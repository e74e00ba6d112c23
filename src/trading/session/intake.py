"""What is wrong with the bars that a source delivers, by name; whole panels at a time.

A decision that was made is never made again: bars of rows that were decided on are taken over into
the history, and named, but they trade nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import DataError
from trading.market.bars import (
    BAR_COLUMNS,
    PRICE_COLUMNS,
    CorporateAction,
    CorporateActionType,
    require_bars,
)
from trading.market.calendar import DEFAULT_EXCHANGE, is_session, sessions_between
from trading.market.market_data import MarketData

BoolArray = npt.NDArray[np.bool_]

# A close that was restated by less is a correction; by more, and by whole numbers, a split.
SMALLEST_SPLIT = 0.04
SPLIT_TOLERANCE = 2e-3
LARGEST_TERM = 100
RECENT_BARS = 5
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class BarProblem:
    """Bars that are not as they should be.

    Attributes
    ----------
    kind : late, revised, withdrawn, missing, missing_session, not_a_session, unknown_symbol,
        split_inferred, duplicate, conflicting, malformed, out_of_order or future
    count : bars, or symbols, or sessions
    examples : the first few of them
    """

    kind: str
    count: int
    examples: tuple[str, ...]

    def sentence(self) -> str:
        """Return it in words."""
        more = ", ..." if self.count > len(self.examples) else ""
        return f"{self.count} {self.kind.replace('_', ' ')}: {', '.join(self.examples)}{more}"


def problem(kind: str, examples: Sequence[str]) -> list[BarProblem]:
    """Return the problem with its first examples; nothing where there are none."""
    found = list(examples)
    return [BarProblem(kind, len(found), tuple(found[:EXAMPLES]))] if found else []


def clean_stream(
    frame: pd.DataFrame, *, now: datetime | None
) -> tuple[pd.DataFrame, list[BarProblem]]:
    """Return intraday bars in order, each once, and what was wrong with them.

    Parameters
    ----------
    frame : bars frame in the order of arrival, `date` with a zone
    now : bars that close later are left out; None: none does

    Identical repeats are dropped; of bars that contradict each other the one that came last counts.
    A bar with a price that is missing, infinite, not positive or outside low..high, or a negative
    or infinite volume, is dropped.
    """
    rows = require_bars(frame).reset_index(drop=True)
    stamps = rows["date"]
    if getattr(stamps.dtype, "tz", None) is None:
        raise DataError("intraday bars need timestamps with a time zone; localise them to UTC")
    rows["date"] = stamps.dt.tz_convert("UTC")
    found: list[BarProblem] = []

    def drop(kind: str, mask: npt.NDArray[np.bool_] | pd.Series) -> None:
        nonlocal rows
        bad = rows[np.asarray(mask)]
        found.extend(problem(kind, _bars_of(bad)))
        rows = rows[~np.asarray(mask)]

    drop("malformed", _malformed(rows))
    if now is not None:
        drop("future", rows["date"] > pd.Timestamp(now))
    drop("duplicate", rows.duplicated(list(BAR_COLUMNS)))
    drop("conflicting", rows.duplicated(["symbol", "date"], keep="last"))
    newest = rows.groupby("symbol")["date"].cummax()
    late = rows[rows["date"] < newest]
    found += problem("out_of_order", _bars_of(late))
    return rows.sort_values(["symbol", "date"], kind="stable").reset_index(drop=True), found


def _bars_of(rows: pd.DataFrame) -> list[str]:
    stamps = rows["date"]
    return [f"{name} {at.isoformat()}" for name, at in zip(rows["symbol"], stamps, strict=True)]


def _malformed(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    prices = rows[list(PRICE_COLUMNS)].to_numpy(dtype=np.float64)
    volume = rows["volume"].to_numpy(dtype=np.float64)
    opens, highs, lows, closes = prices.T
    with np.errstate(invalid="ignore"):
        inside = (lows <= opens) & (opens <= highs) & (lows <= closes) & (closes <= highs)
        sane = np.isfinite(prices).all(axis=1) & (prices > 0.0).all(axis=1) & inside
        return np.asarray(~sane | (volume < 0.0) | np.isinf(volume))


def has_bars(data: MarketData) -> BoolArray:
    """Tell `(T, N)` where all four prices are known."""
    return np.asarray(np.isfinite(data.open + data.high + data.low + data.close))


def changed_history(
    before: MarketData, after: MarketData, decided_at: datetime
) -> list[BarProblem]:
    """Return how the bars up to a decision differ from those that it was made on.

    Both have the same symbols. A symbol whose closes were all restated by one factor was split or
    re-adjusted and is left out.
    """
    limit = np.datetime64(int(decided_at.timestamp()), "s")
    old, new = (
        one.upto(int(np.searchsorted(one.timestamps, limit, side="right")) - 1)
        for one in (before, after)
    )
    shared, left, right = np.intersect1d(old.timestamps, new.timestamps, return_indices=True)
    found: list[BarProblem] = []
    new_rows = np.setdiff1d(np.arange(len(new.timestamps)), right)
    bars = has_bars(new)
    late = [
        _name(new, row, column)
        for row in new_rows.tolist()
        for column in np.flatnonzero(bars[row]).tolist()
    ]
    had, has = has_bars(old)[left], bars[right]
    added = np.argwhere(~had & has).tolist()
    late += [_name(new, int(right[row]), column) for row, column in added]
    found += problem("late", late)
    gone = [_name(old, int(left[row]), column) for row, column in np.argwhere(had & ~has).tolist()]
    found += problem("withdrawn", gone)
    both = had & has
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(both, old.close[left] / new.close[right], np.nan)
    moved = both & (np.abs(ratio - 1.0) > 1e-9)
    if len(shared):
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(_filled(ratio), axis=0), np.nanmax(_filled(ratio), axis=0)
        moved[:, high - low <= 1e-6 * high] = False
    revised = [_name(new, int(right[row]), column) for row, column in np.argwhere(moved).tolist()]
    return found + problem("revised", revised)


def inferred_splits(
    last: dict[str, float], data: MarketData, row: int, ex_date: date
) -> list[CorporateAction]:
    """Return the splits that restated closes tell of.

    Parameters
    ----------
    last : close by symbol, as it was known when row `row` was decided on
    data : bars as they are known now; vendors restate closes when a stock splits
    ex_date : the session that follows the row
    """
    found = []
    for symbol, close in sorted(last.items()):
        column = data.columns.get(symbol)
        now = np.nan if column is None else float(data.close[row, column])
        if not np.isfinite(now) or now <= 0.0:
            continue
        ratio = close / now
        if abs(ratio - 1.0) < SMALLEST_SPLIT:
            continue
        simple = Fraction(ratio).limit_denominator(LARGEST_TERM)
        if 0 < simple.numerator <= LARGEST_TERM and abs(float(simple) / ratio - 1.0) < (
            SPLIT_TOLERANCE
        ):
            action = CorporateActionType.SPLIT
            found.append(CorporateAction(symbol, ex_date, action, float(simple)))
    return found


def gaps(data: MarketData, row: int, *, exchange: str = DEFAULT_EXCHANGE) -> list[BarProblem]:
    """Return what is missing in a row: symbols that traded just before, and whole sessions."""
    found: list[BarProblem] = []
    day = data.sessions[row].astype("datetime64[D]").item()
    if not is_session(day, exchange):
        found += problem("not_a_session", [str(day)])
    if row == 0:
        return found
    before = data.upto(row - 1).tail(RECENT_BARS)
    here = has_bars(data.upto(row).tail(1)).ravel()
    recent = np.asarray(has_bars(before).any(axis=0))
    gone = np.flatnonzero(recent & ~here)
    found += problem("missing", [data.symbols[column] for column in gone.tolist()])
    previous = data.sessions[row - 1].astype("datetime64[D]").item()
    if previous < day:
        between = sessions_between(previous + timedelta(days=1), day - timedelta(days=1), exchange)
        found += problem("missing_session", [str(one) for one in between])
    return found


def _filled(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the ratios with 1 in columns that have none, so that a minimum exists."""
    empty = np.asarray(np.isnan(ratio).all(axis=0))
    return np.asarray(np.where(empty.reshape(1, -1), 1.0, ratio))


def _name(data: MarketData, row: int, column: int) -> str:
    return f"{data.symbols[column]} {data.timestamps[row]}"
