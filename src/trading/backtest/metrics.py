"""The performance figures: every return, risk and ratio shown anywhere is computed here.

The functions take simple net returns of equal periods along the last axis, `(..., n)`, and answer
`(...)`; a figure that the returns do not define (too few of them, no variation, no loss) is NaN.
`summarize` gives all of them for one series, with None for "no data".

Annualised figures multiply means by `periods_per_year` and deviations by its square root. The
risk-free rate is zero: the portfolio's cash earns nothing either.
"""

from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trading.backtest.reductions import (
    FloatArray,
    as_series,
    deviation,
    mean,
    one_series,
    plain,
    ratio,
)
from trading.errors import DataError

SESSIONS_PER_YEAR = 252
MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Performance:
    """The figures of one series of net returns; None is "no data".

    Attributes
    ----------
    observations, missing : returns used, and NaN ones left out
    total_return, cagr : compounded, over all periods and a year
    volatility, sharpe, sortino : annualised
    sharpe_error : standard error of the annualised Sharpe ratio (Lo, 2002)
    max_drawdown : largest loss from a peak, 0..1
    calmar : cagr / max_drawdown
    win_rate : share of positive returns among those that are not zero
    profit_factor : sum of gains / sum of losses
    """

    observations: int
    missing: int
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    max_drawdown: float | None
    calmar: float | None
    win_rate: float | None
    profit_factor: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def summarize(
    net_returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> Performance:
    """Return the figures of one series of simple net returns `(n,)`.

    NaN returns are left out and counted; an infinite one, or one below -100 %, raises `DataError`.
    """
    series = one_series(net_returns)
    missing = int(np.isnan(series).sum())
    series = series[~np.isnan(series)]
    year = periods_per_year
    return Performance(
        observations=len(series),
        missing=missing,
        total_return=plain(total_return(series)),
        cagr=plain(cagr(series, year)),
        volatility=plain(volatility(series, year)),
        sharpe=plain(sharpe(series, year)),
        sharpe_error=plain(sharpe_error(series, year)),
        sortino=plain(sortino(series, year)),
        max_drawdown=plain(max_drawdown(series)),
        calmar=plain(calmar(series, year)),
        win_rate=plain(win_rate(series)),
        profit_factor=plain(profit_factor(series)),
    )


def total_return(returns: npt.ArrayLike) -> FloatArray:
    """Return the compounded return; NaN without returns."""
    series = as_series(returns)
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    return np.asarray(np.multiply.reduce(1.0 + series, axis=-1) - 1.0)


def cagr(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the compounded annual growth rate; NaN without returns."""
    series = as_series(returns)
    periods = series.shape[-1]
    growth = 1.0 + total_return(series)
    return np.asarray(np.power(growth, periods_per_year / max(periods, 1)) - 1.0)


def volatility(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised standard deviation (n - 1); NaN with fewer than two returns."""
    return deviation(as_series(returns)) * sqrt(periods_per_year)


def sharpe(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised Sharpe ratio; NaN without variation (W. Sharpe, 1994)."""
    series = as_series(returns)
    return ratio(mean(series), deviation(series)) * sqrt(periods_per_year)


def sharpe_error(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the standard error of the annualised Sharpe ratio for independent returns.

    sqrt((1 + SR^2 / 2) / n) for the ratio of one period (A. Lo, "The Statistics of Sharpe Ratios",
    2002), annualised as the ratio is.
    """
    series = as_series(returns)
    single = sharpe(series, 1.0)
    periods = max(series.shape[-1], 1)
    return np.asarray(np.sqrt((1.0 + 0.5 * single**2) * periods_per_year / periods))


def sortino(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised Sortino ratio against zero; NaN without a loss.

    The downside deviation is the root mean square of the losses over all periods (F. Sortino and
    R. van der Meer, 1991).
    """
    series = as_series(returns)
    downside = np.sqrt(mean(np.minimum(series, 0.0) ** 2))
    return ratio(mean(series), downside) * sqrt(periods_per_year)


def max_drawdown(returns: npt.ArrayLike) -> FloatArray:
    """Return the largest loss from a peak, 0..1, the start counted as a peak; NaN without returns.

    A wealth that is lost altogether is a drawdown of 1.
    """
    losses = drawdown_series(returns)
    if losses.shape[-1] == 0:
        return np.full(losses.shape[:-1], np.nan)
    return np.asarray(np.maximum.reduce(losses, axis=-1))


def drawdown_series(returns: npt.ArrayLike) -> FloatArray:
    """Return the loss from the highest wealth so far `(..., n)`, 0..1; the start is a peak too."""
    wealth = np.multiply.accumulate(1.0 + as_series(returns), axis=-1)
    peaks = np.maximum(np.maximum.accumulate(wealth, axis=-1), 1.0)
    return np.asarray(1.0 - wealth / peaks)


def calmar(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annual growth rate over the maximum drawdown; NaN without a drawdown."""
    return ratio(cagr(returns, periods_per_year), max_drawdown(returns))


def win_rate(returns: npt.ArrayLike) -> FloatArray:
    """Return the share of positive returns among those that are not zero; NaN without any."""
    series = as_series(returns)
    wins = np.sum(series > 0.0, axis=-1).astype(np.float64)
    return ratio(wins, np.sum(series != 0.0, axis=-1).astype(np.float64))


def profit_factor(returns: npt.ArrayLike) -> FloatArray:
    """Return the sum of gains over the sum of losses; NaN without a loss."""
    series = as_series(returns)
    gains = np.sum(np.maximum(series, 0.0), axis=-1)
    return ratio(gains, np.sum(np.maximum(-series, 0.0), axis=-1))


def annual_turnover(turnover: npt.ArrayLike, rebalances_per_year: float = MONTHS_PER_YEAR) -> float:
    """Return the mean one-way turnover `(n,)` of a rebalance, per year; NaN without any."""
    return float(mean(as_series(turnover)) * rebalances_per_year)


def wilson_interval(
    successes: int, trials: int, level: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
    """Return the Wilson score interval of a proportion; (None, None) without trials.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference"
    (1927).
    """
    if not 0 <= successes <= trials:
        raise DataError(f"expected 0 <= successes <= trials, got {successes} of {trials}")
    if trials == 0:
        return None, None
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    share = successes / trials
    scale = 1.0 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / scale
    low = centre - half if successes else 0.0
    high = centre + half if successes < trials else 1.0
    return low, high
