"""Open the store that a location names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from trading.data.store.base import ObjectStore
from trading.data.store.folder import FolderStore
from trading.data.store.s3 import S3Store
from trading.errors import StoreError


def open_store(location: str | Path) -> ObjectStore:
    """Return the store at `location`: `s3://bucket[/prefix]`, `file:///folder` or a folder path.

    Nothing is read or created. Raises `StoreError` when the location names no known kind of store.
    """
    if isinstance(location, Path):
        return FolderStore(location)
    if "://" not in location:
        if not location.strip():
            raise StoreError("the store's location is empty; expected s3://bucket or a folder")
        return FolderStore(Path(location))
    parts = urlsplit(location)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path:
        return FolderStore(Path(unquote(parts.path)))
    shown = location.replace(f"{parts.netloc.rpartition('@')[0]}@", "***@", 1)
    raise StoreError(
        f"{shown!r} names no store; expected s3://bucket[/prefix], file:///folder or a folder"
    )
