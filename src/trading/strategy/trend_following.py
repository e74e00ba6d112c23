"""TrendFollowing: long while a short moving average lies above a long one."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from trading.compiled import compiled, inner
from trading.market.market_data import MarketData
from trading.market.rolling import (
    TILE_COLUMNS,
    FloatArray,
    double_means,
    join_means,
    load_tile,
    panel_view,
    tile_rows,
)
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.crossing import UNKNOWN, crossing_signals
from trading.strategy.registry import register
from trading.strategy.signals import CodeArray, Signals


class TrendFollowingParameters(Parameters):
    """How far the averages look back."""

    short_ma: int = Field(20, ge=1, le=2_520, description="Bars in the short moving average.")
    long_ma: int = Field(100, ge=2, le=5_040, description="Bars in the long moving average.")

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_ma >= self.long_ma:
            raise ValueError(
                f"short_ma ({self.short_ma}) must be less than long_ma ({self.long_ma})"
            )
        return self


@register
class TrendFollowing(PanelStrategy):
    """Long while the average of the last `short_ma` adjusted closes exceeds that of `long_ma`.

    Simple averages. Flat otherwise, also where both are equal. An average with a missing close in
    its window is not known, and nothing is done until it is again; then the wish is stated anew.

    References
    ----------
    W. Brock, J. Lakonishok and B. LeBaron, "Simple Technical Trading Rules and the Stochastic
    Properties of Stock Returns", Journal of Finance 47 (1992): the variable-length moving average.
    """

    name: ClassVar[str] = "trend_following"
    parameters_type: ClassVar[type[Parameters]] = TrendFollowingParameters
    parameters: TrendFollowingParameters

    @property
    def lookback(self) -> int:
        """The long window on the last bar and on the one before."""
        return self.parameters.long_ma + 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return a BUY where the short average crosses above the long one, else a SELL."""
        closes = panel_view(market_data.adjusted_close)
        exposure = np.empty(closes.shape, dtype=np.int8)
        exposure[: self.parameters.long_ma - 1] = UNKNOWN
        _trend(closes, self.parameters.short_ma, self.parameters.long_ma, exposure)
        return crossing_signals(self, market_data, exposure)


@compiled
def _trend(closes: FloatArray, short: int, long: int, exposure: CodeArray) -> None:
    """Compare two moving averages, tile by tile: the closes are read once."""
    bars, symbols = closes.shape
    step = tile_rows(long)
    height = min(bars, step + long - 1)
    level = np.empty((height, TILE_COLUMNS))
    fast = np.empty((height, TILE_COLUMNS))
    slow = np.empty((height, TILE_COLUMNS))
    for column in range(0, symbols, TILE_COLUMNS):
        width = min(TILE_COLUMNS, symbols - column)
        for start in range(long - 1, bars, step):
            first, last = start - long + 1, min(bars, start + step)
            rows = last - first
            load_tile(closes, first, last, column, width, level)
            _two_means(level, fast, slow, short, long, rows, width)
            for row in range(long - 1, rows):
                for j in range(width):
                    a, b = fast[row, j], slow[row, j]
                    code = np.int8(a > b)
                    exposure[first + row, column + j] = code if b == b else np.int8(UNKNOWN)


@inner
def _two_means(
    level: FloatArray,
    fast: FloatArray,
    slow: FloatArray,
    short: int,
    long: int,
    rows: int,
    width: int,
) -> None:
    in_fast, in_slow, span = 0, 0, 1
    while True:
        if short & span:
            join_means(fast, in_fast, level, span, rows, width)
            in_fast += span
        if long & span:
            join_means(slow, in_slow, level, span, rows, width)
            in_slow += span
        if in_slow == long:
            return
        double_means(level, span, rows, width)
        span *= 2
