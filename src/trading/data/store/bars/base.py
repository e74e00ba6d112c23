"""What a store of bars is, and the form in which bars enter and leave every one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from trading.errors import DataError
from trading.market.bars import FIELDS, BarInterval, CorporateAction, require_bars

ONE_MINUTE = np.timedelta64(60, "s")
ONE_DAY = np.timedelta64(86_400, "s")


@dataclass(frozen=True)
class StoreReport:
    """What one `store` call did.

    Attributes
    ----------
    rows : bars given
    written : of them, how many were new or had other values than those held; 0 when the same bars
        were stored before
    """

    rows: int
    written: int


class BarStore(Protocol):
    """Bars by interval; storing is idempotent and all or nothing for each day.

    Bars are kept as they came, with the day through which their source had adjusted them for
    splits and dividends. An answer is on the share basis of one day, by the actions known then
    (`trading.data.actions.readjust`), so that an action that is stored adjusts all of history.

    `description` says in a few words what it is (`PostgreSQL 15.14, partitioned by year; ...`).
    """

    description: str

    def store(
        self,
        bars: pd.DataFrame,
        interval: BarInterval = BarInterval.DAY,
        *,
        adjusted_through: date | None = None,
    ) -> StoreReport:
        """Keep bars; a bar replaces the one held of the same symbol and time.

        `adjusted_through` is the day through which their source had adjusted them, `date.min` for
        prices as traded; None: the last day of the bars. Raises `DataError` for what
        `canonical_bars` refuses, `StoreError` when the store fails: no day is then half written,
        and the same call completes it.
        """

    def withhold(self, session: date) -> None:
        """Serve no daily bar of a session any more, until some are stored again."""

    def store_actions(self, actions: Iterable[CorporateAction], *, adjusted_through: date) -> int:
        """Keep corporate actions; returns how many are news, see `Lake.ingest_actions`."""

    def query(
        self,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        interval: BarInterval = BarInterval.DAY,
        *,
        as_of: date | None = None,
    ) -> pd.DataFrame:
        """Return the bars frame of `symbols` (None: every one) from `start` to `end`.

        Both ends are included; a date stands for the whole UTC day, a stamp without a zone is UTC.
        What is not held is not in the frame. The bars are as known on the morning of `as_of`; by
        default on that after `end`, so that nothing later than the span shows. Raises `DataError`
        when `start` is after `end`.
        """

    def close(self) -> None:
        """Give back connections; the store cannot be used after."""


def canonical_bars(frame: pd.DataFrame, interval: BarInterval) -> pd.DataFrame:
    """Return bars as every store keeps them, sorted by symbol and date.

    Stamps become naive UTC seconds (those with a zone are converted). NaN is an unknown value and
    stays.

    Raises
    ------
    DataError
        A column is missing or holds no numbers, a symbol is blank, a date is missing, a daily bar
        is not at midnight or a shorter one not on a whole minute, a value is infinite, or a
        (date, symbol) occurs twice.
    """
    frame = require_bars(frame)
    stamps = _utc_seconds(frame["date"])
    symbol = _symbols(frame["symbol"])
    step, wanted = (
        (ONE_DAY, "midnight") if interval is BarInterval.DAY else (ONE_MINUTE, "a whole minute")
    )
    off = (stamps.astype(np.int64) % step.astype(np.int64)) != 0
    if off.any():
        raise DataError(
            f"{np.count_nonzero(off)} {interval} bar(s) are not at {wanted}, the first is "
            f"{symbol.iloc[int(np.argmax(off))]} at {stamps[off][0]}; round them to where the bar "
            "begins"
        )
    made = pd.DataFrame({"date": stamps, "symbol": symbol.to_numpy()})
    made = made.astype({"symbol": "str"})
    for name in FIELDS:
        made[name] = _numbers(frame[name], name)
    made = made.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    doubled = made.duplicated(["symbol", "date"])
    if doubled.any():
        first = made[doubled].iloc[0]
        raise DataError(
            f"{int(doubled.sum())} bar(s) repeat a symbol and time, the first is {first['symbol']} "
            f"at {first['date']}; keep one of each"
        )
    return made


def _utc_seconds(column: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if column.dtype.kind != "M":
        raise DataError(
            f"the dates of bars are of type {column.dtype}, expected datetime64; parse them first"
        )
    exact = column.to_numpy()
    stamps = exact.astype("datetime64[s]")
    if np.isnat(stamps).any():
        raise DataError(f"{np.isnat(stamps).sum()} bar(s) have no date; leave them out")
    if (stamps != exact).any():
        raise DataError("a bar is stamped with a fraction of a second; round it down to its start")
    return np.asarray(stamps)


def _symbols(column: pd.Series) -> pd.Series:
    texts = column.map(lambda value: isinstance(value, str) and bool(value.strip()))
    if not texts.all():
        raise DataError(
            f"{int((~texts).sum())} bar(s) have a blank symbol or one that is not text; "
            "leave them out"
        )
    return column


def _numbers(column: pd.Series, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    try:
        values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} of bars is not numeric ({error}); parse it first") from error
    if np.isinf(values).any():
        raise DataError(
            f"{np.isinf(values).sum()} value(s) of {name} are infinite; make them NaN or drop them"
        )
    return values


def time_span(start: date | datetime, end: date | datetime) -> tuple[datetime, datetime]:
    """Return first and last second (naive UTC, both included) of a query.

    Raises `DataError` when `start` is after `end`.
    """
    first, last = _instant(start, time.min), _instant(end, time(23, 59, 59))
    if first > last:
        raise DataError(f"the query starts {start}, after its end {end}; exchange them")
    return first, last


def _instant(moment: date | datetime, of_day: time) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return datetime.combine(moment, of_day)


def wanted_symbols(symbols: Sequence[str] | None) -> list[str] | None:
    """Return the distinct symbols of a query, sorted; raises `DataError` for a plain string."""
    if isinstance(symbols, str):
        raise DataError(f"symbols is the text {symbols!r}; give a list of symbols")
    return None if symbols is None else sorted(set(symbols))


def known_on(end: datetime, as_of: date | None) -> date:
    """Return the morning that an answer is as of: `as_of`, else the one after `end`."""
    return as_of or end.date() + timedelta(days=1)
