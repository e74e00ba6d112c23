"""How fast and how long a provider is asked: token bucket, retry budget, circuit breaker, backoff.

Each is plain arithmetic on a clock's seconds, without locks: one event loop uses it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from trading.data.providers.clock import Clock


@dataclass
class TokenBucket:
    """A rate limit: `rate` requests a second on average, `burst` at once.

    Tokens are taken ahead: who comes when there is none waits for its own, in the order of coming.
    """

    rate: float
    burst: int
    clock: Clock
    _tokens: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = float(self.burst)

    async def acquire(self) -> None:
        """Wait until one more request is allowed."""
        now = self.clock.monotonic()
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = now
        self._tokens -= 1.0
        if self._tokens < 0.0:
            await self.clock.sleep(-self._tokens / self.rate)


@dataclass
class RetryBudget:
    """Retries may be `ratio` of the requests, and `reserve` besides: no storm of retries.

    See "Handling Overload" in Google's Site Reliability Engineering, and Finagle's RetryBudget.
    """

    ratio: float
    reserve: float
    _balance: float = field(init=False)

    def __post_init__(self) -> None:
        self._balance = self.reserve

    def earn(self) -> None:
        """Count one request."""
        self._balance = min(self._balance + self.ratio, self.reserve + 1000.0 * self.ratio)

    def spend(self) -> bool:
        """Take one retry; False when there is none left."""
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True


@dataclass
class CircuitBreaker:
    """Opens after `threshold` failures in a row, for `cooldown` seconds; then one request probes.

    A probe that succeeds closes it, one that fails opens it for another `cooldown`.
    """

    threshold: int
    cooldown: float
    clock: Clock
    _failures: int = 0
    _open_until: float | None = None
    _probing: bool = False

    def allows(self) -> bool:
        """Tell whether a request may be sent now; the first one after the pause is the probe."""
        if self._open_until is None:
            return True
        if self._probing or self.clock.monotonic() < self._open_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Count an answer."""
        self._failures, self._open_until, self._probing = 0, None, False

    def failed(self) -> None:
        """Count a failure of the provider, not one of the request."""
        self._failures += 1
        if self._probing or self._failures >= self.threshold:
            self._open_until = self.clock.monotonic() + self.cooldown
        self._probing = False

    def released(self) -> None:
        """Take back a permission that led to no request: the next one may probe."""
        self._probing = False


def full_jitter(
    attempt: int, base: float, cap: float, uniform: Callable[[float, float], float] | None = None
) -> float:
    """Return the seconds to wait before retry `attempt` (from 0), uniform in 0..min(cap, base 2^n).

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    draw = uniform or Random().uniform
    return draw(0.0, min(cap, base * 2.0 ** min(attempt, 30)))
