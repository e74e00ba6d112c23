"""The bars of several providers put together, cell by cell, with the source of every value."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.data.frames import bars_from_codes
from trading.data.providers.base import Disagreement
from trading.data.providers.gaps import REQUIRED
from trading.market.bars import FIELDS, PRICE_COLUMNS
from trading.market.panel import FloatArray, SessionArray

CLOSE: Final = FIELDS.index("close")
NOBODY: Final = -1


class Board:
    """Sessions x symbols of bars; the first provider to tell a bar keeps it.

    A later one fills only the fields that are missing, and only where its close agrees with the
    one that is held: fields of bars on different scales do not make one bar.

    Parameters
    ----------
    sessions : (T,) datetime64[D], sorted
    symbols : (N,) unique
    tolerance : closes this far apart (relative) still agree
    """

    def __init__(self, sessions: SessionArray, symbols: Sequence[str], tolerance: float) -> None:
        self.sessions = sessions
        self.symbols = tuple(symbols)
        self.sources: list[str] = []
        self.disagreements: list[Disagreement] = []
        self._tolerance = tolerance
        shape = (len(FIELDS), len(sessions), len(self.symbols))
        self._values: FloatArray = np.full(shape, np.nan)
        self._source: npt.NDArray[np.int8] = np.full(shape, NOBODY, dtype=np.int8)
        self._columns = pd.Index(self.symbols)

    def lacking(self) -> npt.NDArray[np.bool_]:
        """Return `(T, N)`: where a required field is not known."""
        rows = [FIELDS.index(field) for field in REQUIRED]
        return np.asarray(np.isnan(self._values[rows]).any(axis=0))

    def add(self, bars: pd.DataFrame, source: str, *, fill: bool = True) -> int:
        """Add a bars frame of `source`; return how many values it gave.

        Rows of other sessions or symbols are left alone. With `fill` False nothing is taken:
        the closes are compared only.
        """
        column = self._columns.get_indexer(bars["symbol"])
        days = bars["date"].to_numpy().astype("datetime64[D]")
        inside = (column >= 0) & np.isin(days, self.sessions)
        n, t = column[inside], np.searchsorted(self.sessions, days[inside])
        new = np.stack([bars[field].to_numpy(dtype=np.float64)[inside] for field in FIELDS])
        held = self._values[:, t, n]
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.abs(new[CLOSE] / held[CLOSE] - 1.0)
        self._compare(t, n, new, held, apart, source)
        if not fill:
            return 0
        if source not in self.sources:
            self.sources.append(source)
        code = self.sources.index(source)
        empty = np.isnan(held[CLOSE])
        takes = np.isnan(held) & ~np.isnan(new) & (empty | (apart <= self._tolerance))
        merged = np.where(takes, new, held)
        # A range that another's prices would break keeps its gap.
        broken = ~empty & _out_of_order(merged)
        takes[:, broken] = False
        merged = np.where(takes, new, held)
        self._values[:, t, n] = merged
        self._source[:, t, n] = np.where(takes, code, self._source[:, t, n])
        return int(np.count_nonzero(takes))

    def of_source(self, source: str) -> npt.NDArray[np.bool_]:
        """Return `(T, N)`: where the close is that of `source`."""
        code = self.sources.index(source) if source in self.sources else NOBODY - 1
        return np.asarray(self._source[CLOSE] == code)

    def bars(self) -> pd.DataFrame:
        """Return the bars frame of all that is known, sorted by symbol then date."""
        names, order = self._ordered()
        n, t = np.nonzero(~np.isnan(self._values[CLOSE][:, order]).T)
        values = {field: self._values[i][t, order[n]] for i, field in enumerate(FIELDS)}
        kept, codes = np.unique(n, return_inverse=True)
        return bars_from_codes(self.sessions[t], codes, [names[i] for i in kept], values)

    def provenance(self) -> pd.DataFrame:
        """Return beside each row of `bars` where its values come from."""
        names, order = self._ordered()
        n, t = np.nonzero(~np.isnan(self._values[CLOSE][:, order]).T)
        frame = {
            "date": self.sessions[t].astype("datetime64[s]"),
            "symbol": pd.Series([names[i] for i in n], dtype="str"),
        }
        for name, row in [("source", CLOSE), *((f"{f}_source", i) for i, f in enumerate(FIELDS))]:
            codes = self._source[row][t, order[n]]
            frame[name] = pd.Categorical.from_codes(codes, categories=self.sources)
        return pd.DataFrame(frame)

    def _ordered(self) -> tuple[list[str], npt.NDArray[np.intp]]:
        order = np.argsort(np.array(self.symbols, dtype=object), kind="stable")
        return [self.symbols[i] for i in order], order

    def _compare(
        self,
        t: npt.NDArray[np.intp],
        n: npt.NDArray[np.intp],
        new: FloatArray,
        held: FloatArray,
        apart: FloatArray,
        source: str,
    ) -> None:
        for spot in np.flatnonzero(apart > self._tolerance):
            holder = self.sources[self._source[CLOSE, t[spot], n[spot]]]
            self.disagreements.append(
                Disagreement(
                    self.symbols[n[spot]],
                    self.sessions[t[spot]].astype(object),
                    holder,
                    float(held[CLOSE, spot]),
                    source,
                    float(new[CLOSE, spot]),
                )
            )


def _out_of_order(values: FloatArray) -> npt.NDArray[np.bool_]:
    opened, high, low, close = (values[FIELDS.index(name)] for name in PRICE_COLUMNS)
    top, bottom = np.fmax(opened, close), np.fmin(opened, close)
    with np.errstate(invalid="ignore"):
        return np.asarray((high < top) | (low > bottom) | (high < low))
