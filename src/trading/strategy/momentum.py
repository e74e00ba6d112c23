"""Momentum: long what has risen over the past months."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from trading.market.market_data import MarketData
from trading.market.rolling import panel_view
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.crossing import UNKNOWN, crossing_signals
from trading.strategy.registry import register
from trading.strategy.signals import CodeArray, Signals


class MomentumParameters(Parameters):
    """Which past return counts, and how large it must be."""

    lookback_period: int = Field(
        252, ge=1, le=5_040, description="Bars between the two closes that are compared."
    )
    threshold: float = Field(
        0.0, ge=-1.0, le=10.0, description="Long where the return exceeds this fraction."
    )
    skip_period: int = Field(
        0, ge=0, le=252, description="Latest bars left out; 21 of 252 is 12-1 momentum's month."
    )


@register
class Momentum(PanelStrategy):
    """Long while the return over `lookback_period` bars exceeds `threshold`, else flat.

    The return is `P[t - skip_period] / P[t - skip_period - lookback_period] - 1` of adjusted closes
    P. Where either close is missing, not finite or not positive nothing is done until the return
    is known again; then the wish is stated anew.

    References
    ----------
    T. Moskowitz, Y. Ooi and L. Pedersen, "Time Series Momentum", Journal of Financial Economics
    104 (2012); N. Jegadeesh and S. Titman, "Returns to Buying Winners and Selling Losers", Journal
    of Finance 48 (1993), for the skipped month.
    """

    name: ClassVar[str] = "momentum"
    parameters_type: ClassVar[type[Parameters]] = MomentumParameters
    parameters: MomentumParameters

    @property
    def lookback(self) -> int:
        """Both closes of the return on the last bar and on the one before."""
        return self.parameters.lookback_period + self.parameters.skip_period + 2

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return a BUY where the return rises above the threshold, else a SELL."""
        closes = panel_view(market_data.adjusted_close)
        exposure: CodeArray = np.full(closes.shape, UNKNOWN, dtype=np.int8)
        first = self.parameters.lookback_period + self.parameters.skip_period
        answered = max(len(closes) - first, 0)
        before = closes[:answered]
        after = closes[self.parameters.lookback_period :][:answered]
        known = np.isfinite(before) & np.isfinite(after) & (before > 0.0) & (after > 0.0)
        with np.errstate(all="ignore"):
            risen = after / before - 1.0 > self.parameters.threshold
        exposure[first:] = np.where(known, risen, UNKNOWN)
        return crossing_signals(self, market_data, exposure)
