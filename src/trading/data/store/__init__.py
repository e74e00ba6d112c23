"""Object stores: one interface over an S3 bucket and a folder."""

from trading.data.store.base import ObjectStore, StoredObject
from trading.data.store.location import open_store

__all__ = ["ObjectStore", "StoredObject", "open_store"]
