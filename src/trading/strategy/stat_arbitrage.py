"""StatArbitrage: trade the spread of cointegrated pairs back to its mean."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from trading.compiled import compiled
from trading.errors import ParameterError
from trading.market.market_data import MarketData
from trading.market.rolling import FloatArray
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.crossing import exposure_signals
from trading.strategy.pairs import Pair, PairRules, form_pairs
from trading.strategy.registry import register
from trading.strategy.signals import CodeArray, Signals

DAYS_OF_A_MONTH = 31
MAX_GAP = 5


class StatArbitrageParameters(Parameters):
    """How pairs are found, and when their spread is traded."""

    formation_period: int = Field(252, ge=60, le=2_520, description="Bars that pairs come from.")
    reform_months: int = Field(
        6, ge=1, le=12, description="Calendar months after which pairs are formed anew."
    )
    correlation_threshold: float = Field(
        0.6, ge=0.0, le=1.0, description="Least correlation of log returns; others are not tested."
    )
    significance: float = Field(
        0.05, gt=0.0, le=0.5, description="Largest p-value of the Engle-Granger test."
    )
    max_half_life: float = Field(
        60.0, gt=0.0, le=2_520.0, description="Longest half-life of the spread, bars."
    )
    entry_z: float = Field(2.0, gt=0.0, le=10.0, description="Open at this z-score of the spread.")
    exit_z: float = Field(0.5, ge=0.0, le=10.0, description="Close at this z-score or nearer.")
    stop_z: float = Field(
        4.0, gt=0.0, le=100.0, description="Give the pair up, until the next formation, from here."
    )
    max_pairs: int = Field(10, ge=1, le=500, description="Pairs that are traded at a time.")
    max_candidates: int = Field(
        200, ge=1, le=10_000, description="Pairs that are tested, the most correlated first."
    )
    max_symbols: int = Field(
        1_000, ge=2, le=5_000, description="Symbols looked at, the most traded first."
    )
    session_bars: int = Field(
        1, ge=1, le=1_440, description="Most bars in a session: 1 daily, 7 hourly, 390 minute."
    )

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if not self.exit_z < self.entry_z < self.stop_z:
            raise ValueError(
                f"exit_z ({self.exit_z}) must be less than entry_z ({self.entry_z}), and that less "
                f"than stop_z ({self.stop_z})"
            )
        return self


@register
class StatArbitrage(PanelStrategy):
    """Long the cheap and short the dear leg of cointegrated pairs, until the spread is back.

    Pairs are formed on the first bar of every `reform_months`-th calendar month (counted from
    January 1970), from the `formation_period` bars that end with it; see
    `trading.strategy.pairs`. From that bar to the next formation the z-score of a pair's spread, by
    the formation's mean and deviation, decides: at `-entry_z` or below, the first symbol is bought
    and the second sold, `hedge_ratio` USD against one; at `entry_z` or above the other way round.
    The pair is closed where the z-score comes within `exit_z` or changes its side, and given up
    until the next formation at `stop_z` and beyond, or once a leg has had no close for 5 bars. A
    bar without a close on either leg changes nothing else. Whatever is open at the next formation
    is closed there, unless the same symbols are entered again.

    The strength of the larger leg is 1, that of the other in proportion.

    References
    ----------
    E. Gatev, W. Goetzmann and K. Rouwenhorst, "Pairs Trading", Review of Financial Studies 19
    (2006): twelve months of formation, six of trading; G. Vidyamurthy, "Pairs Trading" (2004), for
    cointegration and the hedge ratio.
    """

    name: ClassVar[str] = "stat_arbitrage"
    parameters_type: ClassVar[type[Parameters]] = StatArbitrageParameters
    long_only: ClassVar[bool] = False
    parameters: StatArbitrageParameters

    @property
    def lookback(self) -> int:
        """A formation, and the longest trading period up to the bar before the last."""
        p = self.parameters
        return p.formation_period + p.reform_months * DAYS_OF_A_MONTH * p.session_bars + 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return a signal for both legs wherever a pair is opened or closed."""
        exposure = np.zeros(market_data.shape)
        formations = self._formations(market_data)
        ends = [*formations[1:], len(market_data.timestamps)]
        for start, end in zip(formations, ends, strict=False):
            for pair in self._form(market_data, start):
                self._trade(market_data.adjusted_close[start:end], pair, exposure[start:end])
        return exposure_signals(self, market_data, exposure)

    def pairs(self, market_data: MarketData) -> tuple[Pair, ...]:
        """Return the pairs of the latest formation in `market_data`."""
        formations = self._formations(market_data)
        return self._form(market_data, formations[-1]) if formations else ()

    def _formations(self, data: MarketData) -> list[int]:
        """Return the rows on which pairs are formed and there is history enough for it."""
        p = self.parameters
        _, bars = np.unique(data.sessions, return_counts=True)
        if len(bars) and bars.max() > p.session_bars:
            raise ParameterError(
                f"{self.strategy_id}: a session has {bars.max()} bars, more than session_bars "
                f"({p.session_bars}); raise that parameter"
            )
        period = data.sessions.astype("datetime64[M]").astype(np.int64) // p.reform_months
        rows = np.flatnonzero(np.diff(period) != 0) + 1
        return [int(row) for row in rows if row >= p.formation_period - 1]

    def _form(self, data: MarketData, row: int) -> tuple[Pair, ...]:
        p = self.parameters
        window = slice(row - p.formation_period + 1, row + 1)
        traded = data.close[window] * data.volume[window]
        finite = np.isfinite(traded)
        count = np.maximum(finite.sum(axis=0), 1)
        dollar_volume = np.where(finite, traded, 0.0).sum(axis=0) / count
        rules = PairRules(
            p.correlation_threshold,
            p.significance,
            p.max_half_life,
            p.max_pairs,
            p.max_candidates,
            p.max_symbols,
        )
        return form_pairs(data.adjusted_close[window], dollar_volume, data.symbols, rules)

    def _trade(self, closes: FloatArray, pair: Pair, exposure: FloatArray) -> None:
        p = self.parameters
        with np.errstate(all="ignore"):
            first = np.log(closes[:, pair.first])
            second = np.log(closes[:, pair.second])
            z = (first - pair.intercept - pair.hedge_ratio * second) / pair.deviation
        side = _sides(z, p.entry_z, p.exit_z, p.stop_z).astype(np.float64)
        scale = 1.0 / max(1.0, pair.hedge_ratio)
        exposure[:, pair.first] = side * scale
        exposure[:, pair.second] = -side * (pair.hedge_ratio * scale)


@compiled
def _sides(z: FloatArray, entry: float, leave: float, stop: float) -> CodeArray:
    """Return 1 where the spread is held long, -1 short, 0 flat, along one trading period."""
    sides = np.zeros(len(z), dtype=np.int8)
    side, gap = 0, 0
    for row in range(len(z)):
        if not np.isfinite(z[row]):
            gap += 1
            if gap >= MAX_GAP:
                return sides
            sides[row] = side
            continue
        gap = 0
        if abs(z[row]) >= stop:
            return sides
        if side != 0 and -side * z[row] <= leave:
            side = 0
        if side == 0 and abs(z[row]) >= entry:
            side = -1 if z[row] > 0.0 else 1
        sides[row] = side
    return sides
