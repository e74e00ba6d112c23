"""The bars of a few names over all rows, as the formulas take them: what is known, since when."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trading.features.listings import UNSEEN, Listings
from trading.features.returns import STALE, bridged_returns, positive
from trading.features.windows import Known
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import BoolArray, IntArray

NEEDED = ("open", "high", "close", "volume", "adjusted_close")

Patterns = dict[tuple[int, tuple[int, int]], Known]
"""What is known of names without a gap; it is the same for all of them and counted once."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some columns of a panel.

    Attributes
    ----------
    open, high, close, volume, adjusted_close : (T, B) float64, contiguous
    price : (T, B) the last adjusted close known, at most `STALE` rows old
    listings : of these columns, rows counted from the first row of the block
    patterns : shared by all blocks of one computation
    """

    open: FloatArray
    high: FloatArray
    close: FloatArray
    volume: FloatArray
    adjusted_close: FloatArray
    price: FloatArray
    listings: Listings
    patterns: Patterns

    @classmethod
    def cut(
        cls,
        panel: Panel,
        price: FloatArray,
        columns: slice,
        listings: Listings,
        patterns: Patterns,
    ) -> "Block":
        """Return some columns of a panel; `price` and `listings` are those of the whole panel."""
        cut = {name: np.ascontiguousarray(getattr(panel, name)[:, columns]) for name in NEEDED}
        whole = price is panel.adjusted_close
        cut["price"] = cut["adjusted_close"] if whole else np.ascontiguousarray(price[:, columns])
        return cls(**cut, listings=listings.of(columns), patterns=patterns)

    def known(self, cells: BoolArray, since: int = 0) -> Known:
        """Return what is known; `since` is the first row that can be."""
        if not cells[since:].all():
            return Known(cells)
        key = (since, self.close.shape)
        if key not in self.patterns:
            self.patterns[key] = Known.from_row(*key)
        return self.patterns[key]

    @cached_property
    def total_close(self) -> FloatArray:
        """Adjusted close, `(T, B)`, NaN where it is no positive number."""
        return positive(self.adjusted_close)

    @cached_property
    def price_known(self) -> Known:
        """Where `price` is known."""
        return self.known(~np.isnan(self.price))

    @cached_property
    def growth(self) -> FloatArray:
        """Adjusted close over that of the row before, NaN where either is unknown."""
        growth = np.full_like(self.close, np.nan)
        np.divide(self.total_close[1:], self.total_close[:-1], out=growth[1:])
        return growth

    @cached_property
    def returns(self) -> FloatArray:
        """Daily returns, see `bridged_returns`."""
        return bridged_returns(self.total_close)

    @cached_property
    def returns_known(self) -> Known:
        """Where `returns` are known."""
        return self.known(~np.isnan(self.returns), 1)

    @cached_property
    def bars(self) -> BoolArray:
        """Where there is a bar, `(T, B)`."""
        return ~np.isnan(self.close)

    @cached_property
    def resumed(self) -> IntArray | None:
        """The row of the last bar after a gap too long to bridge; None where there is none."""
        return self.listings.resumptions(self.bars)

    @cached_property
    def age(self) -> FloatArray:
        """Sessions since the listing, `(T, B)`; negative where there was no bar yet."""
        row = np.arange(len(self.close), dtype=np.float64)[:, None]
        age = row - self.listings.listed.astype(np.float64)
        if self.resumed is not None:
            np.minimum(age, row - self.resumed, out=age)
        if not self.bars.all():
            age[self.listings.last_bars(self.bars) == UNSEEN] = -1.0
        return age

    @cached_property
    def always_listed(self) -> bool:
        """Whether every name is listed at every row."""
        return bool((self.listings.listed <= 0).all() and self.bars[:1].all())

    @cached_property
    def since_removal(self) -> FloatArray | None:
        """Sessions since a name was archived, `(T, B)`, 1 at that session; None for all active.

        A name is gone, too, once its last bar is more than `STALE` sessions old.
        """
        if self.bars.all() and (self.listings.removed >= len(self.bars)).all():
            return None
        row = np.arange(len(self.close), dtype=np.int64)[:, None]
        stale = row - self.listings.last_bars(self.bars) - STALE - 1
        since: IntArray = np.maximum(row - self.listings.removed, stale) + 1
        return since.astype(np.float64)
