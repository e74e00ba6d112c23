"""An object store in memory, for tests of what is built on one."""

from collections.abc import Callable, Iterator

from trading.data.store.base import StoredObject
from trading.errors import ConflictError, NotFoundError, StoreError


class MemoryStore:
    """An object store in a dictionary, which can count, fail and race."""

    uri = "memory:///"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.die_after: int | None = None
        self.before_put: Callable[[str], None] = lambda key: None

    def get(self, key: str) -> StoredObject:
        if key not in self.objects:
            raise NotFoundError(key)
        return StoredObject(key, self.objects[key], str(hash(self.objects[key])))

    def put(
        self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        if self.die_after is not None and len(self.writes) >= self.die_after:
            raise StoreError("killed")
        self.before_put(key)
        held = self.objects.get(key)
        if (if_absent and held is not None) or (
            if_match is not None and (held is None or str(hash(held)) != if_match)
        ):
            raise ConflictError(key)
        self.objects[key] = body
        self.writes.append(key)
        return str(hash(body))

    def exists(self, key: str) -> bool:
        return key in self.objects

    def keys(self, prefix: str = "") -> Iterator[str]:
        yield from sorted(key for key in self.objects if key.startswith(prefix))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
