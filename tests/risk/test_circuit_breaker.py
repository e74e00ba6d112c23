"""The circuit breaker, by example and as a state machine."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trading.errors import RiskError, StoreError
from trading.risk.circuit_breaker import BreakerState, BreakerStatus, CircuitBreaker

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
COOL_DOWN = timedelta(minutes=5)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(tmp_path, clock):
    path = tmp_path / "session" / "breaker.json"
    return CircuitBreaker(path, failure_limit=3, cool_down=COOL_DOWN, clock=clock)


def test_a_halt_lets_only_reductions_pass_until_a_person_resets(breaker, clock):
    assert breaker.allows(increases=True)
    breaker.trip("drawdown of 21 % is above 20 %")
    breaker.trip("the operator pressed stop")
    breaker.trip("the operator pressed stop")
    assert breaker.state is OPEN
    assert breaker.reasons == ("drawdown of 21 % is above 20 %", "the operator pressed stop")
    clock.now += timedelta(days=30)
    breaker.record_success()
    assert not breaker.allows(increases=True)
    assert breaker.allows(increases=False)
    breaker.reset()
    assert breaker.state is CLOSED
    assert breaker.reasons == ()
    assert breaker.allows(increases=True)


def test_failures_in_a_row_open_it_and_one_order_tries_after_the_cool_down(breaker, clock):
    for _ in range(2):
        breaker.record_failure("timeout")
    breaker.record_success()
    for _ in range(2):
        breaker.record_failure("timeout")
    assert breaker.state is CLOSED
    breaker.record_failure("timeout")
    assert breaker.state is OPEN
    assert breaker.reasons == ("3 failures in a row, the last: timeout",)
    clock.now += COOL_DOWN - timedelta(seconds=1)
    assert breaker.state is OPEN
    clock.now += timedelta(seconds=1)
    assert breaker.state is HALF_OPEN
    assert breaker.allows(increases=True)
    assert not breaker.allows(increases=True), "one trial"
    breaker.record_success()
    assert breaker.state is CLOSED


def test_a_failed_trial_opens_it_again(breaker, clock):
    for _ in range(3):
        breaker.record_failure("timeout")
    clock.now += COOL_DOWN
    assert breaker.allows(increases=True)
    breaker.record_failure("refused")
    assert breaker.state is OPEN
    assert breaker.reasons == ("4 failures in a row, the last: refused",)
    clock.now += COOL_DOWN
    assert breaker.state is HALF_OPEN


def test_a_trial_without_an_outcome_is_given_again_a_cool_down_later(breaker, clock):
    for _ in range(3):
        breaker.record_failure("timeout")
    clock.now += COOL_DOWN
    assert breaker.allows(increases=True)
    clock.now += COOL_DOWN
    assert breaker.allows(increases=True)
    assert not breaker.allows(increases=True)


def test_a_halt_outweighs_a_cool_down(breaker, clock):
    for _ in range(3):
        breaker.record_failure("timeout")
    breaker.trip("drawdown")
    clock.now += 2 * COOL_DOWN
    assert breaker.state is OPEN


def test_the_state_survives_a_restart(tmp_path, clock):
    path = tmp_path / "breaker.json"
    first = CircuitBreaker(path, clock=clock)
    assert not path.exists()
    first.trip("Rückgang über 20 %")
    second = CircuitBreaker(path, clock=clock)
    assert second.status == first.status
    assert second.state is OPEN
    assert json.loads(path.read_text(encoding="utf-8"))["manual"] is True
    assert [found.name for found in tmp_path.iterdir()] == ["breaker.json"]
    second.reset()
    assert CircuitBreaker(path, clock=clock).state is CLOSED


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"state": "AJAR"}', b"\xff\xfe"])
def test_a_broken_file_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "breaker.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(RiskError, match="circuit breaker"):
        CircuitBreaker(path)
    assert path.read_bytes() == before


def test_a_halt_counts_even_if_it_cannot_be_stored_and_a_release_does_not(tmp_path, clock):
    folder = tmp_path / "gone"
    breaker = CircuitBreaker(folder / "breaker.json", clock=clock)
    folder.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="OPEN cannot be stored"):
        breaker.trip("drawdown")
    assert breaker.state is OPEN
    with pytest.raises(StoreError, match="CLOSED cannot be stored"):
        breaker.reset()
    assert breaker.state is OPEN


def test_bad_settings_and_an_empty_reason_are_refused():
    for options in ({"failure_limit": 0}, {"cool_down": timedelta(0)}):
        with pytest.raises(RiskError, match="above 0"):
            CircuitBreaker(**options)
    with pytest.raises(RiskError, match="reason"):
        CircuitBreaker().trip("  ")


def test_many_threads_get_one_trial_and_lose_no_failure(tmp_path, clock):
    breaker = CircuitBreaker(
        tmp_path / "breaker.json", failure_limit=64, cool_down=COOL_DOWN, clock=clock
    )
    start, passed = threading.Barrier(8), []

    def fail_and_try() -> None:
        start.wait()
        for _ in range(8):
            breaker.record_failure("timeout")
        start.wait()
        if start.wait() == 0:
            clock.now += COOL_DOWN
        start.wait()
        passed.append(breaker.allows(increases=True))

    threads = [threading.Thread(target=fail_and_try) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.status.failures == 64
    assert sorted(passed) == [False] * 7 + [True]


class BreakerMachine(RuleBasedStateMachine):
    """Whatever happens: no increase passes an open breaker, and only a reset ends a halt."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker(failure_limit=3, cool_down=COOL_DOWN, clock=self.clock)
        self.halted = False
        self.in_a_row = 0

    @rule(reason=st.sampled_from(["drawdown", "operator"]))
    def trip(self, reason):
        self.breaker.trip(reason)
        self.halted = True
        assert reason in self.breaker.reasons

    @rule()
    def fail(self):
        self.breaker.record_failure("timeout")
        self.in_a_row += 1
        assert self.breaker.status.failures == self.in_a_row

    @rule()
    def succeed(self):
        before = self.breaker.state
        self.breaker.record_success()
        self.in_a_row = 0
        assert self.breaker.state is (OPEN if before is OPEN else CLOSED)

    @rule(minutes=st.sampled_from([1, 5, 60]))
    def wait(self, minutes):
        self.clock.now += timedelta(minutes=minutes)

    @rule()
    def restart(self):
        stored = json.loads(json.dumps(self.breaker.status.to_json()))
        assert BreakerStatus.from_json(stored) == self.breaker.status

    @rule()
    def try_an_increase(self):
        before = self.breaker.status
        passed = self.breaker.allows(increases=True)
        allowed = before.state is HALF_OPEN and not before.trial_given
        assert passed is (before.state is CLOSED or allowed)

    @precondition(lambda self: self.breaker.state is not CLOSED)
    @rule()
    def reset(self):
        self.breaker.reset()
        self.halted, self.in_a_row = False, 0
        assert self.breaker.status.state is CLOSED

    @invariant()
    def a_halt_holds(self):
        if self.halted:
            assert self.breaker.state is OPEN
        assert self.breaker.allows(increases=False)
        assert (self.breaker.state is CLOSED) == (not self.breaker.reasons)
        if self.breaker.state is CLOSED:
            assert self.in_a_row < 3


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
