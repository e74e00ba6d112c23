"""Pointers that payloads carry: the URI of an object in a store, and back."""

from collections.abc import Mapping

from trading.data.store import ObjectStore
from trading.errors import StoreError


def uri_of(store: ObjectStore, key: str) -> str:
    """Return the URI of an object."""
    return f"{store.uri.rstrip('/')}/{key}"


def key_of(store: ObjectStore, uri: str) -> str:
    """Return the key of a URI; raises `StoreError` if it points out of the store."""
    prefix = store.uri.rstrip("/") + "/"
    if not uri.startswith(prefix):
        raise StoreError(f"{uri} does not lie in {store.uri}")
    return uri.removeprefix(prefix)


def put_folder(store: ObjectStore, prefix: str, files: Mapping[str, bytes], last: str) -> None:
    """Write files below a prefix, `last` after the others: a folder without it is unfinished."""
    for name in sorted(files, key=lambda name: (name == last, name)):
        store.put(f"{prefix}/{name}", files[name])


def get_folder(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    """Return the files below a prefix by their names relative to it."""
    start = prefix.rstrip("/") + "/"
    return {key.removeprefix(start): store.get(key).body for key in store.keys(start)}
