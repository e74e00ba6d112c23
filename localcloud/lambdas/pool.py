"""Execution environments kept warm, and how many there may be."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localcloud.errors import CloudError
from localcloud.lambdas.environment import ExecutionEnvironment
from localcloud.lambdas.function import Function

ENVIRONMENTS = "LOCALCLOUD_ENVIRONMENTS"


class ThrottledError(CloudError):
    """A concurrency limit refuses the invocation.

    Attributes
    ----------
    reason
        Lambda's name of the limit.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """How many environments this machine carries, and how long.

    Attributes
    ----------
    environments
        Live environments of all functions; an invocation beyond them waits, since this limit is
        the machine's and not AWS's.
    per_function
        Live environments of one function: more would only share the same cores.
    idle_seconds
        An environment idle for longer is ended.
    account_concurrency
        Invocations at once, AWS's default quota of an account.
    wait_seconds
        Longest wait for an environment before the invocation is throttled.
    """

    environments: int = 8
    per_function: int = max(2, os.cpu_count() or 1)
    idle_seconds: float = 60.0
    account_concurrency: int = 1000
    wait_seconds: float = 300.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Limits":
        """Return the defaults, or with `$LOCALCLOUD_ENVIRONMENTS` that many, kept for long.

        A cloud that runs the same month again and again starts each function once with them.
        Raises `CloudError` when it is no positive number.
        """
        given = environ.get(ENVIRONMENTS)
        if not given:
            return cls()
        if not given.isdecimal() or int(given) < 1:
            raise CloudError(f"{ENVIRONMENTS} must be a number of at least 1, not {given!r}")
        return cls(environments=int(given), idle_seconds=_KEPT_SECONDS)


class EnvironmentPool:
    """Hands out execution environments.

    Parameters
    ----------
    start
        Starts an environment of a function.
    limits
        How many there may be.
    """

    def __init__(
        self, start: Callable[[Function], ExecutionEnvironment], limits: Limits | None = None
    ) -> None:
        self._start = start
        self._limits = limits or Limits.from_environment()
        self._idle: list[ExecutionEnvironment] = []
        self._live: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False
        self._busy: set[ExecutionEnvironment] = set()
        threading.Thread(target=self._reap, name="lambda-reaper", daemon=True).start()

    def acquire(self, function: Function) -> ExecutionEnvironment:
        """Return an environment for one invocation; give it back with `release`.

        The one used last comes first, so that the others fall idle. Raises `ThrottledError` at a
        concurrency limit of AWS, or when the machine stays full for too long.
        """
        with self._changed:
            self._admit(function)
            try:
                environment = self._await_place(function)
            except BaseException:
                self._in_flight[function.arn] -= 1
                raise
        if environment is None:
            environment = self._start_one(function)
        with self._changed:
            self._busy.add(environment)
            closed = self._closed
        if closed:
            self.release(environment)
            raise CloudError("the cloud is stopping, so it runs no further function")
        return environment

    def release(self, environment: ExecutionEnvironment) -> None:
        """Take an environment back: it stays warm, or is ended when it is of no further use."""
        with self._changed:
            self._busy.discard(environment)
            self._in_flight[environment.function.arn] -= 1
            keep = environment.usable and not self._closed
            if keep:
                self._idle.append(environment)
            else:
                self._live[environment.function.arn] -= 1
            self._changed.notify_all()
        if not keep:
            environment.close()

    def end(self, access_key_id: str, *, overdue: bool) -> bool:
        """End the busy environment that calls with a key; tell whether there is one.

        It ends as if its time limit had come when `overdue`, else as if its process had died.
        """
        with self._changed:
            found = next((one for one in self._busy if one.access_key_id == access_key_id), None)
        if found is None:
            return False
        if overdue:
            found.run_out_of_time()
        else:
            found.close()
        return True

    def live(self) -> int:
        """Return how many environments there are, busy, idle or starting."""
        with self._changed:
            return self._live.total()

    def close(self) -> None:
        """End every environment, also busy ones, and start none any more."""
        with self._changed:
            self._closed = True
            ending = [*self._idle, *self._busy]
            self._idle.clear()
            self._changed.notify_all()
        for environment in ending:
            environment.close()

    def _admit(self, function: Function) -> None:
        if function.reserved is not None and self._in_flight[function.arn] >= function.reserved:
            raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
        if self._in_flight.total() >= self._limits.account_concurrency:
            raise ThrottledError("ConcurrentInvocationLimitExceeded")
        self._in_flight[function.arn] += 1

    def _await_place(self, function: Function) -> ExecutionEnvironment | None:
        """Return a warm environment, or None when a new one may be started."""
        deadline = time.monotonic() + self._limits.wait_seconds
        while True:
            if self._closed:
                raise CloudError("the cloud is stopping, so it runs no further function")
            self._retire(lambda one: not one.usable or one.expires < time.time() + _MARGIN)
            for environment in reversed(self._idle):
                if environment.function.revision == function.revision:
                    self._idle.remove(environment)
                    return environment
            self._retire(lambda one: one.function.arn == function.arn)
            if self._may_start(function):
                self._live[function.arn] += 1
                return None
            left = deadline - time.monotonic()
            if left <= 0:
                raise ThrottledError("LocalEnvironmentLimitExceeded")
            self._changed.wait(left)

    def _may_start(self, function: Function) -> bool:
        if self._live[function.arn] >= self._limits.per_function:
            return False
        if self._live.total() < self._limits.environments:
            return True
        if not self._idle:
            return False
        oldest = min(self._idle, key=lambda one: one.idle_since)
        self._retire(lambda one: one is oldest)
        return True

    def _retire(self, unwanted: Callable[[ExecutionEnvironment], bool]) -> None:
        ending = [one for one in self._idle if unwanted(one)]
        for environment in ending:
            self._idle.remove(environment)
            self._live[environment.function.arn] -= 1
            environment.close()

    def _start_one(self, function: Function) -> ExecutionEnvironment:
        try:
            return self._start(function)
        except BaseException:
            with self._changed:
                self._live[function.arn] -= 1
                self._in_flight[function.arn] -= 1
                self._changed.notify_all()
            raise

    def _reap(self) -> None:
        while not self._closed:
            with self._changed:
                self._changed.wait(min(5.0, self._limits.idle_seconds))
                self._retire(self._superfluous)

    def _superfluous(self, environment: ExecutionEnvironment) -> bool:
        idle = time.monotonic() - environment.idle_since
        return idle > self._limits.idle_seconds or not environment.usable


_KEPT_SECONDS = 1800.0
_MARGIN = 960.0  # Lambda's longest timeout is 900 seconds; credentials must outlast it.
