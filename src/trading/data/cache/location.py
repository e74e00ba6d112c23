"""Open the cache that an address names."""

from trading.data.cache.base import Cache
from trading.data.cache.memory import MemoryCache


def open_cache(address: str, *, ttl: float = 300.0, password: str | None = None) -> Cache:
    """Return the cache at `address`: `memory:` or a Redis URL (`redis://host:6379/0`, `unix://…`).

    `password` is that of the Redis server, where its address has none. Raises `ConfigurationError`
    for another kind of address, or where Redis is asked for and its client is not installed.
    """
    if address in {"memory:", "memory"}:
        return MemoryCache(ttl)
    # Imported here: the client is an extra that a function without Redis does not carry.
    from trading.data.cache.redis import RedisCache

    return RedisCache.from_url(address, ttl=ttl, password=password)
