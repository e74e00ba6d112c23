"""The 17 features of every name at chosen sessions, computed for the whole panel at once.

See `specification.FEATURES` for what each is. What a missing or strange bar does:

- **no bar**: prices count as the last known for at most `STALE` sessions, then as unknown; volume,
  value traded and the daily return of that session are unknown and left out of means. The first
  bar after a gap carries the return over the gap.
- **zero volume**: counts as no volume in means of volume, as no value traded in the median, and is
  left out of the illiquidity mean, where it would divide by zero.
- **a gap of more than 63 sessions**: what lies before it may be another company, so returns over
  it are unknown and a new listing begins.
- **unknown in the window**: a mean, median, deviation or high needs two thirds of its window, else
  it is NaN. A price that is not positive and finite is unknown, and so is the logarithm of nothing
  (no volume or no move in a month).

Windows look back `MEMORY` sessions at most. What features say of the time before is kept in
`Listings` and `Remembered`: from these and the last `MEMORY` sessions follow the features of the
next one, bit for bit (`incremental.FeatureHistory`).
"""

import importlib.util

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.features.block import Block, Patterns
from trading.features.exponential import Remembered, macd_histogram, relative_strength
from trading.features.formulas import YEAR, formulas
from trading.features.listings import Listings
from trading.features.returns import LONGEST_GAP, STALE, positive
from trading.features.specification import FEATURE_NAMES
from trading.features.windows import last_known
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import IntArray

Features = npt.NDArray[np.float32]

COLUMNS = 64
"""Names computed at once: their rows stay in the processor's cache."""
COMPILED_CELLS = 4_000_000
"""Cells of a panel from which on its features are computed by the compiled formulas."""
MEMORY = YEAR + LONGEST_GAP + STALE
"""Sessions before a row that its windows, and the prices carried into them, reach back at most."""


def compute_features(
    panel: Panel,
    rows: IntArray,
    listed: IntArray | None = None,
    removed: IntArray | None = None,
) -> Features:
    """Return the features at `rows`, `(len(rows), N, 17)` float32, unscaled, NaN where unknown.

    Each feature lies in memory as one `(len(rows), N)` plane.

    Parameters
    ----------
    panel : bars; no session after a row is looked at for that row
    rows : rows of the panel, `(R,)`
    listed : `(N,)` int64, the row of each name's listing, negative for that many sessions before
        the panel; `listing_rows` where it is not given
    removed : `(N,)` int64, the row from which on a name is archived, `NEVER` for none

    Raises
    ------
    DataError
        A row lies outside the panel.
    """
    past = Remembered.nothing(len(panel.symbols))
    return features_after(panel, rows, Listings.of_panel(panel, listed, removed), past)


def features_after(
    panel: Panel, rows: IntArray, listings: Listings, past: Remembered, first: int = 0
) -> Features:
    """Return the features at `rows` of a panel that goes on from `listings` and `past`.

    See `compute_features`, the case of a panel before which nothing is known. The rows before
    `first` are the tail that windows look back at: `listings` and `past` are as of row 0 and of row
    `first`; `past` goes on to the last of `rows`.
    """
    sessions, names = panel.shape
    rows = np.asarray(rows, dtype=np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < sessions):
        raise DataError(
            f"rows {rows.min()} to {rows.max()} were asked of a panel of {sessions} sessions; "
            f"expected 0 to {sessions - 1}"
        )
    planes = np.empty((len(FEATURE_NAMES), len(rows), names), dtype=np.float32)
    if not len(rows):
        return planes.transpose(1, 2, 0)
    known = panel.rows(slice(0, int(rows.max()) + 1))
    whole = len(rows) == len(known.sessions) and bool((np.diff(rows) == 1).all())
    chosen = slice(None) if whole else rows
    plane = dict(zip(FEATURE_NAMES, planes, strict=True))
    # What a division by zero, an overflow or a logarithm of zero gives is not finite: unknown.
    with np.errstate(all="ignore"):
        if whole and not first and _is_compiled(len(rows), names):
            from trading.features.kernel_panel import fill_planes

            fill_planes(known, listings, past, planes)
            return planes.transpose(1, 2, 0)
        price = _carried(known.adjusted_close)
        for name, recurrence in (("rsi_14", relative_strength), ("macd_histogram", macd_histogram)):
            values = recurrence(price[first:], past)
            _store(values[chosen if whole else rows - first], plane[name])
        patterns: Patterns = {}
        for start in range(0, names, COLUMNS):
            columns = slice(start, start + COLUMNS)
            block = Block.cut(known, price, columns, listings, patterns)
            for name, values in formulas(block):
                _store(values[chosen], plane[name][:, columns])
    return planes.transpose(1, 2, 0)


def _is_compiled(rows: int, names: int) -> bool:
    """Tell whether every row of so many is computed by the compiled formulas: the one choice.

    They give the same bits. numba is no part of the images that serve, and takes seconds to
    compile once per machine: what a month asks, its decisions' rows, is numpy's everywhere.
    """
    return rows * names >= COMPILED_CELLS and importlib.util.find_spec("numba") is not None


def _carried(adjusted_close: FloatArray) -> FloatArray:
    """Return the last price known, at most `STALE` rows old; the array itself without gaps."""
    carried = adjusted_close
    for start in range(0, adjusted_close.shape[1], COLUMNS):
        columns = slice(start, start + COLUMNS)
        found = positive(np.ascontiguousarray(adjusted_close[:, columns]))
        if np.isnan(found).any():
            carried = adjusted_close.copy() if carried is adjusted_close else carried
            carried[:, columns] = last_known(found, STALE)
    return carried


def _store(values: FloatArray, plane: Features) -> None:
    """Round to single precision; infinite is unknown, and every unknown has the same bits."""
    plane[:] = values
    finite = np.isfinite(plane)
    if not finite.all():
        plane[~finite] = np.nan
