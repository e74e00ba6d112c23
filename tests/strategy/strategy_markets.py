"""Random markets for the tests of strategies: prices that wander, with holes."""

import numpy as np

from trading.market.market_data import MarketData
from trading.market.panel import Panel

FIELDS = ("open", "high", "low", "close", "volume", "adjusted_close")


def market_of(closes: np.ndarray, symbols: tuple[str, ...] | None = None) -> MarketData:
    """Return daily bars of weekdays from 2015-01-05 whose every price is the close."""
    closes = np.asarray(closes, dtype=float)
    rows = np.arange(len(closes))
    sessions = np.busday_offset("2015-01-05", rows).astype("datetime64[D]")
    names = symbols or tuple(f"S{column:03}" for column in range(closes.shape[1]))
    fields = dict.fromkeys(FIELDS, closes) | {"volume": np.full(closes.shape, 1e6)}
    return MarketData.from_panel(Panel(sessions, names, **fields))


def random_closes(seed: int, bars: int, symbols: int, holes: float = 0.01) -> np.ndarray:
    """Return prices (bars, symbols): random walks around 50 with missing values and dead ends."""
    rng = np.random.default_rng(seed)
    closes = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (bars, symbols)), axis=0))
    closes[rng.random(closes.shape) < holes] = np.nan
    if symbols > 3 and holes:
        closes[: bars // 3, 1] = np.nan
        closes[bars // 2 :, 2] = np.nan
        closes[:, 3] = 7.1
    return closes


def paired_closes(seed: int, bars: int, pairs: int) -> np.ndarray:
    """Return prices (bars, 2 * pairs) of which each two are cointegrated with a ratio of 1.2."""
    rng = np.random.default_rng(seed)
    base = np.cumsum(rng.normal(0, 0.01, (bars, pairs)), axis=0)
    spread = np.zeros((bars, pairs))
    for row in range(1, bars):
        spread[row] = 0.9 * spread[row - 1] + rng.normal(0, 0.008, pairs)
    closes = np.empty((bars, 2 * pairs))
    closes[:, ::2] = 50 * np.exp(base)
    closes[:, 1::2] = 80 * np.exp(1.2 * base + spread)
    return closes


def table_of(signals) -> list[tuple[int, str, str, float]]:
    """Return signals as (row, symbol, action, strength)."""
    return [
        (int(row), one.symbol, str(one.action), one.strength)
        for row, one in zip(signals.rows, signals, strict=True)
    ]
