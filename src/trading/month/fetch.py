"""Fetch sessions into the lake, judge them, and tell the operator what is not as it should be."""

from collections.abc import Callable
from datetime import date

import boto3

from trading.config import Settings
from trading.data.intake import (
    Absent,
    Intake,
    IntakeResult,
    SessionStatus,
    absent,
    inspect_sessions,
    open_intake,
    quality_page_key,
    read_record,
    recent_symbols,
    refresh_fundamentals,
    told_delisted,
)
from trading.data.intake.outcome import STORED
from trading.data.intake.pulse import Pulse
from trading.data.providers.keys import KeyResolver, environment_keys, secrets_manager_keys
from trading.data.quality import QualityReport, QualityVerdict
from trading.errors import DataError
from trading.market.calendar import last_session_before, sessions_between, today
from trading.month.operator import tell_operator
from trading.month.payloads import Fetched, Quality, SessionRange
from trading.month.resources import Resources
from trading.month.universe import latest_slots

# Sessions before the last that a daily fetch fills or completes where something is missing.
LOOK_BACK_SESSIONS = 21
SHOWN_SYMBOLS = 40


def fetch_sessions(
    request: SessionRange,
    resources: Resources,
    *,
    remaining: Callable[[], float] | None = None,
) -> Fetched:
    """Bring sessions into the lake; without a range those from the lake's last to yesterday's.

    Fetching what the lake holds changes nothing. What `remaining` (seconds) does not allow is
    left, and the answer says so. A session that did not come is told to the operator when there is
    no further attempt. For a month, raises `DataError` when a session did not come or is left.
    """
    settings = resources.settings
    sessions = _sessions(request, resources)
    intake = open_intake(
        settings,
        resources.data,
        expected=_expected(resources),
        keys=_keys(resources),
    )
    result = intake.run(sessions, remaining=remaining)
    fetched = _fetched(result, request, settings)
    if fetched.sessions and not fetched.again and request.month is None:
        told = _refresh_fundamentals(intake, resources, remaining)
        fetched = fetched.model_copy(update={"fundamentals": told})
    if result.symbols:
        tell_operator(resources, "Market data: symbols", result.symbols, severity="warning")
    failed = [o for o in result.outcomes if o.status is SessionStatus.FAILED]
    if failed and not fetched.again:
        tell_operator(
            resources,
            f"Market data: {len(failed)} sessions could not be fetched",
            [f"{o.session}: {'; '.join(o.reasons)}" for o in failed],
            severity="warning",
        )
    if request.month is not None and (failed or result.left):
        lost = failed[0] if failed else None
        reason = "; ".join(lost.reasons) if lost else "the time ran short; it is continued"
        raise SessionsLeft(
            f"{len(failed)} sessions could not be fetched and {len(result.left)} are left: {reason}"
        )
    return fetched


class SessionsLeft(DataError):
    """Sessions that a month needs did not come yet: calling the fetch again continues."""


def check_sessions(request: SessionRange, resources: Resources) -> Quality:
    """Judge a range of sessions, and write a report beside each; one that fails is quarantined.

    The operator is told of sessions that fail or warn, lack bars, or came from a backup. For a
    month, raises `DataError` with the reasons when one fails.
    """
    sessions = _sessions(request, resources)
    if request.only is not None:
        sessions = [session for session in sessions if session in set(request.only)]
    reports = inspect_sessions(resources.data, sessions, resources.settings)
    lines = [line for report in reports for line in _lines(report, resources)]
    verdicts = {report.verdict for report in reports}
    failed = [r for r in reports if r.verdict is QualityVerdict.FAIL]
    if lines:
        worst = "quarantined" if failed else "to be looked at"
        subject = f"Market data of {sessions[-1]}: {worst}"
        tell_operator(resources, subject, lines, severity="warning")
    reasons = [f"{r.session}: {'; '.join(r.reasons)}" for r in reports if r.reasons]
    if failed and request.month is not None:
        told = " | ".join(f"{r.session}: {'; '.join(r.reasons)}" for r in failed)
        raise DataError(f"the data is not good enough: {told}")
    ranked = (QualityVerdict.FAIL, QualityVerdict.WARN, QualityVerdict.PASS)
    verdict = next((v for v in ranked if v in verdicts), QualityVerdict.PASS)
    return Quality(verdict=verdict.value, sessions=len(sessions), reasons=tuple(reasons[:20]))


