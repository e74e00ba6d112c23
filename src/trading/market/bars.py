"""Bars: the long table `date, symbol, open, high, low, close, volume, adjusted_close`.

A *bars frame* is a pandas frame with exactly `BAR_COLUMNS`, sorted by symbol then date, one row a
(symbol, date). Daily bars carry a midnight `datetime64[s]` date; minute and hour bars a UTC
timestamp. Prices and volume are float64 and split-adjusted; `adjusted_close` is also
dividend-adjusted. A value that is not known is NaN.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import numpy as np
import pandas as pd

from trading.errors import DataError

PRICE_COLUMNS = ("open", "high", "low", "close")
FIELDS = (*PRICE_COLUMNS, "volume", "adjusted_close")
BAR_COLUMNS = ("date", "symbol", *FIELDS)


class BarInterval(StrEnum):
    """The length of a bar."""

    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"


@dataclass(frozen=True, slots=True)
class OHLCV:
    """One bar of one symbol; prices in USD, volume in shares, `timestamp` in UTC."""

    symbol: str
    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjusted_close: float


@dataclass(frozen=True, slots=True)
class FundamentalData:
    """Fundamentals of one symbol as known on `as_of`; money in USD, None where there is no data."""

    symbol: str
    as_of: date
    market_cap: float | None = None
    pe_ratio: float | None = None
    eps: float | None = None
    dividend_yield: float | None = None
    sector: str | None = None
    industry: str | None = None


class CorporateActionType(StrEnum):
    """What happened to the shares."""

    SPLIT = "split"
    DIVIDEND = "dividend"
    LISTING = "listing"
    DELISTING = "delisting"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A corporate action, effective before the open of `ex_date`.

    `value` is new shares per old share for a split, USD a share for a dividend, the final return
    (a fraction) for a delisting and None for a listing.
    """

    symbol: str
    ex_date: date
    type: CorporateActionType
    value: float | None = None


def empty_bars() -> pd.DataFrame:
    """Return a bars frame without rows."""
    columns: dict[str, pd.Series] = {
        "date": pd.Series(dtype="datetime64[s]"),
        "symbol": pd.Series(dtype="str"),
    }
    columns |= {field: pd.Series(dtype=np.float64) for field in FIELDS}
    return pd.DataFrame(columns)


def require_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` if it is a bars frame, else raise `DataError` naming what is wrong."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"bars are a pandas DataFrame, got {type(frame).__name__}")
    missing = [column for column in BAR_COLUMNS if column not in frame.columns]
    if missing:
        raise DataError(
            f"bars lack the column(s) {', '.join(missing)}; expected {', '.join(BAR_COLUMNS)}"
        )
    for column in ("date", "symbol"):
        empty = int(frame[column].isna().sum())
        if empty:
            raise DataError(f"{empty:,} of {len(frame):,} bars have no {column}; leave them out")
    return frame[list(BAR_COLUMNS)]


def to_ohlcv(frame: pd.DataFrame) -> list[OHLCV]:
    """Return the rows of a bars frame as `OHLCV` objects, in their order."""
    rows = require_bars(frame)
    stamps = pd.to_datetime(rows["date"], utc=True).dt.to_pydatetime()
    values = rows[list(FIELDS)].to_numpy(dtype=np.float64)
    return [
        OHLCV(symbol, stamp, *map(float, row))
        for symbol, stamp, row in zip(rows["symbol"], stamps, values, strict=True)
    ]
