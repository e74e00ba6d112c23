"""Turn the rows of any source into a bars frame, and account for every one of them.

A row is dropped when its day, symbol or prices cannot be true, repaired when the truth can be
proved from the row or its neighbours, and a source that has too many unusable rows is refused.
Whole columns at a time: nothing loops over rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.config import Settings
from trading.data.columns import match_columns
from trading.data.frames import bars_from_codes
from trading.data.parsing import parse_days, parse_numbers, parse_symbols
from trading.data.report import IngestReport
from trading.errors import DataError
from trading.market.bars import FIELDS, PRICE_COLUMNS
from trading.market.calendar import FIRST_DAY, LAST_DAY, sessions_between
from trading.market.panel import FloatArray, SessionArray

__all__ = ["IngestReport", "clean_bars"]

BoolArray = npt.NDArray[np.bool_]
# A high or low this close (relative) to the open or close beyond it is rounding and is widened.
RANGE_TOLERANCE = 0.01
# Drops that do not speak against the source: repeats, and rows that are merely too new.
HARMLESS = frozenset({"duplicate", "future_date"})


@dataclass
class _Rows:
    """The rows that are still kept, as parallel arrays, and the account so far."""

    day: SessionArray
    code: npt.NDArray[np.int64]
    values: dict[str, FloatArray]
    repairs: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def take(self, which: BoolArray | npt.NDArray[np.intp]) -> None:
        self.day, self.code = self.day[which], self.code[which]
        self.values = {name: values[which] for name, values in self.values.items()}

    def drop(self, reasons: Mapping[str, BoolArray]) -> None:
        """Leave out the rows of each mask; a row counts for its first reason."""
        out = np.zeros(len(self.day), dtype=bool)
        for reason, mask in reasons.items():
            self.count(self.dropped, reason, int(np.count_nonzero(mask & ~out)))
            out |= mask
        if out.any():
            self.take(~out)

    def count(self, book: dict[str, int], what: str, rows: int) -> None:
        if rows:
            book[what] = book.get(what, 0) + rows


def clean_bars(
    frame: pd.DataFrame, *, source: str, today: date, settings: Settings
) -> tuple[pd.DataFrame, IngestReport]:
    """Return the bars frame of `frame` and the account of how it came about.

    Parameters
    ----------
    frame : rows in any order; columns in any usual spelling (`trading.data.columns`) and of any
        type that holds days, symbols and numbers; an index with a name counts as a column
    source : what the rows are, in words, for the report and for errors
    today : rows of later days are dropped
    settings : `data.exchange` tells the sessions; `data.max_bad_row_share` and `data.min_symbols`
        tell what is refused

    Raises
    ------
    DataError
        A column is missing or without any value, there are no rows, too many rows are unusable
        or too few symbols are left; the text says which.
    """
    frame = _with_index_as_columns(frame, source)
    columns = match_columns(frame.columns, source)
    if frame.empty:
        raise DataError(f"{source} holds no rows; expected daily bars")
    code, names, respelt = parse_symbols(frame[columns["symbol"]])
    rows = _Rows(parse_days(frame[columns["date"]]), code, _read_values(frame, columns, source))
    rows.count(rows.repairs, "symbol_spelling", respelt)
    _drop_bad_keys(rows, today, settings)
    _drop_bad_prices(rows)
    _mend_ranges(rows)
    _sort(rows)
    _drop_duplicates(rows)
    _fill_adjusted_close(rows)
    _check_share(rows, len(frame), source, settings)
    used = np.unique(rows.code)
    if len(used) < settings.data.min_symbols:
        raise DataError(
            f"{source} has usable bars of {len(used)} symbols; at least {settings.data.min_symbols}"
            " are needed (data.min_symbols)"
        )
    bars = bars_from_codes(rows.day, rows.code, names, rows.values)
    gaps = {name: int(np.count_nonzero(np.isnan(rows.values[name]))) for name in FIELDS}
    report = IngestReport(
        source=source,
        rows_read=len(frame),
        rows_kept=len(bars),
        symbols=len(used),
        first=rows.day.min().astype(object),
        last=rows.day.max().astype(object),
        repairs=rows.repairs,
        dropped=rows.dropped,
        unknown={name: gap for name, gap in gaps.items() if gap},
    )
    return bars, report


def _with_index_as_columns(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"{source} has one column per field and symbol; expected long rows: one per day and "
            "symbol (frame.stack() makes them)"
        )
    if any(name is not None for name in frame.index.names):
        return frame.reset_index()
    if isinstance(frame.index, pd.DatetimeIndex):
        return frame.rename_axis("date").reset_index()
    return frame


def _read_values(
    frame: pd.DataFrame, columns: Mapping[str, object], source: str
) -> dict[str, FloatArray]:
    values: dict[str, FloatArray] = {}
    for name in FIELDS:
        if name not in columns:
            values[name] = np.full(len(frame), np.nan)
            continue
        values[name] = np.array(parse_numbers(frame[columns[name]], whole=name == "volume"))
        if name != "adjusted_close" and np.isnan(values[name]).all():
            raise DataError(
                f"{source}: the column {columns[name]!r} holds no number in any of its "
                f"{len(frame):,} rows; expected {name}"
            )
    return values


def _drop_bad_keys(rows: _Rows, today: date, settings: Settings) -> None:
    last_day = np.datetime64(min(today, LAST_DAY), "D")
    sessions = sessions_between(FIRST_DAY, LAST_DAY, settings.data.exchange)
    spot = np.minimum(np.searchsorted(sessions, rows.day), len(sessions) - 1)
    undated = np.isnat(rows.day)
    rows.drop(
        {
            "no_date": undated,
            "no_symbol": rows.code < 0,
            "future_date": ~undated & (rows.day > last_day),
            "before_the_calendar": ~undated & (rows.day < np.datetime64(FIRST_DAY, "D")),
            "not_a_session": sessions[spot] != rows.day,
        }
    )


def _drop_bad_prices(rows: _Rows) -> None:
    prices = [rows.values[name] for name in PRICE_COLUMNS]
    infinite = np.isinf(rows.values["adjusted_close"])
    nonpositive = np.zeros(len(rows.day), dtype=bool)
    for price in prices:
        infinite |= np.isinf(price)
        nonpositive |= price <= 0
    rows.drop(
        {
            "no_close": np.isnan(rows.values["close"]),
            "infinite_price": infinite,
            "nonpositive_price": nonpositive,
        }
    )
    volume = rows.values["volume"]
    impossible = (volume < 0) | np.isinf(volume)
    volume[impossible] = np.nan
    rows.count(rows.repairs, "impossible_volume_to_unknown", int(np.count_nonzero(impossible)))


def _mend_ranges(rows: _Rows) -> None:
    """Swap a high and low that the open and close prove swapped; widen what rounding cut."""
    opened, high, low, close = (rows.values[name] for name in PRICE_COLUMNS)
    crossed = high < low
    swapped = crossed & (opened >= high) & (opened <= low) & (close >= high) & (close <= low)
    high[swapped], low[swapped] = low[swapped], high[swapped]
    rows.count(rows.repairs, "high_and_low_swapped", int(np.count_nonzero(swapped)))
    top, bottom = np.fmax(opened, close), np.fmin(opened, close)
    outside = (high < top * (1 - RANGE_TOLERANCE)) | (low > bottom * (1 + RANGE_TOLERANCE))
    crossed &= ~swapped
    widened = ((high < top) | (low > bottom)) & ~outside & ~crossed
    high[widened] = np.maximum(high, top)[widened]
    low[widened] = np.minimum(low, bottom)[widened]
    rows.count(rows.repairs, "range_widened_to_open_and_close", int(np.count_nonzero(widened)))
    rows.drop({"high_below_low": crossed, "open_or_close_outside_range": outside})


def _sort(rows: _Rows) -> None:
    key = _key(rows)
    late = int(np.count_nonzero(key[1:] < key[:-1]))
    if late:
        rows.count(rows.repairs, "out_of_order", late)
        rows.take(np.argsort(key, kind="stable"))


def _key(rows: _Rows) -> npt.NDArray[np.int64]:
    return rows.code * 1_000_000 + rows.day.astype(np.int64)


def _drop_duplicates(rows: _Rows) -> None:
    """Keep the last of the rows that share a symbol and day; the order is that of the source."""
    key = _key(rows)
    repeated = np.zeros(len(key), dtype=bool)
    repeated[:-1] = key[1:] == key[:-1]
    if not repeated.any():
        return
    spots = np.flatnonzero(repeated)
    same = np.ones(len(spots), dtype=bool)
    for values in rows.values.values():
        mine, next_one = values[spots], values[spots + 1]
        same &= (mine == next_one) | (np.isnan(mine) & np.isnan(next_one))
    conflicting = repeated.copy()
    conflicting[spots[same]] = False
    rows.drop({"conflicting_duplicate": conflicting, "duplicate": repeated})


def _fill_adjusted_close(rows: _Rows) -> None:
    """Take a missing adjusted close from the close and the nearest adjustment of its symbol.

    The adjustment (adjusted close / close) only changes on an ex-dividend day, so the one of the
    last known session before holds, else of the first after; where a symbol has none it is 1.
    """
    adjusted, close = rows.values["adjusted_close"], rows.values["close"]
    missing = ~(adjusted > 0)
    if not missing.any():
        return
    rows.count(rows.repairs, "adjusted_close_from_close", int(np.count_nonzero(missing)))
    spots = np.arange(len(close))
    before = np.maximum.accumulate(np.where(missing, -1, spots))
    after = np.minimum.accumulate(np.where(missing, len(close), spots)[::-1])[::-1]
    after = np.minimum(after, len(close) - 1)
    ratio = np.where(missing, np.nan, adjusted / close)
    filled = np.where(
        (before >= 0) & (rows.code[before] == rows.code),
        ratio[before],
        np.where(rows.code[after] == rows.code, ratio[after], np.nan),
    )
    filled[np.isnan(filled)] = 1.0
    adjusted[missing] = (close * filled)[missing]


def _check_share(rows: _Rows, rows_read: int, source: str, settings: Settings) -> None:
    bad = {reason: count for reason, count in rows.dropped.items() if reason not in HARMLESS}
    share, allowed = sum(bad.values()) / rows_read, settings.data.max_bad_row_share
    told = ", ".join(
        f"{count:,} {reason.replace('_', ' ')}"
        for reason, count in sorted(rows.dropped.items(), key=lambda item: (-item[1], item[0]))
    )
    if share > allowed:
        raise DataError(
            f"{source}: {share:.1%} of its {rows_read:,} rows are unusable ({told}), more than the "
            f"{allowed:.1%} that data.max_bad_row_share allows; mend the source or allow more"
        )
    if not len(rows.day):
        raise DataError(f"{source}: none of its {rows_read:,} rows is usable ({told})")
