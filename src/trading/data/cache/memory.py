"""A cache in the memory of one process."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from trading.data.cache.base import CacheStatistics
from trading.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires: float


class MemoryCache:
    """A `Cache` bounded in entries and bytes: the least recently used go first.

    Safe to use from many threads. A value larger than `max_bytes` is not kept.

    Parameters
    ----------
    ttl : seconds that an entry lives when `put` does not say
    max_entries, max_bytes : the bounds; bytes are those of keys (UTF-8) and values
    clock : seconds, never going back

    Raises
    ------
    ConfigurationError
        A bound or `ttl` is not positive.
    """

    def __init__(
        self,
        ttl: float = 300.0,
        *,
        max_entries: int = 4096,
        max_bytes: int = 256 * 2**20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (ttl > 0 and max_entries > 0 and max_bytes > 0):
            raise ConfigurationError(
                f"a cache needs positive bounds, found ttl={ttl}, max_entries={max_entries}, "
                f"max_bytes={max_bytes}"
            )
        self._ttl, self._max_entries, self._max_bytes = ttl, max_entries, max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._counters: dict[str, int] = {}
        self._locks: dict[str, tuple[str, float]] = {}
        self._hits = self._misses = self._evictions = 0

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key, None when they are not there or have expired."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.expires <= self._clock():
                self._drop(key)
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return entry.value

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep bytes for `ttl` seconds (the cache's own when None); 0 or less forgets the key."""
        lifetime = self._ttl if ttl is None else ttl
        size = _size(key, value)
        with self._lock:
            self._drop(key)
            if lifetime <= 0 or size > self._max_bytes:
                return
            self._entries[key] = _Entry(bytes(value), self._clock() + lifetime)
            self._bytes += size
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))
                self._evictions += 1

    def delete(self, key: str) -> bool:
        """Forget a key; always True."""
        with self._lock:
            self._drop(key)
        return True

    def increment(self, key: str) -> int:
        """Add one to a counter, which begins at 0 and does not expire, and return it."""
        with self._lock:
            self._counters[key] = self._counters.get(key, 0) + 1
            return self._counters[key]

    def counter(self, key: str) -> int:
        """Return a counter, 0 when it was never incremented."""
        with self._lock:
            return self._counters.get(key, 0)

    def acquire(self, key: str, seconds: float) -> str | None:
        """Take the lock `key` for at most `seconds`; a token, None when another holds it."""
        with self._lock:
            held = self._locks.get(key)
            if held is not None and held[1] > self._clock():
                return None
            token = secrets.token_hex(8)
            self._locks[key] = (token, self._clock() + seconds)
            return token

    def release(self, key: str, token: str) -> None:
        """Give back a lock, if the token still holds it."""
        with self._lock:
            if self._locks.get(key, ("", 0.0))[0] == token:
                del self._locks[key]

    def statistics(self) -> CacheStatistics:
        """Return the counts so far."""
        with self._lock:
            return CacheStatistics(self._hits, self._misses, self._evictions, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Entries held (expired ones that nobody asked for included), and their bytes."""
        with self._lock:
            return len(self._entries), self._bytes

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry.value)


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)
