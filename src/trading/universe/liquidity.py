"""How much a name trades, and whether it still trades, as known at a row of a panel."""

import numpy as np
import numpy.typing as npt

from trading.market.panel import FloatArray, Panel

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max


def dollar_volume(panel: Panel) -> FloatArray:
    """Return close x volume, `(T, N)` USD; NaN where either is unknown, 0 where nothing traded."""
    return panel.close * panel.volume


def median_known(values: FloatArray) -> FloatArray:
    """Return the median over axis 0 of the known values, `(N,)`; NaN where none is known.

    Equal to `numpy.nanmedian`, which takes a slow path for arrays of this shape.
    """
    ordered = np.sort(values, axis=0)
    known = np.count_nonzero(~np.isnan(ordered), axis=0)
    columns = np.arange(values.shape[1])
    last = max(len(values) - 1, 0)
    low = ordered[np.clip((known - 1) // 2, 0, last), columns]
    high = ordered[np.clip(known // 2, 0, last), columns]
    return np.where(known > 0, (low + high) / 2.0, np.nan)


def median_dollar_volume(panel: Panel, row: int, window: int) -> FloatArray:
    """Return the median daily value traded over the `window` sessions that end at `row`.

    `(N,)` USD. Sessions without a bar are left out; with fewer than half the window known the
    median is NaN. A shorter panel counts as a shorter window.
    """
    values = dollar_volume(panel.rows(slice(max(row + 1 - window, 0), row + 1)))
    known = np.count_nonzero(~np.isnan(values), axis=0)
    return np.where(2 * known >= len(values), median_known(values), np.nan)


def last_bar_rows(panel: Panel) -> IntArray:
    """Return `(T, N)` int64: the row of the last bar at or before each row, -1 where none is."""
    rows = np.arange(len(panel.sessions), dtype=np.int64)[:, None]
    return np.maximum.accumulate(np.where(np.isnan(panel.close), -1, rows), axis=0)


def sessions_since_bar(panel: Panel, row: int) -> IntArray:
    """Return `(N,)` int64: sessions since the last bar at or before `row`; `NEVER` without one."""
    known = ~np.isnan(panel.close[: row + 1])
    since = np.argmax(known[::-1], axis=0).astype(np.int64)
    return np.where(known.any(axis=0), since, NEVER)


def descending(values: FloatArray, symbols: npt.NDArray[np.str_]) -> IntArray:
    """Return the order of `values`, the largest first, ties by symbol, NaN last; `(N,)` int64."""
    return np.lexsort((symbols, -values))
