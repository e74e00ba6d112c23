"""MeanReversion: buy what has fallen far below its average, sell it when it is back."""

import math
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from trading.compiled import compiled
from trading.market.market_data import MarketData
from trading.market.rolling import FloatArray, panel_view, rolling_mean, rolling_std
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.crossing import UNKNOWN, crossing_signals
from trading.strategy.registry import register
from trading.strategy.signals import CodeArray, Signals


class MeanReversionParameters(Parameters):
    """When a price is far below its average, and how long to wait for it."""

    window: int = Field(20, ge=3, le=2_520, description="Bars in average and deviation.")
    std_multiplier: float = Field(
        2.0, gt=0.0, le=20.0, description="Buy this many standard deviations below the average."
    )
    exit_z: float = Field(
        0.0, ge=-20.0, le=20.0, description="Sell from this z-score on; 0 is the average."
    )
    max_holding: int = Field(
        60, ge=1, le=2_520, description="Bars after which a purchase that did not revert is sold."
    )

    @model_validator(mode="after")
    def _levels_can_be_reached(self) -> Self:
        if self.exit_z <= -self.std_multiplier:
            raise ValueError(
                f"exit_z ({self.exit_z}) must lie above -std_multiplier ({-self.std_multiplier})"
            )
        largest = math.sqrt(self.window - 1)
        if self.std_multiplier > largest or self.exit_z > largest:
            raise ValueError(
                f"no z-score of a window of {self.window} goes beyond {largest:.2f}; "
                "lower std_multiplier or exit_z, or lengthen the window"
            )
        return self


@register
class MeanReversion(PanelStrategy):
    """Long from where the z-score of the price falls to `-std_multiplier`, until it is back.

    The z-score is the adjusted close less its mean over `window` bars, this bar included, over
    their (population) standard deviation; where nothing moves it is 0. A bar *enters* whose z-score
    is at or below `-std_multiplier` while that of the bar before was above it or not known. The
    wish is long from the latest entry on, for `max_holding` bars, unless a z-score of `exit_z` or
    more, or one that is not known, came since. After that a new entry is needed.

    So what is wanted follows from `window + max_holding + 1` bars, whatever happened before them.

    References
    ----------
    J. Bollinger, "Bollinger on Bollinger Bands" (2001): the band of k population deviations around
    the average of a window.
    """

    name: ClassVar[str] = "mean_reversion"
    parameters_type: ClassVar[type[Parameters]] = MeanReversionParameters
    parameters: MeanReversionParameters

    @property
    def lookback(self) -> int:
        """The window before the earliest bar whose entry can still matter on the bar before."""
        return self.parameters.window + self.parameters.max_holding + 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return a BUY at each entry from flat, and a SELL at each end of it."""
        p = self.parameters
        closes = panel_view(market_data.adjusted_close)
        mean = rolling_mean(closes, p.window)
        deviation = rolling_std(closes, p.window)
        exposure = np.empty(closes.shape, dtype=np.int8)
        _held(closes, mean, deviation, -p.std_multiplier, p.exit_z, p.max_holding, exposure)
        return crossing_signals(self, market_data, exposure)


@compiled
def _held(
    closes: FloatArray,
    mean: FloatArray,
    deviation: FloatArray,
    enter: float,
    leave: float,
    max_holding: int,
    exposure: CodeArray,
) -> None:
    """Follow every symbol through its bars: long while an entry lies less than a holding back."""
    bars, symbols = closes.shape
    left = np.zeros(symbols, dtype=np.int64)
    below = np.zeros(symbols, dtype=np.bool_)
    for row in range(bars):
        for column in range(symbols):
            average, spread = mean[row, column], deviation[row, column]
            if spread != spread:
                left[column] = 0
                below[column] = False
                exposure[row, column] = UNKNOWN
                continue
            z = (closes[row, column] - average) / spread if spread > 0.0 else 0.0
            entered = z <= enter and not below[column]
            below[column] = z <= enter
            if entered:
                left[column] = max_holding
            elif z >= leave:
                left[column] = 0
            elif left[column] > 0:
                left[column] -= 1
            exposure[row, column] = left[column] > 0
