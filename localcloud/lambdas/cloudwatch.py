"""Ship the log events of functions to CloudWatch Logs, with each function's own role."""

import logging
import queue
import threading
from dataclasses import dataclass

from localcloud.context import CloudContext
from localcloud.lambdas.log_stream import LogEvent

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamName:
    """Where an environment logs.

    Attributes
    ----------
    function
        Name of the function.
    role
        ARN of its execution role.
    group
        `/aws/lambda/<function>`.
    stream
        `YYYY/MM/DD/[version]<id>`.
    """

    function: str
    role: str
    group: str
    stream: str


class LogShipper:
    """Writes log events to moto's CloudWatch Logs, in order, on one thread.

    As on AWS, the runtime writes with the permissions of the execution role: without
    `logs:CreateLogStream` and `logs:PutLogEvents` a function runs but leaves no logs there. The
    local log file has them in any case.
    """

    def __init__(self, context: CloudContext) -> None:
        self._context = context
        self._queue: queue.SimpleQueue[tuple[StreamName, list[LogEvent]] | None] = (
            queue.SimpleQueue()
        )
        self._open: dict[StreamName, bool] = {}
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)
        self._thread.start()

    def ship(self, name: StreamName, events: list[LogEvent]) -> None:
        """Hand events over; returns at once."""
        self._queue.put((name, events))

    def close(self) -> None:
        """Ship what is left and stop."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            name, events = item
            try:
                self._put(name, events)
            except Exception:
                LOGGER.exception("the logs of %s could not be shipped to CloudWatch", name.function)

    def _put(self, name: StreamName, events: list[LogEvent]) -> None:
        from moto.logs.models import logs_backends

        backend = logs_backends[self._context.account][self._context.region]
        if name not in self._open:
            self._open[name] = self._allowed(name, "logs:CreateLogStream", name.group)
            if self._open[name]:
                backend.ensure_log_group(name.group)
                backend.create_log_stream(name.group, name.stream)
                self._open[name] = self._allowed(name, "logs:PutLogEvents", name.group)
        if self._open[name]:
            rows = [{"timestamp": time, "message": text} for time, text in events]
            backend.put_log_events(name.group, name.stream, rows)

    def _allowed(self, name: StreamName, action: str, group: str) -> bool:
        resource = (
            f"arn:aws:logs:{self._context.region}:{self._context.account}:"
            f"log-group:{group}:log-stream:{name.stream}"
        )
        allowed = self._context.allowed(name.role, name.function, action, resource)
        if not allowed:
            LOGGER.warning(
                "%s leaves no logs in CloudWatch: its role is not allowed %s",
                name.function,
                action,
            )
        return allowed
