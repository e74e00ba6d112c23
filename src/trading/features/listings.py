"""Since when each name is listed, when it traded last, and where another company may begin."""

from dataclasses import dataclass

import numpy as np

from trading.features.returns import LONGEST_GAP
from trading.market.panel import Panel
from trading.universe.liquidity import NEVER, BoolArray, IntArray

ESTABLISHED = 5
LONG_AGO = 756
"""Sessions after which a tenure is not told apart any more: three years."""
UNSEEN = -1_000_000_000
"""The row of something that has not happened."""


@dataclass(frozen=True, eq=False)
class Listings:
    """What the rows before some row say of each name; rows before it have negative numbers.

    Attributes
    ----------
    listed : (N,) int64, row of the first bar of the name, `NEVER` for none
    removed : (N,) int64, row from which on it is archived, `NEVER` for none
    last_bar : (N,) int64, row of the last bar before row 0, `UNSEEN` for none
    resumed : (N,) int64, row of the last bar before row 0 that followed a gap too long to bridge
        (more than `LONGEST_GAP` rows without a bar), `UNSEEN` for none
    """

    listed: IntArray
    removed: IntArray
    last_bar: IntArray
    resumed: IntArray

    @classmethod
    def of_panel(
        cls, panel: Panel, listed: IntArray | None = None, removed: IntArray | None = None
    ) -> "Listings":
        """Return what is known as a panel begins."""
        nothing = np.full(len(panel.symbols), UNSEEN)
        return cls(
            listing_rows(panel) if listed is None else np.asarray(listed, dtype=np.int64),
            np.full(len(panel.symbols), NEVER)
            if removed is None
            else np.asarray(removed, dtype=np.int64),
            nothing,
            nothing,
        )

    def of(self, columns: slice) -> "Listings":
        """Return those of some names."""
        return Listings(
            self.listed[columns],
            self.removed[columns],
            self.last_bar[columns],
            self.resumed[columns],
        )

    def of_names(self, names: IntArray) -> "Listings":
        """Return those of the names with these indices; nothing has happened to -1."""
        return Listings(
            np.where(names >= 0, self.listed[names], NEVER),
            np.where(names >= 0, self.removed[names], NEVER),
            np.where(names >= 0, self.last_bar[names], UNSEEN),
            np.where(names >= 0, self.resumed[names], UNSEEN),
        )

    def after(self, bars: BoolArray) -> "Listings":
        """Return what is known after the rows `(T, N)`, counted from the row that follows them."""
        rows = len(bars)
        if not rows:
            return self
        resumed = self.resumptions(bars)
        last_resumed = self.resumed if resumed is None else resumed[-1]
        return Listings(
            _moved(self.listed, rows),
            _moved(self.removed, rows),
            _moved(self.last_bars(bars)[-1], rows),
            _moved(last_resumed, rows),
        )

    def last_bars(self, bars: BoolArray) -> IntArray:
        """Return the row of the last bar at or before each row, `(T, N)`, `UNSEEN` before any."""
        rows = np.arange(len(bars), dtype=np.int64)[:, None]
        if bars.all():
            return np.broadcast_to(rows, bars.shape)
        last = np.where(bars, rows, UNSEEN)
        np.maximum(last[:1], self.last_bar, out=last[:1])
        return np.maximum.accumulate(last, axis=0)

    def resumptions(self, bars: BoolArray) -> IntArray | None:
        """Return the row of the last resumption at or before each row, `(T, N)`, or None.

        None where no name has one.
        """
        if not len(bars):
            return None
        begins = self._first_resumes(bars[0])
        if bars.all() and not begins.any() and (self.resumed == UNSEEN).all():
            return None
        rows = np.arange(len(bars), dtype=np.int64)[:, None]
        last = self.last_bars(bars)
        resumes = np.zeros_like(bars)
        resumes[0] = begins
        resumes[1:] = bars[1:] & (last[:-1] != UNSEEN) & (rows[1:] - last[:-1] > LONGEST_GAP + 1)
        found = np.where(resumes, rows, UNSEEN)
        np.maximum(found[:1], self.resumed, out=found[:1])
        return None if (found == UNSEEN).all() else np.maximum.accumulate(found, axis=0)

    def _first_resumes(self, bars: BoolArray) -> BoolArray:
        long_ago = (self.last_bar != UNSEEN) & (-self.last_bar > LONGEST_GAP + 1)
        return np.asarray(bars & long_ago)


def listing_rows(panel: Panel) -> IntArray:
    """Return the row of each name's first bar, `(N,)` int64; `NEVER` for a name without bars.

    A name whose first bar is among the panel's first `ESTABLISHED` rows was listed before the
    panel begins, nobody knows when: it counts as listed for longer than any tenure that is told
    apart.
    """
    known = ~np.isnan(panel.close)
    if not len(known):
        return np.full(len(panel.symbols), NEVER)
    first = np.argmax(known, axis=0).astype(np.int64)
    first = np.where(first < ESTABLISHED, -LONG_AGO, first)
    return np.where(known.any(axis=0), first, NEVER)


def _moved(rows: IntArray, by: int) -> IntArray:
    """Return rows counted from a row `by` later; what never was stays so."""
    return np.where((rows == NEVER) | (rows == UNSEEN), rows, rows - by)
