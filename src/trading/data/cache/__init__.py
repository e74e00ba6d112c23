"""Caches: one interface over the memory of a process and a Redis server."""

from trading.data.cache.base import Cache, CacheStatistics
from trading.data.cache.location import open_cache
from trading.data.cache.memory import MemoryCache
from trading.data.cache.single_flight import ReadThrough

__all__ = ["Cache", "CacheStatistics", "MemoryCache", "ReadThrough", "open_cache"]
