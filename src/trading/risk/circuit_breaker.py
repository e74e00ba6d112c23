"""The circuit breaker of a session: what stops new risk, and how it may start again.

CLOSED      orders pass
  | trip()                 a limit was breached, or an operator stopped trading
  | record_failure() x n   the broker or the data failed n times in a row
  v
OPEN        only orders that reduce a position pass
  | after the cool-down, if failures opened it    | reset()
  v                                               v
HALF_OPEN   one increasing order passes        CLOSED
  | record_success() -> CLOSED
  | record_failure() -> OPEN, the cool-down starts anew

A halt by `trip` never ends by itself: a person looks and resets. The pattern is M. Nygard's
("Release It!", 2007), with the manual reset that a trading halt asks for.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from trading.errors import RiskError, StoreError


class BreakerState(StrEnum):
    """What the breaker lets pass."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """The whole state of a breaker; it survives a restart.

    Attributes
    ----------
    state : as of the last change; a cool-down that has passed since makes it HALF_OPEN
    reasons : why it opened, oldest first; empty when CLOSED
    manual : whether only a reset closes it
    failures : in a row
    changed_at : when the state last changed; None: never
    trial_given : whether the one order of HALF_OPEN has been let through
    """

    state: BreakerState = BreakerState.CLOSED
    reasons: tuple[str, ...] = ()
    manual: bool = False
    failures: int = 0
    changed_at: datetime | None = None
    trial_given: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        stamp = None if self.changed_at is None else self.changed_at.isoformat()
        return asdict(self) | {"reasons": list(self.reasons), "changed_at": stamp}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "BreakerStatus":
        """Return the status that `to_json` wrote; `RiskError` if it is not one."""
        try:
            stamp = stored["changed_at"]
            return cls(
                state=BreakerState(stored["state"]),
                reasons=tuple(str(reason) for reason in stored["reasons"]),
                manual=bool(stored["manual"]),
                failures=int(stored["failures"]),
                changed_at=None if stamp is None else datetime.fromisoformat(stamp),
                trial_given=bool(stored["trial_given"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RiskError(
                f"what is stored is not the state of a circuit breaker: {error!r}"
            ) from error


class CircuitBreaker:
    """Stop new risk until the cause is gone; safe to use from several threads.

    Parameters
    ----------
    path : where the state is kept as JSON, written whole at every change; None keeps it in memory.
        An existing file is read: a session that was halted starts halted
    failure_limit : failures in a row that open it
    cool_down : how long failures keep it open before one order is tried
    clock : the present, aware; a test or a replay gives its own

    Raises
    ------
    RiskError
        The limit or cool-down is not positive, or the file is not a breaker's. It is not
        overwritten: whether trading was halted must not be guessed.
    StoreError
        From every change: the state cannot be stored. A halt counts all the same.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        failure_limit: int = 5,
        cool_down: timedelta = timedelta(minutes=5),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if failure_limit < 1 or cool_down <= timedelta(0):
            raise RiskError("a circuit breaker needs a failure limit and a cool-down above 0")
        self._path, self._failure_limit = path, failure_limit
        self._cool_down, self._clock = cool_down, clock
        self._lock = threading.RLock()
        self._status = BreakerStatus()
        if path is not None and path.exists():
            self._status = _read(path)

    @property
    def status(self) -> BreakerStatus:
        """The state now, with its reasons."""
        with self._lock:
            return self._now()

    @property
    def state(self) -> BreakerState:
        """The state now."""
        return self.status.state

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not closed."""
        return self.status.reasons

    def allows(self, *, increases: bool) -> bool:
        """Tell whether an order may go out now.

        `increases`: whether it opens or increases a position; what reduces one always passes. When
        HALF_OPEN, asking uses up the trial; without an outcome there is another a cool-down later.
        """
        if not increases:
            return True
        with self._lock:
            now = self._now()
            if now.state is not BreakerState.HALF_OPEN:
                return now.state is BreakerState.CLOSED
            if now.trial_given:
                return False
            self._become(replace(now, trial_given=True, changed_at=self._clock()))
            return True

    def trip(self, reason: str) -> None:
        """Open it until `reset`, for a reason that a person can read; a second reason is added."""
        if not reason.strip():
            raise RiskError("a halt needs a reason that the operator can read")
        with self._lock:
            now = self._now()
            known = now.reasons if reason in now.reasons else (*now.reasons, reason)
            opened = now.changed_at if now.state is BreakerState.OPEN else self._clock()
            self._become(BreakerStatus(BreakerState.OPEN, known, True, now.failures, opened, False))

    def record_failure(self, reason: str) -> None:
        """Count a failure; `failure_limit` in a row, or one when HALF_OPEN, open it for a while."""
        with self._lock:
            now = self._now()
            counted = replace(now, failures=now.failures + 1)
            tried = now.state is BreakerState.HALF_OPEN
            full = now.state is BreakerState.CLOSED and counted.failures >= self._failure_limit
            if tried or full:
                why = f"{counted.failures} failures in a row, the last: {reason}"
                counted = BreakerStatus(
                    BreakerState.OPEN, (why,), False, counted.failures, self._clock()
                )
            self._become(counted)

    def record_success(self) -> None:
        """Forget the failures in a row; when HALF_OPEN, close. What is OPEN stays open."""
        with self._lock:
            now = self._now()
            if now.state is BreakerState.HALF_OPEN:
                self._become(BreakerStatus(changed_at=self._clock()))
            elif now.failures:
                self._become(replace(now, failures=0))

    def reset(self) -> None:
        """Close it by hand, whatever opened it."""
        with self._lock:
            self._become(BreakerStatus(changed_at=self._clock()))

    def _now(self) -> BreakerStatus:
        """Return the status, with a cool-down that has passed taken into account."""
        status = self._status
        waits = status.state is BreakerState.OPEN or status.trial_given
        if not waits or status.manual or status.changed_at is None:
            return status
        if self._clock() - status.changed_at < self._cool_down:
            return status
        return replace(status, state=BreakerState.HALF_OPEN, trial_given=False)

    def _become(self, status: BreakerStatus) -> None:
        if status == self._status:
            return
        # Where the disk fails, the safer state counts: a halt at once, a release once it is stored.
        if status.state is BreakerState.OPEN:
            self._status = status
        if self._path is not None:
            _write(self._path, status)
        self._status = status


def _read(path: Path) -> BreakerStatus:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RiskError(
            f"the circuit breaker's state {path} cannot be read ({error}); find out whether "
            "trading was halted, then mend or remove it"
        ) from error
    if not isinstance(stored, dict):
        raise RiskError(f"{path} does not hold the state of a circuit breaker; mend or remove it")
    return BreakerStatus.from_json(stored)


def _write(path: Path, status: BreakerStatus) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(status.to_json(), indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StoreError(
            f"the circuit breaker's state {status.state} cannot be stored in {path} ({error}); "
            "make room, then set it again: a restart would not know of it"
        ) from error
