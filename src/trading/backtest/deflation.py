"""The deflated Sharpe ratio: what is left of a Sharpe ratio after the number of tries behind it."""

from dataclasses import dataclass
from math import e, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trading.backtest.distribution import excess_kurtosis, skewness
from trading.backtest.metrics import SESSIONS_PER_YEAR, sharpe
from trading.backtest.reductions import one_series
from trading.errors import DataError

EULER = 0.5772156649015329
MIN_RETURNS = 30


@dataclass(frozen=True, slots=True)
class Trials:
    """How many recipes were tried before the one that is judged, that one included.

    Attributes
    ----------
    count : at least 1
    sharpe_deviation : standard deviation of the trials' annualised Sharpe ratios; None where it was
        not kept, then what trials without any skill would show is taken
    """

    count: int = 1
    sharpe_deviation: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise DataError(f"at least one trial was made, got {self.count}")
        spread = self.sharpe_deviation
        if spread is not None and not (np.isfinite(spread) and spread >= 0.0):
            raise DataError(f"a deviation of Sharpe ratios is at least 0, got {spread}")

    @classmethod
    def recorded(cls, count: int, sharpe_deviation: float | None) -> "Trials":
        """Return the trials that were recorded; one where there was none."""
        return cls(max(count, 1), sharpe_deviation)


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """A Sharpe ratio against the best that so many trials without skill would show.

    Attributes
    ----------
    sharpe : annualised
    threshold : annualised, the expected best of the trials were none of them skilled
    probability : that the true ratio exceeds `threshold`, 0..1: the deflated Sharpe ratio
    trials : how many
    """

    sharpe: float
    threshold: float
    probability: float
    trials: int


def expected_best(trials: int, deviation: float) -> float:
    """Return the expected largest of `trials` normal ratios of mean 0 and this deviation.

    sigma ((1 - gamma) Z(1 - 1/n) + gamma Z(1 - 1/(n e))), gamma Euler's constant: D. Bailey and
    M. Lopez de Prado, "The Deflated Sharpe Ratio" (2014). 0 for a single trial.
    """
    if trials < 1:
        raise DataError(f"at least one trial was made, got {trials}")
    if trials == 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    best = (1.0 - EULER) * quantile(1.0 - 1.0 / trials)
    return deviation * (best + EULER * quantile(1.0 - 1.0 / (trials * e)))


def deflated_sharpe(
    returns: npt.ArrayLike, trials: Trials, periods_per_year: float = SESSIONS_PER_YEAR
) -> DeflatedSharpe | None:
    """Return the deflated Sharpe ratio of a series of (active) returns.

    Z((SR - SR0) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)), SR of one period, g3 and g4
    skewness and kurtosis, SR0 = `expected_best` (Bailey and Lopez de Prado, 2014).

    Parameters
    ----------
    returns : (n,) simple returns, NaN ones are left out
    trials : the tries; without a known deviation their ratios are taken to scatter as estimates of
        zero do, by 1 / sqrt(n - 1) a period
    periods_per_year : of the returns

    Returns
    -------
    None with fewer than `MIN_RETURNS` returns, or where they do not vary.
    """
    series = one_series(returns)
    series = series[~np.isnan(series)]
    n = len(series)
    if n < MIN_RETURNS or np.ptp(series) == 0.0:
        return None
    year = sqrt(periods_per_year)
    single = float(sharpe(series, 1.0))
    spread = trials.sharpe_deviation
    deviation = 1.0 / sqrt(n - 1) if spread is None else spread / year
    threshold = expected_best(trials.count, deviation)
    shape = 1.0 - float(skewness(series)) * single
    shape += (float(excess_kurtosis(series)) + 2.0) / 4.0 * single**2
    score = (single - threshold) * sqrt(n - 1) / sqrt(max(shape, 1e-12))
    return DeflatedSharpe(
        sharpe=single * year,
        threshold=threshold * year,
        probability=NormalDist().cdf(score),
        trials=trials.count,
    )
