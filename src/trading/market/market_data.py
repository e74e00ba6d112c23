"""What a strategy sees: the bars up to a moment, read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.market.bars import FIELDS, BarInterval
from trading.market.panel import Panel

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False, repr=False)
class MarketData:
    """Bars of many symbols up to `now`, as arrays that cannot be written to.

    Attributes
    ----------
    timestamps : (T,) datetime64[s], UTC, strictly increasing: when each bar closed
    sessions : (T,) datetime64[D], not decreasing: the exchange's date of each bar
    symbols : N unique symbols
    open, high, low, close, volume, adjusted_close : (T, N) float64, NaN where there is no bar
    interval : the length of a bar

    Slices (`upto`, `tail`) are views: taking one copies nothing.
    """

    timestamps: TimeArray
    sessions: TimeArray
    symbols: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    adjusted_close: FloatArray
    interval: BarInterval = BarInterval.DAY

    def __post_init__(self) -> None:
        shape = (len(self.timestamps), len(self.symbols))
        for name in ("timestamps", "sessions", *FIELDS):
            view: npt.NDArray[Any] = getattr(self, name).view()
            if view.shape != (shape if name in FIELDS else shape[:1]):
                raise DataError(f"{name} has shape {view.shape}, expected {shape}")
            object.__setattr__(self, name, _read_only(view))

    def __repr__(self) -> str:
        bars, symbols = self.shape
        until = f" to {self.timestamps[-1]}" if bars else ""
        return f"<MarketData {bars} x {symbols}, {self.interval}{until}>"

    @classmethod
    def from_panel(cls, panel: Panel) -> "MarketData":
        """Return daily bars, each closed at 24:00 UTC less one second of its session's date.

        The stamp orders the bars and is later than any US close; it is not the exchange's closing
        time.
        """
        sessions = panel.sessions.astype("datetime64[D]")
        closes = np.add(sessions.astype("datetime64[s]"), np.timedelta64(86_399, "s"))
        fields = {name: getattr(panel, name) for name in FIELDS}
        return cls(closes, sessions, panel.symbols, **fields)

    @property
    def shape(self) -> tuple[int, int]:
        """`(T, N)`: bars, symbols."""
        return len(self.timestamps), len(self.symbols)

    @property
    def now(self) -> datetime:
        """When the last bar closed, with its zone (UTC)."""
        if not len(self.timestamps):
            raise DataError("there are no bars, so there is no present")
        return self.timestamps[-1].astype("datetime64[s]").item().replace(tzinfo=UTC)  # type: ignore[no-any-return]

    @cached_property
    def columns(self) -> dict[str, int]:
        """The column of each symbol."""
        return {symbol: column for column, symbol in enumerate(self.symbols)}

    def upto(self, row: int) -> "MarketData":
        """Return the bars `0 .. row`: what was known when bar `row` had closed."""
        return self._rows(slice(0, row + 1))

    def tail(self, bars: int) -> "MarketData":
        """Return the last `bars` bars."""
        return self._rows(slice(max(len(self.timestamps) - bars, 0), len(self.timestamps)))

    def series(self, symbol: str, field: str = "close") -> FloatArray:
        """Return one field `(T,)` of one symbol; a view."""
        if field not in FIELDS:
            raise DataError(
                f"{field!r} is not a field of bars; expected one of {', '.join(FIELDS)}"
            )
        try:
            values: FloatArray = getattr(self, field)[:, self.columns[symbol]]
        except KeyError:
            raise DataError(f"{symbol!r} is not among the {len(self.symbols)} symbols") from None
        return values

    def select(self, symbols: Sequence[str]) -> "MarketData":
        """Return some of the symbols, in that order; one that is not there raises `DataError`."""
        unknown = [symbol for symbol in symbols if symbol not in self.columns]
        if unknown:
            raise DataError(f"unknown symbol(s): {', '.join(unknown[:5])}")
        picked = [self.columns[symbol] for symbol in symbols]
        fields = {name: getattr(self, name)[:, picked] for name in FIELDS}
        return MarketData(
            self.timestamps, self.sessions, tuple(symbols), **fields, interval=self.interval
        )

    def _rows(self, which: slice) -> "MarketData":
        # Built without __init__: called once a bar, and every array is a view of a checked one.
        view = object.__new__(MarketData)
        for name in ("timestamps", "sessions", *FIELDS):
            object.__setattr__(view, name, getattr(self, name)[which])
        object.__setattr__(view, "symbols", self.symbols)
        object.__setattr__(view, "interval", self.interval)
        if "columns" in self.__dict__:
            view.__dict__["columns"] = self.columns
        return view


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view that cannot be written to, nor be made writeable again; nothing is copied.

    A plain view can be: numpy lets `flags.writeable = True` pass where the memory's owner allows
    it. One through a read-only `memoryview` stays as it is.
    """
    # Dates have no buffer interface; their integers do.
    plain = array.view(np.int64) if array.dtype.kind == "M" else array
    return np.asarray(plain.data.toreadonly()).view(array.dtype)
