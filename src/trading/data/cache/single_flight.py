"""Read through a cache so that a missing entry is made once, however many ask for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trading.data.cache.base import Cache


@dataclass
class _Flight:
    done: threading.Event = field(default_factory=threading.Event)
    value: bytes | None = None


class ReadThrough:
    """A cache in front of a source, guarded against stampedes.

    Of the threads of this process that miss the same key one loads and the others wait for its
    answer. Of the processes that share the cache one holds the key's lock; the others look again
    every `poll` seconds, and load themselves when the lock's holder has not answered within
    `patience` seconds (it was killed, or is slow). A load that fails raises to the one who made it;
    those who waited try themselves.

    Parameters
    ----------
    cache : where answers are kept
    patience : seconds to wait for another process
    poll : seconds between two looks
    """

    def __init__(self, cache: Cache, *, patience: float = 10.0, poll: float = 0.02) -> None:
        self._cache, self._patience, self._poll = cache, patience, poll
        self._guard = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def get(self, key: str, load: Callable[[], bytes], ttl: float | None = None) -> bytes:
        """Return the cached bytes of `key`, else those that `load` returns, which are kept."""
        found = self._cache.get(key)
        while found is None:
            with self._guard:
                flight = self._flights.get(key)
                mine = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight()
            if mine:
                return self._fly(key, flight, load, ttl)
            flight.done.wait()
            found = flight.value
        return found

    def _fly(
        self, key: str, flight: _Flight, load: Callable[[], bytes], ttl: float | None
    ) -> bytes:
        try:
            flight.value = self._load_once(key, load, ttl)
            return flight.value
        finally:
            with self._guard:
                del self._flights[key]
            flight.done.set()

    def _load_once(self, key: str, load: Callable[[], bytes], ttl: float | None) -> bytes:
        lock = f"{key}:lock"
        deadline = time.monotonic() + self._patience
        while (token := self._cache.acquire(lock, self._patience)) is None:
            if time.monotonic() >= deadline:
                break
            time.sleep(self._poll)
            found = self._cache.get(key)
            if found is not None:
                return found
        try:
            # Whoever held the lock until now may have put the answer there.
            found = self._cache.get(key)
            if found is None:
                found = load()
                self._cache.put(key, found, ttl)
            return found
        finally:
            if token is not None:
                self._cache.release(lock, token)
