"""Stores of bars: one interface over the Parquet lake and PostgreSQL, with a cache in front."""

from trading.data.store.bars.base import BarStore, StoreReport, canonical_bars
from trading.data.store.bars.cached import CachedBars
from trading.data.store.bars.copying import copy_bars
from trading.data.store.bars.lake import LakeBars
from trading.data.store.bars.location import open_bars, open_configured_bars
from trading.data.store.bars.provider import StoredProvider

__all__ = [
    "BarStore",
    "CachedBars",
    "LakeBars",
    "StoreReport",
    "StoredProvider",
    "canonical_bars",
    "copy_bars",
    "open_bars",
    "open_configured_bars",
]
