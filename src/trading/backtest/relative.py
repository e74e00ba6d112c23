"""Figures against a benchmark: what the market explains, what it does not, and the captures.

Functions take simple net returns of the portfolio and of the benchmark over the same periods,
`(..., n)`, and answer `(...)`. `compare` gives all figures of one pair of series.
"""

from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import SESSIONS_PER_YEAR, cagr, total_return
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


@dataclass(frozen=True, slots=True)
class Relative:
    """The figures of a portfolio against a benchmark; None is "no data".

    Attributes
    ----------
    observations, missing : periods that both have, and those that one of them lacks
    benchmark_return, excess_return : compounded; portfolio less benchmark
    alpha : annualised Jensen's alpha; beta : slope against the benchmark
    correlation : Pearson, -1..1
    tracking_error : annualised deviation of the active return
    information_ratio : annualised active return over the tracking error
    up_capture, down_capture : annual growth over the benchmark's, in its rising and falling periods
    """

    observations: int
    missing: int
    benchmark_return: float | None
    excess_return: float | None
    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None
    up_capture: float | None
    down_capture: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def compare(
    net_returns: npt.ArrayLike,
    benchmark_returns: npt.ArrayLike,
    periods_per_year: float = SESSIONS_PER_YEAR,
) -> Relative:
    """Return the figures of one series of simple net returns `(n,)` against a benchmark's `(n,)`.

    Periods in which either is NaN are left out and counted. Raises `DataError` for series of
    different lengths, an infinite return or one below -100 %.
    """
    own, market = one_series(net_returns), one_series(benchmark_returns)
    own, market = _pair(own, market)
    known = ~(np.isnan(own) | np.isnan(market))
    used, year = int(known.sum()), periods_per_year
    own, market = own[known], market[known]
    return Relative(
        observations=used,
        missing=len(known) - used,
        benchmark_return=plain(total_return(market)),
        excess_return=plain(total_return(own) - total_return(market)),
        alpha=plain(alpha(own, market, year)),
        beta=plain(beta(own, market)),
        correlation=plain(correlation(own, market)),
        tracking_error=plain(tracking_error(own, market, year)),
        information_ratio=plain(information_ratio(own, market, year)),
        up_capture=plain(up_capture(own, market, year)),
        down_capture=plain(down_capture(own, market, year)),
    )


def beta(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> FloatArray:
    """Return covariance over the benchmark's variance; NaN where the benchmark does not vary."""
    own, market = _pair(returns, benchmark)
    return ratio(_covariance(own, market), deviation(market) ** 2)


def alpha(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> FloatArray:
    """Return the mean return that beta does not explain, times the periods of a year.

    NaN where beta is. The risk-free rate is zero. Source: M. Jensen, "The Performance of Mutual
    Funds in the Period 1945-1964" (1968).
    """
    own, market = _pair(returns, benchmark)
    return (mean(own) - beta(own, market) * mean(market)) * periods_per_year


def correlation(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> FloatArray:
    """Return Pearson's correlation, -1..1; NaN where either series does not vary."""
    own, market = _pair(returns, benchmark)
    found = ratio(_covariance(own, market), deviation(own) * deviation(market))
    return np.clip(found, -1.0, 1.0)


def tracking_error(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> FloatArray:
    """Return the annualised deviation of the active return; NaN below two returns."""
    own, market = _pair(returns, benchmark)
    return deviation(own - market) * sqrt(periods_per_year)


def information_ratio(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> FloatArray:
    """Return the annualised mean active return over the tracking error; NaN without one.

    Source: R. Grinold and R. Kahn, "Active Portfolio Management" (2000).
    """
    own, market = _pair(returns, benchmark)
    active = own - market
    return ratio(mean(active), deviation(active)) * sqrt(periods_per_year)


def up_capture(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> FloatArray:
    """Return the annual growth rate over the benchmark's, in the periods in which that one rose.

    NaN where there is no such period.
    """
    own, market = _pair(returns, benchmark)
    return _capture(own, market, market > 0.0, periods_per_year)


def down_capture(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float = SESSIONS_PER_YEAR
) -> FloatArray:
    """Return the annual growth rate over the benchmark's, in the periods in which that one fell.

    Below 1: the portfolio lost less. NaN where there is no such period.
    """
    own, market = _pair(returns, benchmark)
    return _capture(own, market, market < 0.0, periods_per_year)


def _capture(
    own: FloatArray, market: FloatArray, which: npt.NDArray[np.bool_], year: float
) -> FloatArray:
    found = np.full(which.shape[:-1], np.nan)
    for index in np.ndindex(which.shape[:-1]):
        picked = which[index]
        if picked.any():
            base = cagr(market[index][picked], year)
            found[index] = cagr(own[index][picked], year) / base
    return found


def _covariance(own: FloatArray, market: FloatArray) -> FloatArray:
    """Sample covariance; exactly zero where either series is constant."""
    n = own.shape[-1]
    if n < 2:
        return np.full(own.shape[:-1], np.nan)
    constant = (np.ptp(own, axis=-1) == 0.0) | (np.ptp(market, axis=-1) == 0.0)
    centred = own - own.mean(axis=-1, keepdims=True)
    sums = np.sum(centred * (market - market.mean(axis=-1, keepdims=True)), axis=-1)
    return np.where(constant, 0.0, sums / (n - 1))


def _pair(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    own, market = as_series(returns), as_series(benchmark)
    if own.shape[-1] != market.shape[-1]:
        raise DataError(
            f"the portfolio has {own.shape[-1]} returns, the benchmark {market.shape[-1]}; "
            "give both over the same periods"
        )
    own, market = np.broadcast_arrays(own, market)
    return own, market
