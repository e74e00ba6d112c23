"""One execution environment: a process with a runtime, its Runtime API, and its watchers."""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.lambdas.function import Function
from localcloud.lambdas.log_stream import LogEvent, LogStream
from localcloud.lambdas.memory import limit_files, peak_memory_mb
from localcloud.lambdas.outcome import (
    MAX_RESPONSE,
    Outcome,
    exited,
    out_of_memory,
    service_error,
    timed_out,
    too_large,
)
from localcloud.lambdas.process import Launcher
from localcloud.lambdas.runtime_api import RuntimeApi

INITIALISATION_SECONDS = 120.0
MEMORY_CHECK_SECONDS = 0.2
MEMORY_ALLOWANCE_MB = 64


@dataclass
class Invocation:
    """One event on its way through an environment.

    Attributes
    ----------
    request_id
        Id that the handler sees as `aws_request_id`.
    event
        The event, JSON.
    trace
        X-Ray trace header.
    client_context
        Client context of the caller, JSON, or None.
    outcome
        How it ended; None while it runs.
    """

    request_id: str
    event: bytes
    trace: str
    client_context: str | None = None
    started: float = 0.0
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Blueprint:
    """What an environment is started with.

    Attributes
    ----------
    function
        The function it runs.
    variables
        The whole process environment, but for the address of the Runtime API.
    directory
        Task root, the process's working folder.
    log_path
        Log file of the function.
    ship
        Takes the environment's log events to CloudWatch Logs.
    expires
        When its credentials end, Unix seconds.
    access_key_id
        The key that its process calls with.
    """

    function: Function
    variables: Mapping[str, str]
    directory: Path
    log_path: Path
    ship: Callable[[list[LogEvent]], None]
    expires: float
    access_key_id: str


