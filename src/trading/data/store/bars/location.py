"""Open the store of bars that an address names, or the one that is configured."""

import os
from collections.abc import Mapping

from trading.config import BarStoreSettings
from trading.data.cache import MemoryCache, open_cache
from trading.data.store.bars.base import BarStore
from trading.data.store.bars.cached import CachedBars
from trading.data.store.bars.lake import LakeBars
from trading.data.store.base import ObjectStore
from trading.data.store.location import open_store


def open_bars(address: str) -> BarStore:
    """Return the store at `address`.

    `postgresql://user@host/database` (or `postgres://`) is a PostgreSQL database, which is brought
    to the present schema; everything else is what `open_store` takes: `s3://bucket/prefix` or a
    folder.

    Raises `StoreError` where the address names no store or the database cannot be reached, and
    `ConfigurationError` where PostgreSQL is asked for and its client is not installed.
    """
    if address.startswith(("postgresql://", "postgres://")):
        # Imported here: the client is an extra that a function on S3 does not carry.
        from trading.data.store.bars.postgres import PostgresBars

        return PostgresBars.open(address)
    return LakeBars(open_store(address))


def open_configured_bars(
    settings: BarStoreSettings, lake: ObjectStore, *, environ: Mapping[str, str] | None = None
) -> BarStore:
    """Return the configured store of bars, behind its cache; `description` says what it is.

    Parameters
    ----------
    settings : `data.store` of the configuration
    lake : the objects of the lake, which the bars are in unless the settings name a database
    environ : the process's environment by default; it has the password of Redis

    Raises
    ------
    StoreError
        The database cannot be reached.
    ConfigurationError
        The client of PostgreSQL or Redis is not installed.
    """
    store = open_bars(settings.address) if settings.bars == "postgres" else LakeBars(lake)
    if settings.cache == "none":
        return store
    ttl = settings.cache_ttl_seconds
    if settings.cache == "memory":
        return CachedBars(store, MemoryCache(ttl))
    password = (os.environ if environ is None else environ).get("TRADING_REDIS_PASSWORD")
    return CachedBars(store, open_cache(settings.cache_address, ttl=ttl, password=password))
