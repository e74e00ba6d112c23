"""The interface of an object store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes and the tag that changes whenever they do."""

    key: str
    body: bytes
    etag: str


class ObjectStore(Protocol):
    """Named bytes with conditional writes; a reader never sees half an object.

    Keys are `/`-separated, without a leading slash. `uri` names the store (`s3://bucket/prefix` or
    `file:///folder`).
    """

    uri: str

    def get(self, key: str) -> StoredObject:
        """Return an object; raises `NotFoundError`."""

    def put(
        self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object whole and return its etag.

        With `if_absent` an existing object, with `if_match` another etag, raises `ConflictError`.
        """

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
