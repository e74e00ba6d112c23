"""Strategies that see the future, need more history than they say, remember or draw lots."""

import random
from collections.abc import Iterable
from datetime import datetime

import numpy as np
import numpy.typing as npt

from trading.market.market_data import MarketData
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.signals import Action, Signal, Signals

FloatArray = npt.NDArray[np.float64]


class Scored(PanelStrategy):
    """BUY where a score rises above zero, SELL where it falls below."""

    name = "scored"

    @property
    def lookback(self) -> int:
        return 12

    def score(self, data: MarketData) -> FloatArray:
        """Close against the close ten bars before: honest."""
        scores = np.full(data.shape, np.nan)
        scores[10:] = data.close[10:] / data.close[:-10] - 1.0
        return scores

    def signal_panel(self, market_data: MarketData) -> Signals:
        score = self.score(market_data)
        crossed = np.zeros(score.shape, dtype=bool)
        crossed[1:] = (np.sign(score[1:]) != np.sign(score[:-1])) & np.isfinite(
            score[1:] + score[:-1]
        )
        rows, columns = np.nonzero(crossed)
        strengths = np.minimum(np.abs(score[rows, columns]) * 5 + 0.01, 1.0)
        actions = np.where(score[rows, columns] > 0, 1, -1).astype(np.int8)
        return Signals(
            self.strategy_id,
            market_data.timestamps,
            market_data.symbols,
            rows,
            columns,
            actions,
            strengths,
        )


class CentredWindow(Scored):
    """Compares with the mean of five bars on either side."""

    name = "centred_window"

    def score(self, data: MarketData) -> FloatArray:
        scores = np.full(data.shape, np.nan)
        for row in range(5, len(scores) - 5):
            scores[row] = data.close[row] / data.close[row - 5 : row + 6].mean(axis=0) - 1.0
        return scores


class FullSampleZScore(Scored):
    """Standardises by mean and deviation of the whole sample."""

    name = "full_sample_z_score"

    def score(self, data: MarketData) -> FloatArray:
        moves = np.nan_to_num(super().score(data))
        return np.asarray((moves - moves.mean(axis=0)) / (moves.std(axis=0) + 1e-12))


class NegativeShift(Scored):
    """Knows tomorrow's return."""

    name = "negative_shift"

    def score(self, data: MarketData) -> FloatArray:
        scores = np.full(data.shape, np.nan)
        scores[:-1] = data.close[1:] / data.close[:-1] - 1.0
        return scores


class FutureVolume(Scored):
    """Scales what is honest by tomorrow's volume."""

    name = "future_volume"

    def score(self, data: MarketData) -> FloatArray:
        volume = np.vstack([data.volume[1:], data.volume[-1:]])
        return np.asarray(super().score(data) * volume / np.maximum(data.volume, 1.0))


class BackwardFill(Scored):
    """Fills gaps from the future before it looks."""

    name = "backward_fill"

    def score(self, data: MarketData) -> FloatArray:
        close = np.array(data.close)
        for row in range(len(close) - 2, -1, -1):
            close[row] = np.where(np.isnan(close[row]), close[row + 1], close[row])
        scores = np.full(data.shape, np.nan)
        scores[10:] = close[10:] / close[:-10] - 1.0
        return scores


class BehindTheArray(Scored):
    """Honest by its indices, but reads the array that the slice is a view of."""

    name = "behind_the_array"

    def score(self, data: MarketData) -> FloatArray:
        whole = data.close
        while isinstance(whole.base, np.ndarray) and whole.base.shape[1:] == whole.shape[1:]:
            whole = whole.base
        scores = np.full(data.shape, np.nan)
        after = np.minimum(np.arange(len(scores)) + 1, len(whole) - 1)
        scores[:] = whole[after] / data.close - 1.0
        return scores


class ShortLookback(Scored):
    """Needs twelve bars and says five."""

    name = "short_lookback"

    @property
    def lookback(self) -> int:
        return 5


class Forgetful(Scored):
    """Answers otherwise in a session than in a backtest."""

    name = "forgetful"

    async def analyze(self, market_data: MarketData) -> Signals:
        return Signals.none(self.strategy_id, market_data.timestamps, market_data.symbols)


class Lottery(Scored):
    """Draws lots."""

    name = "lottery"

    def score(self, data: MarketData) -> FloatArray:
        return np.asarray(super().score(data) + random.uniform(-0.05, 0.05))


class Plain(BaseStrategy):
    """Per symbol, the plain way: BUY above the close ten bars before."""

    name = "plain"

    @property
    def lookback(self) -> int:
        return 11

    def closes(self, data: MarketData) -> FloatArray:
        return data.close

    async def analyze(self, market_data: MarketData) -> Iterable[Signal]:
        closes = self.closes(market_data)
        if len(closes) < 11:
            return []
        return [
            Signal(self.stamp(market_data), symbol, Action.BUY, 1.0, self.strategy_id)
            for column, symbol in enumerate(market_data.symbols)
            if closes[-1, column] > closes[-11, column]
        ]

    def stamp(self, data: MarketData) -> datetime:
        return data.now


class PlainCheat(Plain):
    """Looks at the last bar of the array behind its view."""

    name = "plain_cheat"

    def closes(self, data: MarketData) -> FloatArray:
        return (
            BehindTheArray.build().score(data) + 1.0 if len(data.close) < 11 else self.behind(data)
        )

    def behind(self, data: MarketData) -> FloatArray:
        whole = data.close
        while isinstance(whole.base, np.ndarray) and whole.base.shape[1:] == whole.shape[1:]:
            whole = whole.base
        closes = np.array(data.close)
        closes[-1] = whole[-1]
        return closes


class PlainMemory(Plain):
    """Buys only once."""

    name = "plain_memory"
    asked = 0

    async def analyze(self, market_data: MarketData) -> Iterable[Signal]:
        self.asked += 1
        return [] if self.asked % 5 == 0 else await super().analyze(market_data)


class PlainWindow(Plain):
    """Judges by the oldest bar that it is given: honest, since it is given its lookback."""

    name = "plain_window"

    @property
    def lookback(self) -> int:
        return 6

    async def analyze(self, market_data: MarketData) -> Iterable[Signal]:
        closes = self.closes(market_data)
        return [
            Signal(self.stamp(market_data), symbol, Action.BUY, 1.0, self.strategy_id)
            for column, symbol in enumerate(market_data.symbols)
            if closes[-1, column] > closes[0, column]
        ]


class Broken(Scored):
    """Raises."""

    name = "broken"

    def signal_panel(self, market_data: MarketData) -> Signals:
        raise ZeroDivisionError("by chance")
