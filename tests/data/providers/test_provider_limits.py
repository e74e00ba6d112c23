"""Token bucket, retry budget, breaker and jitter, on a clock that the test moves."""

import asyncio
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualClock, run_virtually

from trading.data.providers.limits import CircuitBreaker, RetryBudget, TokenBucket, full_jitter

CLOCK = VirtualClock(datetime(2024, 6, 29, tzinfo=UTC))


def times_of(bucket: TokenBucket, requests: int) -> list[float]:
    async def all_at_once() -> list[float]:
        async def one() -> float:
            await bucket.acquire()
            return bucket.clock.monotonic()

        return sorted(await asyncio.gather(*(one() for _ in range(requests))))

    return run_virtually(all_at_once())


@given(st.floats(0.05, 50), st.integers(1, 20), st.integers(1, 60))
def test_never_more_than_the_burst_and_the_rate(rate: float, burst: int, requests: int) -> None:
    times = times_of(TokenBucket(rate, burst, CLOCK), requests)
    for first in range(len(times)):
        for last in range(first, len(times)):
            allowed = burst + rate * (times[last] - times[first])
            assert last - first + 1 <= allowed + 1e-6
    assert times[-1] == pytest.approx(max(0.0, (requests - burst) / rate), abs=1e-6)


def test_a_bucket_fills_up_to_its_burst_only() -> None:
    async def work() -> float:
        bucket = TokenBucket(1.0, 3, CLOCK)
        for _ in range(3):
            await bucket.acquire()
        await CLOCK.sleep(1_000)
        start = CLOCK.monotonic()
        for _ in range(5):
            await bucket.acquire()
        return CLOCK.monotonic() - start

    assert run_virtually(work()) == pytest.approx(2.0)


def test_the_budget_bounds_retries_by_requests() -> None:
    budget = RetryBudget(0.25, 3.0)
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]
    for _ in range(4):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


def test_the_breaker_opens_probes_and_closes() -> None:
    async def work() -> None:
        breaker = CircuitBreaker(3, 30.0, CLOCK)
        for _ in range(2):
            breaker.failed()
        breaker.succeeded()
        for _ in range(3):
            assert breaker.allows()
            breaker.failed()
        assert not breaker.allows()
        await CLOCK.sleep(29)
        assert not breaker.allows()
        await CLOCK.sleep(2)
        assert breaker.allows()
        assert not breaker.allows(), "one probe at a time"
        breaker.failed()
        assert not breaker.allows()
        await CLOCK.sleep(31)
        assert breaker.allows()
        breaker.released()
        assert breaker.allows(), "a probe that was never sent may be sent by another"
        breaker.succeeded()
        assert breaker.allows()
        assert breaker.allows()

    run_virtually(work())


@given(st.integers(0, 10_000), st.floats(0.001, 10), st.floats(0.01, 100))
def test_jitter_is_between_zero_and_the_doubled_cap(attempt: int, base: float, cap: float) -> None:
    wait = full_jitter(attempt, base, cap, Random(attempt).uniform)
    assert 0.0 <= wait <= cap
    assert full_jitter(attempt, base, cap, lambda _, high: high) <= min(
        cap, base * 2.0 ** min(attempt, 30)
    )
