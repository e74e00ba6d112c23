"""Stored bars for a command: the lake that it names, read through the configured store."""

from trading.cli.output import console
from trading.config import Settings
from trading.data.lake import Lake
from trading.data.store import open_store
from trading.data.store.bars import StoredProvider, open_configured_bars


def open_stored(location: str, settings: Settings) -> StoredProvider:
    """Return the stored bars of a lake (a folder or `s3://bucket/prefix`) as a provider.

    Says on the console which store and layout answers. Raises `DataError` for an empty lake and
    `StoreError` where the configured database cannot be reached.
    """
    objects = open_store(location)
    bars = open_configured_bars(settings.data.store, objects)
    console.print(f"bars from {bars.description}", markup=False)
    return StoredProvider(Lake(objects), bars)
