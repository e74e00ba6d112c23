"""The shape of a series of returns: asymmetry, tails, gains against losses, calendar months.

As in `metrics`, functions take simple returns `(..., n)` and answer `(...)`; NaN where a figure is
not defined.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import profit_factor, total_return
from trading.backtest.reductions import FloatArray, as_series, mean, one_series, ratio
from trading.errors import DataError

TAIL = 0.05
MonthArray = npt.NDArray[np.datetime64]


def omega(returns: npt.ArrayLike, threshold: float = 0.0) -> FloatArray:
    """Return the gains above a threshold over the shortfalls below it; NaN without a shortfall.

    `threshold` is a simple return of one period; at 0 the figure is the profit factor. Source:
    C. Keating and W. Shadwick, "A Universal Performance Measure" (2002).
    """
    return profit_factor(as_series(returns) - threshold)


def tail_ratio(returns: npt.ArrayLike) -> FloatArray:
    """Return the size of the 95 % quantile over that of the 5 % quantile (linear interpolation).

    NaN without returns and where the 5 % quantile is zero.
    """
    series = as_series(returns)
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    low, high = np.abs(np.quantile(series, (TAIL, 1.0 - TAIL), axis=-1))
    return ratio(high, low)


def skewness(returns: npt.ArrayLike) -> FloatArray:
    """Return the adjusted Fisher-Pearson skewness G1; NaN below 3 returns or without variation.

    Source: D. Joanes and C. Gill, "Comparing Measures of Sample Skewness and Kurtosis" (1998).
    """
    series = as_series(returns)
    n = series.shape[-1]
    if n < 3:
        return np.full(series.shape[:-1], np.nan)
    centred = _standardised(series)
    return np.asarray(mean(centred**3) * sqrt(n * (n - 1)) / (n - 2))


def excess_kurtosis(returns: npt.ArrayLike) -> FloatArray:
    """Return the sample excess kurtosis G2; NaN below 4 returns or without variation.

    Source: as `skewness`.
    """
    series = as_series(returns)
    n = series.shape[-1]
    if n < 4:
        return np.full(series.shape[:-1], np.nan)
    biased = mean(_standardised(series) ** 4) - 3.0
    return np.asarray(((n + 1) * biased + 6.0) * (n - 1) / ((n - 2) * (n - 3)))


def best(returns: npt.ArrayLike) -> FloatArray:
    """Return the highest return; NaN without returns."""
    series = as_series(returns)
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    return np.asarray(series.max(axis=-1))


def worst(returns: npt.ArrayLike) -> FloatArray:
    """Return the lowest return; NaN without returns."""
    return -best(-as_series(returns))


def average_gain(returns: npt.ArrayLike) -> FloatArray:
    """Return the mean of the positive returns; NaN without any."""
    series = as_series(returns)
    gains = np.sum(np.maximum(series, 0.0), axis=-1)
    return ratio(gains, np.sum(series > 0.0, axis=-1).astype(np.float64))


def average_loss(returns: npt.ArrayLike) -> FloatArray:
    """Return the mean size of the negative returns, > 0; NaN without any."""
    return average_gain(-as_series(returns))


def payoff_ratio(returns: npt.ArrayLike) -> FloatArray:
    """Return the average gain over the average loss; NaN without a gain or without a loss."""
    return ratio(average_gain(returns), average_loss(returns))


def expectancy(returns: npt.ArrayLike) -> FloatArray:
    """Return the mean of the returns that are not zero; NaN without any."""
    series = as_series(returns)
    return ratio(series.sum(axis=-1), np.sum(series != 0.0, axis=-1).astype(np.float64))


def monthly_returns(returns: npt.ArrayLike, dates: npt.ArrayLike) -> tuple[MonthArray, FloatArray]:
    """Return the calendar months `(m,)` of a series and the compounded return of each `(m,)`.

    Parameters
    ----------
    returns : (n,) simple returns; NaN ones are left out
    dates : (n,) dates, not decreasing

    Months without a return are absent. Raises `DataError` for impossible returns, another number
    of dates, and dates that run backwards.
    """
    series = one_series(returns)
    stamps = np.asarray(dates).astype("datetime64[D]")
    if stamps.shape != series.shape:
        raise DataError(f"expected a date per return, got {stamps.shape} and {series.shape}")
    if (np.diff(stamps) < np.timedelta64(0, "D")).any():
        raise DataError("the dates of returns must not run backwards; sort them first")
    known = ~np.isnan(series)
    series, months = series[known], stamps[known].astype("datetime64[M]")
    names, starts = np.unique(months, return_index=True)
    parts = np.split(series, starts[1:]) if len(names) else []
    return names, np.array([float(total_return(part)) for part in parts], dtype=np.float64)


def _standardised(series: FloatArray) -> FloatArray:
    """Deviations from the mean over the root of the biased variance; NaN without variation."""
    constant = np.ptp(series, axis=-1, keepdims=True) == 0.0
    centred = series - series.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True))
    return ratio(centred, np.where(constant, 0.0, spread))
