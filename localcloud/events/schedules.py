"""Fire schedules of EventBridge Scheduler and scheduled rules while the cloud is up."""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.context import CloudContext
from localcloud.events.outbox import Delivery, Outbox
from localcloud.events.rules import EVENTS_SERVICE
from localcloud.events.schedule_expression import ScheduleExpressionError, parse_schedule
from localcloud.events.targets import as_json, target

LOGGER = logging.getLogger(__name__)
SCHEDULER_SERVICE = "scheduler.amazonaws.com"
TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Timed:
    """Something that fires by the clock, as it is configured now.

    Attributes
    ----------
    arn
        ARN of the schedule or rule.
    expression
        Schedule expression.
    zone
        Its time zone.
    since
        From when a rate counts, UTC.
    window
        First and last moment at which it may fire; None is open.
    deliveries
        Returns what firing at a moment delivers.
    finish
        Called after a schedule without a next time has fired.
    """

    arn: str
    expression: str
    zone: str
    since: datetime
    window: tuple[datetime | None, datetime | None]
    deliveries: Callable[[datetime], tuple[Delivery, ...]]
    finish: Callable[[], None]


class Clockwork:
    """Fires what is due, once a second.

    What was due while the cloud was down is not made up for, nor is more than one firing when the
    machine slept; a month that did not start is started by hand.

    Parameters
    ----------
    context
        The running cloud.
    outbox
        Takes what is fired.
    """

    def __init__(self, context: CloudContext, outbox: Outbox) -> None:
        self._context = context
        self._outbox = outbox
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clockwork", daemon=True)
        self._first_seen: dict[tuple[str, str], datetime] = {}
        self._next: dict[tuple[str, str, str, datetime], datetime | None] = {}

    def start(self) -> None:
        """Begin now; harmless when it has begun."""
        if not self._thread.is_alive() and not self._stopping.is_set():
            self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def fire(self, previous: datetime, now: datetime) -> list[str]:
        """Fire what fell due after `previous` and until `now`; return the ARNs."""
        fired = []
        for one in (*self._schedules(), *self._rules()):
            if not _open(one, now):
                continue
            due = self._next_time(one, previous)
            if due is None or due > now:
                continue
            self._outbox.enqueue(*one.deliveries(due))
            fired.append(one.arn)
            self._next.pop(_key(one), None)
            if self._next_time(one, now) is None:
                one.finish()
        return fired

    def _next_time(self, one: Timed, previous: datetime) -> datetime | None:
        key = _key(one)
        known = self._next.get(key)
        if key not in self._next or (known is not None and known <= previous):
            try:
                schedule = parse_schedule(one.expression, zone=one.zone, start=one.since)
                self._next[key] = schedule.after(previous)
            except ScheduleExpressionError as error:
                LOGGER.warning("%s never fires: %s", one.arn, error)
                self._next[key] = None
        return self._next[key]

    def _run(self) -> None:
        previous = datetime.now(UTC)
        while not self._stopping.wait(TICK_SECONDS):
            now = datetime.now(UTC)
            try:
                self.fire(previous, now)
            except Exception:
                LOGGER.exception("schedules could not be fired")
            previous = now

    def _schedules(self) -> Iterator[Timed]:
        from moto.scheduler.models import scheduler_backends

        backend = scheduler_backends[self._context.account][self._context.region]
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED":
                    yield _from_schedule(group, schedule)

    def _rules(self) -> Iterator[Timed]:
        from moto.events.models import events_backends

        backend = events_backends[self._context.account][self._context.region]
        for rule in list(backend.event_buses["default"].rules.values()):
            if rule.state == "ENABLED" and rule.scheduled_expression:
                key = (rule.arn, rule.scheduled_expression)
                seen = self._first_seen.setdefault(key, datetime.now(UTC))
                yield _from_rule(self._context, rule, seen)


def _key(one: Timed) -> tuple[str, str, str, datetime]:
    return (one.arn, one.expression, one.zone, one.since)


def _open(one: Timed, now: datetime) -> bool:
    first, last = one.window
    return (first is None or first <= now) and (last is None or now <= last)


def _from_schedule(group: Any, schedule: Any) -> Timed:
    settings = schedule.target

    def deliveries(due: datetime) -> tuple[Delivery, ...]:
        return (
            target(
                settings["Arn"],
                _with_context(settings.get("Input") or "{}", schedule.arn, due),
                service=SCHEDULER_SERVICE,
                source=schedule.arn,
                role=settings["RoleArn"],
                settings=settings,
            ),
        )

    def finish() -> None:
        if schedule.action_after_completion == "DELETE":
            group.schedules.pop(schedule.name, None)

    return Timed(
        schedule.arn,
        schedule.schedule_expression,
        schedule.schedule_expression_timezone,
        _moment(schedule.start_date) or _created(schedule),
        (_moment(schedule.start_date), _moment(schedule.end_date)),
        deliveries,
        finish,
    )


def _with_context(text: str, arn: str, due: datetime) -> str:
    """Put a schedule's context attributes into its input.

    Source: EventBridge Scheduler User Guide, "Adding context attributes".
    """
    due_text = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attributes = {
        "schedule-arn": arn,
        "scheduled-time": due_text,
        "execution-id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn} {due_text}")),
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _from_rule(context: CloudContext, rule: Any, since: datetime) -> Timed:
    def deliveries(due: datetime) -> tuple[Delivery, ...]:
        event = {
            "version": "0",
            "id": f"{rule.name}-{due:%Y%m%dT%H%M%SZ}",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": context.account,
            "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": context.region,
            "resources": [rule.arn],
            "detail": {},
        }
        return tuple(
            target(
                one["Arn"],
                one.get("Input") or as_json(event),
                service=EVENTS_SERVICE,
                source=rule.arn,
                role=one.get("RoleArn") or rule.role_arn,
                settings=one,
            )
            for one in rule.targets
        )

    return Timed(
        rule.arn, rule.scheduled_expression, "UTC", since, (None, None), deliveries, lambda: None
    )


def _created(schedule: Any) -> datetime:
    return datetime.fromtimestamp(float(schedule.creation_date), UTC)


def _moment(value: Any) -> datetime | None:
    """Return a date of moto's schedules, Unix seconds or a datetime, as UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)