def _fetched(result: IntakeResult, request: SessionRange, settings: Settings) -> Fetched:
    stored = [o.session for o in result.outcomes if o.status in STORED]
    failed = result.count(SessionStatus.FAILED)
    hopeful = any(
        (o.status is SessionStatus.FAILED and o.may_pass) or any(gap.soon for gap in o.missing)
        for o in result.outcomes
    )
    again = bool(result.left)
    attempt, wait = request.attempt, 1
    if not again and hopeful and request.attempt + 1 < settings.schedule.fetch_attempts:
        again, attempt, wait = True, attempt + 1, settings.schedule.fetch_retry_seconds
    return Fetched(
        sessions=len(stored),
        rows=result.bars,
        source=result.source,
        first=min(stored, default=None),
        last=max(stored, default=None),
        stored=tuple(stored),
        missing=len(result.missing),
        failed=failed,
        left=len(result.left),
        again=again,
        attempt=attempt,
        wait_seconds=wait,
    )


def _lines(report: QualityReport, resources: Resources) -> list[str]:
    """Return what the operator has to read about a session; nothing when all is well."""
    record, _ = read_record(resources.data, report.session)
    lines = [*report.reasons, *record.alerts]
    lines += [reason for reason in record.reasons if reason not in lines]
    after = resources.settings.data.quality.presume_delisted_sessions
    gone = absent(resources.data, report.session, after)
    lines += _absences(gone, after)
    lines += [f"repaired: {repair['symbol']}: {repair['evidence']}" for repair in record.repairs]
    if not lines:
        return []
    if gone.counted:
        lines.append(f"presumed delisted before, and not named: {len(gone.counted):,}")
    where = f"{resources.data.uri}/{quality_page_key(report.session)}"
    found = {
        QualityVerdict.PASS: "passed its check",
        QualityVerdict.WARN: "passed its check with warnings",
        QualityVerdict.FAIL: "failed its check and is quarantined: it is kept and not served",
    }[report.verdict]
    head = f"{report.session} ({report.present:,} bars) {found}."
    return [head, *(f"- {line}" for line in lines), f"- report: {where}", ""]


def _absences(found: Absent, sessions: int) -> list[str]:
    """Return who is missing and is to be read about: not who is gone for long."""
    told = (
        ("missing", found.missing),
        (
            f"presumed delisted, missing for {sessions} sessions (told once; `trading data "
            "delisted` says what was paid)",
            found.presumed,
        ),
        ("trading again", found.back),
    )
    return [f"{what}: {_shown(names)}" for what, names in told if names]


def _shown(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_SYMBOLS:,} more" if len(names) > SHOWN_SYMBOLS else ""
    return f"{', '.join(names[:SHOWN_SYMBOLS])}{more}"


def _sessions(request: SessionRange, resources: Resources) -> list[date]:
    """Return the sessions asked for, or what the lake lacks up to the last that ended.

    Without a range the last sessions held are among them: what they still miss is asked again.
    """
    settings = resources.settings
    exchange = settings.data.exchange
    end = request.end or last_session_before(today(settings.schedule.timezone), exchange)
    start = request.start
    if start is None:
        held = resources.lake.sessions()
        if not len(held):
            raise DataError(
                "the lake is empty: fill its history first (`trading backfill --from DAY`, or "
                "`trading month`)"
            )
        start = min(held[-LOOK_BACK_SESSIONS:][0].astype(object), end)
    return [day.astype(object) for day in sessions_between(start, end, exchange)]


def _refresh_fundamentals(
    intake: Intake, resources: Resources, remaining: Callable[[], float] | None
) -> int:
    """Ask some fundamentals anew, and return how many; that none came is told, not fatal."""
    settings = resources.settings
    refreshed = refresh_fundamentals(
        intake,
        resources.lake,
        today=today(settings.schedule.timezone),
        limit=settings.schedule.fundamentals_a_day,
        pulse=Pulse(remaining=remaining),
    )
    if refreshed.failure is not None:
        tell_operator(
            resources,
            "Fundamentals could not be refreshed",
            [
                f"None of {refreshed.asked:,} symbols has fundamentals: {refreshed.failure}.",
                "Bars are not concerned. Add a provider that tells them to data.providers.backups, "
                "or set schedule.fundamentals_a_day to 0.",
            ],
            severity="warning",
        )
    return refreshed.told


def _expected(resources: Resources) -> tuple[str, ...] | None:
    """Return the universe: the current slots' members, and who traded in the last sessions.

    Members whose delisting was told are not asked for, unless they trade.
    """
    if resources.settings.data.provider == "simulated":
        return None
    slots = latest_slots(resources.data)
    members = set() if slots is None else set(slots.active)
    gone = told_delisted(resources.lake, today(resources.settings.schedule.timezone))
    return tuple(sorted({*(members - gone), *recent_symbols(resources.lake)})) or None


def _keys(resources: Resources) -> KeyResolver:
    """Return where API keys are: Secrets Manager in a deployment, else the environment."""
    prefix = resources.names.get("TRADING_PROVIDER_SECRETS")
    if not prefix:
        return environment_keys(resources.names)
    return secrets_manager_keys(boto3.client("secretsmanager"), prefix)
