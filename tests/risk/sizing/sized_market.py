"""Markets and signals for the tests of position sizers."""

import numpy as np

from trading.market.bars import BarInterval
from trading.market.market_data import MarketData
from trading.risk.sizing import PositionSizer, Targets
from trading.strategy.signals import Signals


def market(prices, interval=BarInterval.DAY) -> MarketData:
    """Bars of which every field is these prices (T, N)."""
    prices = np.asarray(prices, dtype=np.float64)
    days = np.datetime64("2020-01-01") + np.arange(len(prices))
    names = tuple(f"S{i}" for i in range(prices.shape[1]))
    return MarketData(days.astype("datetime64[s]"), days, names, *[prices] * 6, interval=interval)


def random_market(bars=120, names=6, seed=0, missing=0.0) -> MarketData:
    """Correlated random walks, with a share of the bars missing."""
    generator = np.random.default_rng(seed)
    common = generator.normal(0.0, 0.008, (bars, 1))
    own = generator.normal(0.0004, 0.01, (bars, names)) * np.linspace(0.5, 2.0, names)
    prices = 100.0 * np.exp(np.cumsum(common + own, axis=0))
    prices[generator.random(prices.shape) < missing] = np.nan
    return market(prices)


def signals(data: MarketData, *events: tuple[int, int, int, float]) -> Signals:
    """Signals from (row, column, action, strength)."""
    rows, columns, actions, strengths = zip(*events, strict=True) if events else [()] * 4
    return Signals(
        "test",
        data.timestamps,
        data.symbols,
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(actions, dtype=np.int8),
        np.array(strengths, dtype=np.float64),
    )


def random_signals(data: MarketData, count=60, seed=1) -> Signals:
    """Random BUY, HOLD and SELL of random strength."""
    generator = np.random.default_rng(seed)
    bars, names = data.shape
    rows, columns = np.divmod(np.sort(generator.choice(bars * names, count, replace=False)), names)
    actions = generator.integers(-1, 2, count)
    strengths = np.round(generator.uniform(0.1, 1.0, count), 3)
    return signals(data, *zip(rows, columns, actions, strengths, strict=True))


def sized(sizer: PositionSizer, data: MarketData, *events, long_only=False, held=None) -> Targets:
    """Targets of a few events."""
    return sizer.targets(signals(data, *events), data, long_only=long_only, held=held)


def until(given: Signals, row: int) -> Signals:
    """The same signals as they were known at the close of a row."""
    kept = given.rows <= row
    return Signals(
        given.strategy_id,
        given.timestamps[: row + 1],
        given.symbols,
        given.rows[kept],
        given.columns[kept],
        given.actions[kept],
        given.strengths[kept],
    )


def window_of(given: Signals, first: int) -> Signals:
    """The signals of the bars from `first` on, counted from it."""
    kept = given.rows >= first
    return Signals(
        given.strategy_id,
        given.timestamps[first:],
        given.symbols,
        given.rows[kept] - first,
        given.columns[kept],
        given.actions[kept],
        given.strengths[kept],
    )
