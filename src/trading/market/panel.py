"""Panels: dense arrays `(T, N)` per field over sessions x symbols, NaN where there is no bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS, FIELDS, require_bars

FloatArray = npt.NDArray[np.float64]
SessionArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Panel:
    """Bars as arrays.

    Attributes
    ----------
    sessions : (T,) datetime64[D], strictly increasing; intraday bars carry UTC stamps [s]
    symbols : N unique symbols, in any order; an empty string is an empty column
    open, high, low, close, volume, adjusted_close : (T, N) float64, NaN where there is no bar
    """

    sessions: SessionArray
    symbols: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    adjusted_close: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        for name in FIELDS:
            if getattr(self, name).shape != shape:
                raise DataError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if len(self.sessions) > 1 and not (np.diff(self.sessions).astype(np.int64) > 0).all():
            raise DataError("the sessions of a panel must be strictly increasing")

    @property
    def shape(self) -> tuple[int, int]:
        """`(T, N)`: sessions, symbols."""
        return len(self.sessions), len(self.symbols)

    @classmethod
    def from_bars(
        cls,
        bars: pd.DataFrame,
        sessions: SessionArray | None = None,
        symbols: Sequence[str] | None = None,
        *,
        unit: Literal["D", "s"] = "D",
    ) -> "Panel":
        """Arrange a bars frame; rows outside `sessions` or `symbols` are left out.

        Without `sessions` and `symbols` they are the sorted unique ones of `bars`. Rows may come in
        any order; a doubled (date, symbol) raises `DataError`. `unit` is the resolution of the
        rows: days, or seconds for intraday bars.
        """
        bars = require_bars(bars)
        stamps = bars["date"]
        if isinstance(stamps.dtype, pd.DatetimeTZDtype):
            # The day is the exchange's, whatever day it is in UTC.
            stamps = stamps.dt.tz_localize(None)
        dates = stamps.to_numpy().astype(f"datetime64[{unit}]")
        if sessions is None:
            sessions = np.unique(dates)
        codes, names = pd.factorize(bars["symbol"], sort=True)
        columns = tuple(str(name) for name in names) if symbols is None else tuple(symbols)
        position = {symbol: i for i, symbol in enumerate(columns) if symbol}
        column_of_code = np.array([position.get(str(name), -1) for name in names], dtype=np.int64)
        row = np.searchsorted(sessions, dates)
        row_ok = row < len(sessions)
        row_ok[row_ok] = sessions[row[row_ok]] == dates[row_ok]
        column = column_of_code[codes] if len(codes) else np.empty(0, dtype=np.int64)
        keep = row_ok & (column >= 0)
        row, column = row[keep], column[keep]
        taken = np.zeros((len(sessions), len(columns)), dtype=bool)
        taken[row, column] = True
        if np.count_nonzero(taken) != len(row):
            raise DataError(
                "bars hold the same (date, symbol) more than once; deduplicate them first"
            )
        values: dict[str, FloatArray] = {}
        for field in FIELDS:
            grid = np.full((len(sessions), len(columns)), np.nan)
            grid[row, column] = bars[field].to_numpy(dtype=np.float64)[keep]
            values[field] = grid
        return cls(sessions, columns, **values)

    def to_bars(self) -> pd.DataFrame:
        """Return the bars frame of this panel: the cells that have a close."""
        columns, rows = np.nonzero(~np.isnan(self.close.T))
        order = np.argsort(np.array(self.symbols, dtype=object), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        if not (np.diff(rank) > 0).all():
            by_symbol = np.argsort(rank[columns], kind="stable")
            columns, rows = columns[by_symbol], rows[by_symbol]
        names = pd.Series(self.symbols, dtype="str")
        frame: dict[str, object] = {"date": self.sessions[rows].astype("datetime64[s]")}
        frame["symbol"] = names.take(columns).array
        frame |= {field: getattr(self, field)[rows, columns] for field in FIELDS}
        return pd.DataFrame(frame, copy=False)[list(BAR_COLUMNS)]

    def before(self, day: date | np.datetime64) -> "Panel":
        """Return the sessions strictly before `day`: what was known on its morning."""
        return self.rows(
            slice(0, int(np.searchsorted(self.sessions, np.datetime64(str(day), "D"))))
        )

    def rows(self, which: slice) -> "Panel":
        """Return some of the sessions (a view)."""
        picked = {name: getattr(self, name)[which] for name in FIELDS}
        return Panel(self.sessions[which], self.symbols, **picked)

    def select(self, symbols: Sequence[str]) -> "Panel":
        """Return the columns for `symbols`, in that order; empty or unknown ones are all NaN."""
        position = {symbol: i for i, symbol in enumerate(self.symbols) if symbol}
        index = np.array([position.get(symbol, -1) for symbol in symbols], dtype=np.int64)
        picked: dict[str, FloatArray] = {}
        for field in FIELDS:
            values = (
                getattr(self, field)[:, np.maximum(index, 0)]
                if self.symbols
                else np.empty((len(self.sessions), len(index)))
            )
            values = np.array(values)
            values[:, index < 0] = np.nan
            picked[field] = values
        return Panel(self.sessions, tuple(symbols), **picked)

    def returns(self) -> FloatArray:
        """Return simple daily returns `(T, N)` of adjusted closes, dividends included.

        The return of a session is NaN where its close or the close of the session before is
        missing; the first row is NaN.
        """
        returns = np.full(self.shape, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            returns[1:] = self.adjusted_close[1:] / self.adjusted_close[:-1] - 1.0
        returns[~np.isfinite(returns)] = np.nan
        return returns
