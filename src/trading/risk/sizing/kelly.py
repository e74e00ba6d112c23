"""The Kelly criterion: the fraction that makes wealth grow fastest, taken in part and capped."""

import numpy as np
import numpy.typing as npt
from pydantic import Field

from trading.errors import RiskError
from trading.market.market_data import MarketData
from trading.risk.correlation import LEAST_DEVIATION
from trading.risk.sizing.base import FloatArray, IntArray, NameSizer
from trading.risk.sizing.registry import register
from trading.risk.sizing.trailing import trailing_moments
from trading.strategy.base import Parameters


def kelly_bet(win_probability: npt.ArrayLike, payoff: npt.ArrayLike) -> FloatArray:
    """Return the fraction to stake on a bet: `p - (1 - p) / b`, at least 0.

    Parameters
    ----------
    win_probability : (...) p, 0..1
    payoff : (...) b, gained for each unit staked if won, > 0; the stake is lost otherwise

    Source: J. L. Kelly, "A New Interpretation of Information Rate" (1956). NaN stays NaN;
    `RiskError` for a probability outside 0..1 or a payoff that is not positive.
    """
    p, b = np.asarray(win_probability, np.float64), np.asarray(payoff, np.float64)
    if ((p < 0.0) | (p > 1.0)).any() or (b <= 0.0).any():
        raise RiskError("a Kelly bet needs probabilities within 0..1 and payoffs above 0")
    return np.asarray(np.maximum(p - (1.0 - p) / b, 0.0))


def kelly_weight(mean: npt.ArrayLike, deviation: npt.ArrayLike) -> FloatArray:
    """Return the Kelly fraction of an asset in continuous time: `mean / deviation^2`.

    Parameters
    ----------
    mean, deviation : (...) excess return and volatility over the same period

    Source: E. Thorp, "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market"
    (2006). NaN where either is NaN or the deviation is not above `LEAST_DEVIATION`: without risk
    the criterion has no answer.
    """
    mu, sigma = np.asarray(mean, np.float64), np.asarray(deviation, np.float64)
    known = sigma > LEAST_DEVIATION
    return np.where(known, mu / np.where(known, sigma, 1.0) ** 2, np.nan)


class KellyParameters(Parameters):
    """The parameters of `KellyCriterion`."""

    fraction: float = Field(
        0.5, gt=0.0, le=1.0, description="Share of the full Kelly fraction; 0.5 is half Kelly."
    )
    window: int = Field(252, ge=2, le=2520, description="Bars of returns behind mean and variance.")
    max_weight: float = Field(0.2, gt=0.0, le=10.0, description="Largest weight of a name.")


@register
class KellyCriterion(NameSizer):
    """weight = exposure * min(fraction * edge / variance, max_weight), never against the edge.

    The edge is the mean of the last `window` returns of adjusted closes, for a short exposure its
    negative; cash earns nothing, so it is the excess return. Where the edge is not positive, not
    known (fewer than half of the returns) or without variance, the weight is 0. The estimate of a
    mean from a year of returns is poor: the fraction and the cap are what make the rule bearable.
    """

    name = "kelly"
    parameters_type = KellyParameters
    parameters: KellyParameters

    @property
    def lookback(self) -> int:
        """The window's returns and the bar before them."""
        return self.parameters.window + 1

    def weights(
        self, data: MarketData, rows: IntArray, columns: IntArray, exposures: FloatArray
    ) -> FloatArray:
        """Return the `exposures` times the capped fraction of Kelly."""
        wanted = self.parameters
        mean, deviation = trailing_moments(data.adjusted_close, rows, columns, wanted.window)
        full = kelly_weight(np.where(exposures < 0.0, -mean, mean), deviation)
        share = np.clip(wanted.fraction * full, 0.0, wanted.max_weight)
        return exposures * np.where(np.isnan(share), 0.0, share)