@dataclass
class _State:
    """What the threads of an environment share, under its condition."""

    ready: bool = False
    closed: bool = False
    overdue: bool = False
    exit_status: int | None = None
    initialisation_error: bytes | None = None
    waiting: Invocation | None = None
    current: Invocation | None = None
    over_memory: bool = False
    initialised_after: float = 0.0
    reported: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class ExecutionEnvironment:
    """A warm or busy runtime of one function; it handles one invocation at a time.

    Parameters
    ----------
    blueprint
        What it is started with.
    launcher
        How its process is started.
    """

    def __init__(self, blueprint: Blueprint, launcher: Launcher) -> None:
        self.function = blueprint.function
        self.expires = blueprint.expires
        self.access_key_id = blueprint.access_key_id
        self.idle_since = time.monotonic()
        self._state = _State()
        self._started = time.monotonic()
        self._api = RuntimeApi(self)
        variables = {**blueprint.variables, "AWS_LAMBDA_RUNTIME_API": self._api.address}
        try:
            self._process = launcher.launch(self.function.handler, variables, blueprint.directory)
        except BaseException:
            self._api.close()
            raise
        limit_files(self._process.pid, self.function.storage)
        self._log = LogStream(self._process.output, blueprint.log_path, blueprint.ship)
        threading.Thread(target=self._await_exit, name="lambda-exit", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the runtime."""
        return self._process.pid

    @property
    def warm(self) -> bool:
        """Whether its runtime has been initialised."""
        return self._state.ready

    @property
    def usable(self) -> bool:
        """Whether it can take another invocation."""
        return self._state.exit_status is None and not self._state.closed

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run one invocation and return how it ended.

        The time limit runs from the moment the runtime takes the event, as on AWS; a first start
        has `INITIALISATION_SECONDS` of its own, since this machine may be far slower than Lambda.
        An environment that failed, ran out of time or memory is killed and not usable again.
        """
        self._log.restart_tail()
        self._log.write(
            f"START RequestId: {invocation.request_id} Version: {self.function.version}"
        )
        state = self._state
        with state.changed:
            state.current = state.waiting = invocation
            state.changed.notify_all()
        outcome = self._await_start(invocation) or self._await_outcome(invocation)
        with state.changed:
            state.current = state.waiting = None
        self._report(invocation)
        self.idle_since = time.monotonic()
        return Outcome(outcome.payload, outcome.failed, self._log.tail())

    def close(self) -> None:
        """Kill the process and release the environment."""
        with self._state.changed:
            self._state.closed = True
            self._state.changed.notify_all()
        self._process.kill()
        self._api.close()

    def run_out_of_time(self) -> None:
        """End the current invocation as if its time limit had come."""
        with self._state.changed:
            self._state.overdue = True
            self._state.changed.notify_all()

    # What the Runtime API asks for, on its threads.

    def next_invocation(
        self, listening: Callable[[], bool]
    ) -> tuple[Mapping[str, str], bytes] | None:
        """Wait for an invocation and hand it to the runtime while that is `listening`."""
        state = self._state
        with state.changed:
            if not state.ready:
                state.ready = True
                state.initialised_after = time.monotonic() - self._started
                state.changed.notify_all()
            state.changed.wait_for(lambda: state.waiting is not None or self._gone)
            invocation = state.waiting
            if invocation is None or not listening():
                return None
            state.waiting = None
            invocation.started = time.monotonic()
            state.changed.notify_all()
        deadline = int((time.time() + self.function.timeout) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
            "Lambda-Runtime-Trace-Id": invocation.trace,
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        return headers, invocation.event

    def respond(self, request_id: str, payload: bytes) -> bool:
        """Take the handler's response."""
        outcome = Outcome(payload) if len(payload) <= MAX_RESPONSE else too_large()
        return self._settle(request_id, outcome)

    def fail(self, request_id: str, error: bytes) -> bool:
        """Take the handler's exception."""
        return self._settle(request_id, Outcome(error, failed=True))

    def fail_initialisation(self, error: bytes) -> None:
        """Take the error with which the handler's module could not be loaded."""
        with self._state.changed:
            self._state.initialisation_error = error
            self._state.changed.notify_all()

    def _settle(self, request_id: str, outcome: Outcome) -> bool:
        state = self._state
        with state.changed:
            invocation = state.current
            if invocation is None or invocation.request_id != request_id or invocation.outcome:
                return False
            invocation.outcome = outcome
            state.changed.notify_all()
        return True

    @property
    def _gone(self) -> bool:
        return self._state.closed or self._state.exit_status is not None

    def _await_start(self, invocation: Invocation) -> Outcome | None:
        """Wait until the runtime has taken the event; return the failure when it cannot."""
        state = self._state
        with state.changed:
            state.changed.wait_for(
                lambda: invocation.started or state.initialisation_error or self._gone,
                timeout=INITIALISATION_SECONDS,
            )
            if invocation.started:
                return None
            if state.initialisation_error:
                outcome = Outcome(state.initialisation_error, failed=True)
            elif state.exit_status is not None:
                outcome = exited(invocation.request_id, state.exit_status)
            elif state.closed:
                outcome = exited(invocation.request_id, -9)
            else:
                outcome = service_error(
                    "Sandbox.Timedout",
                    f"Init did not end within {INITIALISATION_SECONDS:.0f} seconds",
                    invocation.request_id,
                )
        self.close()
        return outcome

    def _await_outcome(self, invocation: Invocation) -> Outcome:
        state = self._state
        deadline = invocation.started + self.function.timeout
        while True:
            left = deadline - time.monotonic()
            with state.changed:
                state.changed.wait_for(
                    lambda: invocation.outcome is not None or state.overdue or self._gone,
                    timeout=max(0.0, min(left, MEMORY_CHECK_SECONDS)),
                )
                left = 0.0 if state.overdue else left
                settled, status = invocation.outcome, state.exit_status
                closed = state.closed
            outcome = self._failure(invocation, status, closed, left, settled is not None)
            if outcome is not None:
                self.close()
                return outcome
            if settled is not None:
                return settled

    def _failure(
        self,
        invocation: Invocation,
        status: int | None,
        closed: bool,
        left: float,
        settled: bool,
    ) -> Outcome | None:
        """Return why the invocation must end without the handler's answer, or None."""
        limit = self.function.memory + MEMORY_ALLOWANCE_MB
        if status is None and peak_memory_mb(self.pid) > limit:
            return out_of_memory(invocation.request_id)
        if settled:
            return None
        if status is not None:
            return exited(invocation.request_id, status)
        if closed:
            return exited(invocation.request_id, -9)
        if left <= 0:
            return timed_out(invocation.request_id, self.function.timeout)
        return None

    def _report(self, invocation: Invocation) -> None:
        self._log.drain()
        began = invocation.started or time.monotonic()
        duration = (time.monotonic() - began) * 1000
        peak = peak_memory_mb(self.pid) if self.usable else 0
        line = (
            f"REPORT RequestId: {invocation.request_id}\tDuration: {duration:.2f} ms\t"
            f"Billed Duration: {duration + 1:.0f} ms\tMemory Size: {self.function.memory} MB"
        )
        if peak:
            line += f"\tMax Memory Used: {peak:.0f} MB"
        if not self._state.reported:
            self._state.reported = True
            line += f"\tInit Duration: {self._state.initialised_after * 1000:.2f} ms"
        self._log.write(f"END RequestId: {invocation.request_id}")
        self._log.write(line)

    def _await_exit(self) -> None:
        status = self._process.wait()
        with self._state.changed:
            self._state.exit_status = status
            self._state.changed.notify_all()
        self._log.finish()
        self._api.close()


def new_invocation(event: bytes, client_context: str | None = None) -> Invocation:
    """Return an invocation with a request id and a trace header of its own."""
    trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
    return Invocation(str(uuid.uuid4()), event, trace, client_context)
