"""Open the store of bars that an address names."""

from trading.data.store.bars.base import BarStore
from trading.data.store.bars.lake import LakeBars
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
