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

from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

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
    series = np.asarray(net_returns, dtype=np.float64)
    if series.ndim != 1:
        raise DataError(f"expected one series of returns (n,), got an array of {series.shape}")
    missing = int(np.isnan(series).sum())
    series = series[~np.isnan(series)]
    if not np.isfinite(series).all() or (series < -1.0).any():
        raise DataError("a return is infinite or below -100 %; check the prices behind it")
    year = periods_per_year
    return Performance(
        observations=len(series),
        missing=missing,
        total_return=_plain(total_return(series)),
        cagr=_plain(cagr(series, year)),
        volatility=_plain(volatility(series, year)),
        sharpe=_plain(sharpe(series, year)),
        sharpe_error=_plain(sharpe_error(series, year)),
        sortino=_plain(sortino(series, year)),
        max_drawdown=_plain(max_drawdown(series)),
        calmar=_plain(calmar(series, year)),
        win_rate=_plain(win_rate(series)),
        profit_factor=_plain(profit_factor(series)),
    )


def total_return(returns: npt.ArrayLike) -> FloatArray:
    """Return the compounded return; NaN without returns."""
    series = _series(returns)
    compounded = np.prod(1.0 + series, axis=-1) - 1.0
    return np.where(series.shape[-1] == 0, np.nan, compounded)


def cagr(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the compounded annual growth rate; NaN without returns."""
    series = _series(returns)
    periods = series.shape[-1]
    growth = 1.0 + total_return(series)
    return np.asarray(np.power(growth, periods_per_year / max(periods, 1)) - 1.0)


def volatility(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised standard deviation (n - 1); NaN with fewer than two returns."""
    return _deviation(_series(returns)) * sqrt(periods_per_year)


def sharpe(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised Sharpe ratio; NaN without variation (W. Sharpe, 1994)."""
    series = _series(returns)
    return _ratio(_mean(series), _deviation(series)) * sqrt(periods_per_year)


def sharpe_error(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the standard error of the annualised Sharpe ratio for independent returns.

    sqrt((1 + SR^2 / 2) / n) for the ratio of one period (A. Lo, "The Statistics of Sharpe Ratios",
    2002), annualised as the ratio is.
    """
    series = _series(returns)
    single = sharpe(series, 1.0)
    periods = max(series.shape[-1], 1)
    return np.asarray(np.sqrt((1.0 + 0.5 * single**2) * periods_per_year / periods))


def sortino(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annualised Sortino ratio against zero; NaN without a loss.

    The downside deviation is the root mean square of the losses over all periods (F. Sortino and
    R. van der Meer, 1991).
    """
    series = _series(returns)
    downside = np.sqrt(_mean(np.minimum(series, 0.0) ** 2))
    return _ratio(_mean(series), downside) * sqrt(periods_per_year)


def max_drawdown(returns: npt.ArrayLike) -> FloatArray:
    """Return the largest loss from a peak, 0..1, the start counted as a peak; NaN without returns.

    A wealth that is lost altogether is a drawdown of 1.
    """
    series = _series(returns)
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    wealth = np.cumprod(1.0 + series, axis=-1)
    peaks = np.maximum(np.maximum.accumulate(wealth, axis=-1), 1.0)
    return np.asarray(np.max(1.0 - wealth / peaks, axis=-1))


def calmar(returns: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR) -> FloatArray:
    """Return the annual growth rate over the maximum drawdown; NaN without a drawdown."""
    return _ratio(cagr(returns, periods_per_year), max_drawdown(returns))


def win_rate(returns: npt.ArrayLike) -> FloatArray:
    """Return the share of positive returns among those that are not zero; NaN without any."""
    series = _series(returns)
    wins = np.sum(series > 0.0, axis=-1).astype(np.float64)
    return _ratio(wins, np.sum(series != 0.0, axis=-1).astype(np.float64))


def profit_factor(returns: npt.ArrayLike) -> FloatArray:
    """Return the sum of gains over the sum of losses; NaN without a loss."""
    series = _series(returns)
    gains = np.sum(np.maximum(series, 0.0), axis=-1)
    return _ratio(gains, np.sum(np.maximum(-series, 0.0), axis=-1))


def annual_turnover(turnover: npt.ArrayLike, rebalances_per_year: float = MONTHS_PER_YEAR) -> float:
    """Return the mean one-way turnover `(n,)` of a rebalance, per year; NaN without any."""
    return float(_mean(_series(turnover)) * rebalances_per_year)


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


def _series(returns: npt.ArrayLike) -> FloatArray:
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim == 0:
        raise DataError("expected a series of returns (..., n), got a single number")
    return series


def _mean(series: FloatArray) -> FloatArray:
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    return np.asarray(series.mean(axis=-1))


def _deviation(series: FloatArray) -> FloatArray:
    """Sample standard deviation, exactly zero for a constant series."""
    if series.shape[-1] < 2:
        return np.full(series.shape[:-1], np.nan)
    constant = np.ptp(series, axis=-1) == 0.0
    return np.where(constant, 0.0, series.std(axis=-1, ddof=1))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    defined = denominator > 0.0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def _plain(figure: FloatArray) -> float | None:
    value = float(figure)
    return value if np.isfinite(value) else None
