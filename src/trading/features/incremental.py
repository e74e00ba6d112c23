"""The features of new sessions, from what has to be kept of the old ones."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from trading.errors import DataError
from trading.features.compute import MEMORY, Features, features_after
from trading.features.exponential import Remembered
from trading.features.listings import ESTABLISHED, LONG_AGO, UNSEEN, Listings
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.liquidity import NEVER, IntArray


@dataclass(frozen=True, eq=False)
class FeatureHistory:
    """All that the features of later sessions depend on; `append` leaves it as it is.

    The features that it gives for a session are those that `compute_features` gives for the whole
    panel, bit for bit, as long as no bar of the past is restated; after a restatement (a split, a
    repair) begin again with `of`.

    Attributes
    ----------
    panel : the last `MEMORY` sessions, or all where there are fewer
    listings : as of the first session of `panel`
    past : what the exponential means remember after its last session
    dropped : sessions before `panel`

    Examples
    --------
    >>> history, features = FeatureHistory.of(panel).append(today)  # doctest: +SKIP
    >>> features.shape  # doctest: +SKIP
    (1, 3000, 17)
    """

    panel: Panel
    listings: Listings
    past: Remembered
    dropped: int

    @classmethod
    def of(
        cls, panel: Panel, listed: IntArray | None = None, removed: IntArray | None = None
    ) -> Self:
        """Return the history of a panel; `listed` and `removed` as in `compute_features`."""
        listings = Listings.of_panel(panel, listed, removed)
        past = Remembered.nothing(len(panel.symbols))
        last = np.array([len(panel.sessions) - 1], dtype=np.int64)
        features_after(panel, last[last >= 0], listings, past)
        return cls._kept(panel, listings, past, 0)

    def append(self, bars: Panel) -> tuple["FeatureHistory", Features]:
        """Return the history with the sessions of `bars`, and their features `(k, N, 17)`.

        The N names are those of the returned history's panel: the names so far, then those that
        `bars` hold for the first time. A name that `bars` lack has no bar.

        Raises
        ------
        DataError
            `bars` do not begin after the last session of the history.
        """
        sessions = self.panel.sessions
        if len(sessions) and len(bars.sessions) and bars.sessions[0] <= sessions[-1]:
            raise DataError(
                f"sessions from {bars.sessions[0]} on were appended to features through "
                f"{sessions[-1]}; append later sessions, or begin again with FeatureHistory.of"
            )
        joined, source = _joined(self.panel, bars)
        first = len(sessions)
        listings = _with_new(self.listings.of_names(source), joined, self.dropped)
        past = self.past.of(source)
        rows = np.arange(first, len(joined.sessions), dtype=np.int64)
        features = features_after(joined, rows, listings, past, first)
        return self._kept(joined, listings, past, self.dropped), features

    @classmethod
    def _kept(cls, panel: Panel, listings: Listings, past: Remembered, dropped: int) -> Self:
        """Keep no more of a panel than is needed."""
        older = max(len(panel.sessions) - MEMORY, 0)
        kept = {name: getattr(panel, name)[older:].copy() for name in FIELDS}
        return cls(
            Panel(panel.sessions[older:], panel.symbols, **kept),
            listings.after(~np.isnan(panel.close[:older])),
            past,
            dropped + older,
        )


def _joined(panel: Panel, bars: Panel) -> tuple[Panel, IntArray]:
    """Return both, one after the other, and for each name its column in `panel`, -1 for none."""
    known = set(panel.symbols)
    symbols = panel.symbols + tuple(s for s in bars.symbols if s and s not in known)
    later = bars.select(symbols)
    older = panel.select(symbols) if len(symbols) > len(panel.symbols) else panel
    fields = {name: np.concatenate([getattr(older, name), getattr(later, name)]) for name in FIELDS}
    source = np.arange(len(symbols), dtype=np.int64)
    source[len(panel.symbols) :] = -1
    sessions = np.concatenate([panel.sessions, bars.sessions])
    return Panel(sessions, symbols, **fields), source


def _with_new(listings: Listings, panel: Panel, dropped: int) -> Listings:
    """Return the listings with the names whose first bar lies in `panel`."""
    bars = ~np.isnan(panel.close)
    first = np.argmax(bars, axis=0).astype(np.int64) if len(bars) else listings.listed
    begun = np.where(first + dropped < ESTABLISHED, -LONG_AGO - dropped, first)
    new = (listings.listed == NEVER) & (listings.last_bar == UNSEEN) & bars.any(axis=0)
    listed = np.where(new, begun, listings.listed)
    return Listings(listed, listings.removed, listings.last_bar, listings.resumed)
