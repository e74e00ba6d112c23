"""What a cache is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CacheStatistics:
    """What a cache did since it was made.

    Attributes
    ----------
    hits, misses : answers found, and not found or expired
    evictions : entries pushed out to stay within the bounds; what expired is not counted
    failures : operations that the cache's server did not answer; reads among them are also misses
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    failures: int = 0


class Cache(Protocol):
    """Bytes by key, each for a time; what is in it may vanish at any moment.

    A cache never raises for its own server's sake: an unreachable one misses, with a warning in the
    log, and the caller reads from the source.
    """

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key, None when they are not there or have expired."""

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep bytes for `ttl` seconds (the cache's own when None)."""

    def delete(self, key: str) -> bool:
        """Forget a key; a missing one is fine. False when the cache could not be told."""

    def increment(self, key: str) -> int | None:
        """Add one to a counter, which begins at 0 and does not expire, and return it.

        None when the cache could not be told. A counter is read with `counter`.
        """

    def counter(self, key: str) -> int | None:
        """Return a counter, 0 when never incremented, None when the cache does not answer."""

    def acquire(self, key: str, seconds: float) -> str | None:
        """Take the lock `key` for at most `seconds`; a token, None when another holds it.

        A cache that does not answer gives a token, so that its callers go on alone.
        """

    def release(self, key: str, token: str) -> None:
        """Give back a lock, if the token still holds it."""

    def statistics(self) -> CacheStatistics:
        """Return the counts so far."""
