"""Health: whether months and sessions come in time."""

from datetime import date, timedelta
from typing import Literal

from pydantic import ConfigDict

from trading.market.calendar import first_session_of_month, last_session_before, month_of, today
from trading.month.payloads import Payload
from trading.month.resources import Resources

# A month runs for hours and may be redriven: late from the second day after its first session.
MONTH_GRACE = timedelta(days=1)


class HealthRequest(Payload):
    """A question; whatever else the caller sends is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Check(Payload):
    """One thing that was looked at, and what was found."""

    name: Literal["month", "sessions"]
    passed: bool
    found: str


class Health(Payload):
    """What came of all checks; `passed` is whether they all did."""

    environment: str
    passed: bool
    paused: bool
    champion: str | None
    checks: tuple[Check, ...]


def health(request: HealthRequest, resources: Resources) -> Health:  # noqa: ARG001
    """Look at the latest month that is due and at the last session stored.

    A new deployment, which has neither, is healthy. So is a paused one, and it says so.
    """
    now = today(resources.settings.schedule.timezone)
    checks = (_month(now, resources), _sessions(now, resources))
    champion = resources.ledger.champion()
    return Health(
        environment=resources.settings.environment,
        passed=all(check.passed for check in checks),
        paused=resources.ledger.switch.read() is not None,
        champion=champion.version if champion else None,
        checks=checks,
    )


def _month(now: date, resources: Resources) -> Check:
    due = _due_month(now, resources.settings.data.exchange)
    runs = resources.ledger.runs()
    if not runs:
        return Check(name="month", passed=True, found="no month has run yet")
    if runs[-1].month < due:
        return Check(
            name="month", passed=False, found=f"{due} has not run; the last was {runs[-1].month}"
        )
    record = next((run for run in runs if run.month == due), runs[-1])
    found = f"{record.month} run {record.run}: {record.status}"
    return Check(name="month", passed=record.status in {"RUNNING", "SUCCEEDED"}, found=found)


def _due_month(now: date, exchange: str) -> str:
    """Return the latest month that has had the time to run."""
    if now > first_session_of_month(now, exchange) + MONTH_GRACE:
        return month_of(now)
    return month_of(now.replace(day=1) - timedelta(days=1))


def _sessions(now: date, resources: Resources) -> Check:
    stored = resources.lake.sessions()
    if not len(stored):
        return Check(name="sessions", passed=True, found="no session is stored yet")
    exchange = resources.settings.data.exchange
    # The last session is fetched on the morning after it: until then the one before is the last.
    needed = last_session_before(last_session_before(now, exchange), exchange)
    last = stored[-1].astype(object)
    found = f"bars through {last}, {needed} is needed"
    return Check(name="sessions", passed=last >= needed, found=found)
