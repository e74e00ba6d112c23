"""Mean and deviation of the returns that end with given bars, one name at a time, compiled."""

from math import inf, isnan, nan, sqrt

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@compiled
def trailing_moments(
    prices: FloatArray, rows: IntArray, columns: IntArray, window: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and sample deviation (n - 1) of the last `window` simple returns at E bars.

    Each of the E pairs is computed on its own in two passes, so that what it answers depends on its
    `window + 1` prices only, to the last bit. A return is missing where one of its two prices is
    missing, infinite or not positive.

    Parameters
    ----------
    prices : (T, N) adjusted closes, NaN where missing
    rows, columns : (E,) the last bar and the name of each window
    window : returns in a window, at least 2

    Returns
    -------
    (mean, deviation) : (E,) each, per bar; NaN before `window` returns can exist, and where fewer
    than half of them, or fewer than two, are known
    """
    mean = np.full(len(rows), nan)
    deviation = np.full(len(rows), nan)
    returns = np.empty(window)
    for event in range(len(rows)):
        last, name = rows[event], columns[event]
        if last < window:
            continue
        known, total = 0, 0.0
        before = prices[last - window, name]
        for row in range(last - window + 1, last + 1):
            price = prices[row, name]
            usable = 0.0 < price < inf and 0.0 < before < inf
            value = price / before - 1.0 if usable else nan
            before = price
            if not isnan(value):
                returns[known] = value
                known += 1
                total += value
        if known < 2 or 2 * known < window:
            continue
        average = total / known
        squares = 0.0
        for one in range(known):
            squares += (returns[one] - average) ** 2
        mean[event] = average
        deviation[event] = sqrt(squares / (known - 1))
    return mean, deviation
