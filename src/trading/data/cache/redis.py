"""A cache on a Redis server, shared by many processes."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import structlog

from trading.data.cache.base import CacheStatistics
from trading.errors import ConfigurationError

try:
    import redis
except ModuleNotFoundError as error:  # pragma: no cover - the extra is installed in development
    raise ConfigurationError(
        "the Redis cache needs the package redis; install trading with the extra stores"
    ) from error

Answer = TypeVar("Answer")
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"
log = structlog.get_logger(__name__)


class RedisCache:
    """A `Cache` on a Redis server.

    Entries expire by Redis's own TTL; how much the server keeps is its `maxmemory` and
    `maxmemory-policy` (an `allkeys-*` policy may evict counters too: a counter that begins at 0
    again can make old entries current, so use a `volatile-*` one). When the server does not answer,
    the operation counts as a miss, a warning is logged, and for `pause` seconds it is not asked
    again: a dead cache costs one timeout, not one a query.

    Parameters
    ----------
    client : a client whose answers are bytes (`decode_responses=False`)
    namespace : what every key begins with, so that environments can share a server
    ttl : seconds that an entry lives when `put` does not say
    pause : seconds without asking after a failure
    clock : seconds, never going back

    Raises
    ------
    ConfigurationError
        `ttl` is not positive.
    """

    def __init__(
        self,
        client: "redis.Redis",
        *,
        namespace: str = "trading",
        ttl: float = 300.0,
        pause: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not ttl > 0:
            raise ConfigurationError(f"a cache needs a positive ttl, found {ttl}")
        self._client, self._namespace, self._ttl = client, namespace, ttl
        self._pause, self._clock = pause, clock
        self._asleep_until = -float("inf")
        self._lock = threading.Lock()
        self._hits = self._misses = self._failures = 0

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 1.0, password: str | None = None, **options: Any
    ) -> Self:
        """Return the cache at `redis://host:port/db`, `rediss://…` or `unix:///socket`.

        `timeout` is seconds to connect and to wait for an answer, `password` that of the server
        where the address has none; `options` are those of the class. Nothing is connected yet.
        Raises `ConfigurationError` for another kind of address.
        """
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ConfigurationError(
                "the address of the cache is no Redis URL; expected redis://, rediss:// or unix://"
            )
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 1)
        secret = {} if password is None else {"password": password}
        client = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry, **secret
        )
        return cls(client, **options)

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key, None when they are not there or Redis does not answer."""
        found: Any = self._ask("get", lambda: self._client.get(self._name(key)), None)
        with self._lock:
            self._hits += found is not None
            self._misses += found is None
        return None if found is None else bytes(found)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep bytes for `ttl` seconds (the cache's own when None); 0 or less forgets the key."""
        milliseconds = round((self._ttl if ttl is None else ttl) * 1000)
        if milliseconds <= 0:
            self.delete(key)
            return
        self._ask("put", lambda: self._client.set(self._name(key), value, px=milliseconds), None)

    def delete(self, key: str) -> bool:
        """Forget a key; False when Redis does not answer."""
        return self._ask("delete", lambda: self._client.delete(self._name(key)), None) is not None

    def increment(self, key: str) -> int | None:
        """Add one to a counter and return it; None when Redis does not answer."""
        return self._ask("increment", lambda: int(self._client.incr(self._name(key))), None)

    def counter(self, key: str) -> int | None:
        """Return a counter, 0 when it was never incremented, None when Redis does not answer."""
        return self._ask("counter", lambda: int(self._client.get(self._name(key)) or 0), None)

    def acquire(self, key: str, seconds: float) -> str | None:
        """Take the lock `key` for at most `seconds`; a token, None when another holds it.

        Where Redis does not answer the token is given: its callers go on alone.
        """
        token = secrets.token_hex(8)
        taken = self._ask(
            "lock",
            lambda: bool(
                self._client.set(self._name(key), token, nx=True, px=max(1, round(seconds * 1000)))
            ),
            True,
        )
        return token if taken else None

    def release(self, key: str, token: str) -> None:
        """Give back a lock, if the token still holds it."""
        self._ask("unlock", lambda: self._client.eval(RELEASE, 1, self._name(key), token), None)

    def statistics(self) -> CacheStatistics:
        """Return the counts of this client; evictions are Redis's own business and stay 0."""
        with self._lock:
            return CacheStatistics(self._hits, self._misses, 0, self._failures)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _name(self, key: str) -> str:
        return f"{self._namespace}:{key}"

    def _ask(self, what: str, question: Callable[[], Answer], otherwise: Answer) -> Answer:
        if self._clock() < self._asleep_until:
            with self._lock:
                self._failures += 1
            return otherwise
        try:
            return question()
        except (redis.RedisError, OSError, ValueError) as error:
            with self._lock:
                self._failures += 1
                self._asleep_until = self._clock() + self._pause
            # The class only: the text of a Redis error can quote the address with its password.
            log.warning(
                "the Redis cache does not answer; reading from the source",
                operation=what,
                error=type(error).__name__,
                again_in_seconds=self._pause,
            )
            return otherwise
