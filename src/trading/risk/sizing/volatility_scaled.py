"""The same volatility from every name."""

from math import sqrt

import numpy as np
from pydantic import Field

from trading.market.bars import BarInterval
from trading.market.market_data import MarketData
from trading.risk.correlation import LEAST_DEVIATION
from trading.risk.sizing.base import FloatArray, IntArray, NameSizer
from trading.risk.sizing.registry import register
from trading.risk.sizing.trailing import trailing_moments
from trading.strategy.base import Parameters

# A US session has 6.5 hours, hence seven hourly bars, the last one short.
BARS_PER_YEAR = {BarInterval.DAY: 252, BarInterval.HOUR: 252 * 7, BarInterval.MINUTE: 252 * 390}


class VolatilityScaledParameters(Parameters):
    """The parameters of `VolatilityScaled`."""

    target_volatility: float = Field(
        0.01, gt=0.0, le=2.0, description="Annual volatility that one name brings to the portfolio."
    )
    window: int = Field(63, ge=2, le=2520, description="Bars of returns behind the volatility.")
    max_weight: float = Field(0.2, gt=0.0, le=10.0, description="Largest weight of a name.")


@register
class VolatilityScaled(NameSizer):
    """weight = exposure * min(target volatility / volatility, max_weight).

    The volatility is the sample deviation of the last `window` returns of adjusted closes, times
    the root of the bars in a year. Where it is not known (fewer than half of the returns) or zero,
    the weight is 0: what cannot be sized is not held.

    Source: T. Moskowitz, Y. Ooi and L. Pedersen, "Time series momentum" (2012), who hold every
    instrument at 40 % / its volatility.
    """

    name = "volatility_scaled"
    parameters_type = VolatilityScaledParameters
    parameters: VolatilityScaledParameters

    @property
    def lookback(self) -> int:
        """The window's returns and the bar before them."""
        return self.parameters.window + 1

    def weights(
        self, data: MarketData, rows: IntArray, columns: IntArray, exposures: FloatArray
    ) -> FloatArray:
        """Return the scaled `exposures`."""
        wanted = self.parameters
        _, deviation = trailing_moments(data.adjusted_close, rows, columns, wanted.window)
        known = deviation > LEAST_DEVIATION
        annual = np.where(known, deviation, 1.0) * sqrt(BARS_PER_YEAR[data.interval])
        scale = np.minimum(wanted.target_volatility / annual, wanted.max_weight)
        return exposures * np.where(known, scale, 0.0)
