"""Trailing windows over `(T, N)` arrays, causal and NaN-aware, evaluated at chosen rows only.

Every function sees rows up to and including the one asked for, so later rows can change nothing,
bit for bit. Each column is computed alone.
"""

from collections.abc import Callable

import numpy as np

from trading.market.panel import FloatArray
from trading.universe.liquidity import IntArray


def shifted(values: FloatArray, rows: IntArray, back: int) -> FloatArray:
    """Return `values[rows - back]`, `(R, N)`; NaN where that is before the first row."""
    picked = values[np.maximum(rows - back, 0)]
    picked[rows < back] = np.nan
    return picked


def trailing(
    values: FloatArray,
    rows: IntArray,
    window: int,
    least: int,
    statistic: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """Return `statistic` of the `window` values that end at each row, `(R, N)`.

    `statistic` takes `(w, N)` with NaN where unknown and gives `(N,)`. The result is NaN where
    fewer than `least` values are known.
    """
    result = np.full((len(rows), values.shape[1]), np.nan)
    for i, row in enumerate(rows):
        part = values[max(row + 1 - window, 0) : row + 1]
        enough = np.count_nonzero(~np.isnan(part), axis=0) >= least
        result[i] = np.where(enough, statistic(part), np.nan)
    return result


def mean_known(part: FloatArray) -> FloatArray:
    """Return the mean over axis 0 of the known values; NaN where none is."""
    known = ~np.isnan(part)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, part, 0.0).sum(axis=0) / np.count_nonzero(known, axis=0)
    return np.asarray(mean)


def deviation_known(part: FloatArray, ddof: int) -> FloatArray:
    """Return the standard deviation over axis 0 of the known values, in two passes."""
    known = ~np.isnan(part)
    squares = np.where(known, part - mean_known(part), 0.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = squares.sum(axis=0) / np.maximum(known.sum(axis=0) - ddof, 0)
    return np.asarray(np.sqrt(variance))


def exponential_mean(values: FloatArray, alpha: float, least: int) -> FloatArray:
    """Return the exponentially weighted mean at every row, `(T, N)`.

    A value k rows back weighs (1 - alpha)^k; the weights of the known values are normalised to
    one, as pandas' `ewm(alpha, adjust=True, ignore_na=False)` does. NaN where the value itself is
    unknown or fewer than `least` were known so far.
    """
    result = np.full_like(values, np.nan)
    total, weight = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    count = np.zeros(values.shape[1], dtype=np.int64)
    for row, value in enumerate(values):
        known = ~np.isnan(value)
        total = total * (1.0 - alpha) + np.where(known, value, 0.0)
        weight = weight * (1.0 - alpha) + known
        count += known
        ready = known & (count >= least)
        np.divide(total, weight, out=result[row], where=ready)
    return result


def last_known(values: FloatArray, limit: int) -> FloatArray:
    """Return the last known value at each row, `(T, N)`, at most `limit` rows old."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where((last >= 0) & (rows - last <= limit), filled, np.nan)
