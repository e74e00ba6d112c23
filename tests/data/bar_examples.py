"""Small, plausible bars for tests."""

from datetime import date

import numpy as np
import pandas as pd

from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.market.calendar import sessions_between


def make_bars(
    symbols: int = 3, start: date = date(2023, 12, 20), end: date = date(2024, 1, 12), seed: int = 0
) -> pd.DataFrame:
    """Return plausible bars of S000, S001, ... as a bars frame."""
    days = sessions_between(start, end)
    shape = (symbols, len(days))
    random = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(0.02 * random.standard_normal(shape), axis=1))
    opened = close * (1 + 0.005 * random.standard_normal(shape))
    frame = pd.DataFrame(
        {
            "date": np.tile(days.astype("datetime64[s]"), symbols),
            "symbol": np.repeat([f"S{i:03d}" for i in range(symbols)], len(days)),
            "open": opened.ravel(),
            "high": np.maximum(opened, close).ravel() * 1.01,
            "low": np.minimum(opened, close).ravel() * 0.99,
            "close": close.ravel(),
            "volume": random.integers(1_000, 9_000, shape).ravel().astype(float),
            "adjusted_close": close.ravel() * 0.9,
        }
    )
    return frame.astype({"symbol": "str"})


def fetched(bars: pd.DataFrame, source: str = "test bars") -> FetchResult:
    """Return bars as a provider would."""
    return FetchResult(bars, (), IngestReport(source, len(bars), 0, 0, None, None).describing(bars))
