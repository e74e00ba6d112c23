"""What the eye sees of a fetch: its plan, its progress, and what came of it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from trading.cli.output import console, result, table
from trading.data.backfill import Account, BackfillPlan, joined_gaps
from trading.data.intake import IntakeProgress, IntakeResult, SessionOutcome, SessionStatus
from trading.data.intake.outcome import gap_to_dict
from trading.data.providers import MissingBars

COLOUR = {
    SessionStatus.COMPLETE: "green",
    SessionStatus.PARTIAL: "yellow",
    SessionStatus.QUARANTINED: "red",
    SessionStatus.FAILED: "red",
    SessionStatus.LEFT: "yellow",
}
SHOWN_SESSIONS, SHOWN_MISSING, SHOWN_ALERTS = 10, 10, 10
# Without a terminal a line is printed this often, in seconds, and at every tenth.
LINE_SECONDS = 30.0
Report = Callable[[IntakeProgress], None]


def duration(seconds: float) -> str:
    """Return a time in words, such as `2 h 51 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours / 24:.0f} days"


def size(count: float) -> str:
    """Return bytes in words, such as `540 MB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count:,.0f} bytes"


def print_plan(plan: BackfillPlan) -> None:
    """Print what a backfill will ask, how long it takes and what it leaves."""
    backups = f", then {', '.join(plan.backups)} for what is left out" if plan.backups else ""
    asked = f"{plan.provider} (plan {plan.plan_name})" if plan.limits else plan.provider
    console.print(
        f"[bold]{plan.first} to {plan.last}[/] from {escape(asked)}{backups}", soft_wrap=True
    )
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="dim")
    shown.add_column()
    for name, words in _rows_of(plan):
        shown.add_row(name, escape(words))
    console.print(shown)


def _rows_of(plan: BackfillPlan) -> Iterator[tuple[str, str]]:
    counts = [f"{len(plan.ask):,} to ask"]
    counts += [f"{plan.held:,} held already"] if plan.held else []
    counts += [f"{plan.future:,} not over yet"] if plan.future else []
    closed = f"; {plan.holidays:,} holidays" if plan.holidays else ""
    yield "sessions", f"{plan.sessions:,} of {plan.exchange}: {', '.join(counts)}{closed}"
    yield "symbols", plan.universe
    if not plan.ask:
        return
    for position, cost in enumerate(plan.costs):
        about = "" if cost.exact else "about "
        yield "" if position else "requests", f"{about}{cost.calls:,} {cost.what}"
    if plan.limits is not None:
        per_day = plan.limits.per_day
        yield (
            "limits",
            f"{plan.limits.per_minute:,g} a minute, {plan.limits.concurrency} at once"
            + (f", {per_day:,} a day" if per_day else ""),
        )
        pace = plan.pace
        yield (
            "answers",
            f"{pace.seconds_a_call:.2f} s each, "
            + (f"measured on {pace.measured}" if pace.measured else "assumed: none measured yet"),
        )
    days = f", over {plan.quota_days:,} days of the plan's quota" if plan.quota_days > 1 else ""
    yield "time", f"about {duration(plan.seconds)}{days}"
    free = "" if plan.free_bytes is None else f" of {size(plan.free_bytes)} free"
    yield "disk", f"at most {size(plan.disk_bytes)}{free}, for {plan.bars:,} bars"


@contextmanager
def shown_progress(total: int) -> Iterator[Report]:
    """Yield what to call with each step: bars on a terminal, a line now and then elsewhere.

    `total` is how many sessions are to be stored.
    """
    if not console.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        sessions = bars.add_task("sessions stored", total=total)
        part = bars.add_task("asking", total=None)

        def report(step: IntakeProgress) -> None:
            bars.update(sessions, completed=step.sessions_done, total=step.sessions_total)
            waited = f", waited {duration(step.waited)}" if step.waited >= 1 else ""
            bars.update(
                part,
                description=f"{escape(step.stage)} ({step.calls:,} requests{waited})",
                completed=step.done,
                total=step.total or None,
            )

        yield report


def _lines() -> Report:
    told = {"at": time.monotonic(), "tenth": 0}

    def report(step: IntakeProgress) -> None:
        now = time.monotonic()
        tenth = 10 * step.sessions_done // max(1, step.sessions_total)
        if tenth <= told["tenth"] and now - told["at"] < LINE_SECONDS:
            return
        told["tenth"], told["at"] = max(tenth, told["tenth"]), now
        console.print(
            f"  {step.sessions_done:,} of {step.sessions_total:,} sessions stored; "
            f"{escape(step.stage)} {step.done:,} of {step.total:,}, {step.calls:,} requests"
        )

    return report


def print_outcome(done: IntakeResult, pages: Mapping[date, str], to: Console = result) -> None:
    """Print what came of every session that is not simply complete, and what is missing."""
    counts = {status: done.count(status) for status in SessionStatus}
    told = [f"{count:,} {status}" for status, count in counts.items() if count]
    to.print(f"sessions: {', '.join(told) or 'none'}; {done.bars:,} bars from {done.source}")
    _print_sessions(done.outcomes, pages, to)
    _print_missing(_joined(done), to)
    reasons = {reason for outcome in done.outcomes for reason in outcome.reasons}
    # A reason that stands beside its sessions is not told twice.
    alerts = [alert for alert in done.told() if not any(reason in alert for reason in reasons)]
    for alert in alerts[:SHOWN_ALERTS]:
        to.print(f"[yellow]alert:[/] {escape(alert)}", soft_wrap=True)
    if len(alerts) > SHOWN_ALERTS:
        to.print(f"and {len(alerts) - SHOWN_ALERTS:,} alerts more (--json lists them all)")


def _joined(done: IntakeResult) -> tuple[MissingBars, ...]:
    return joined_gaps(done.missing, [outcome.session for outcome in done.outcomes])


def _print_sessions(
    outcomes: Sequence[SessionOutcome], pages: Mapping[date, str], to: Console
) -> None:
    # What partial sessions lack is listed by symbol.
    plain = {
        SessionStatus.COMPLETE,
        SessionStatus.PARTIAL,
        SessionStatus.HELD,
        SessionStatus.HOLIDAY,
    }
    shown = [o for o in outcomes if o.status not in plain]
    if len(outcomes) <= SHOWN_SESSIONS:
        shown = list(outcomes)
    # Sessions that came to nothing for the same reason, one after the other, are one line.
    runs = [list(run) for _, run in groupby(shown, key=_alike)]
    for run in runs[:SHOWN_SESSIONS]:
        to.print(_line_of(run), soft_wrap=True)
        if run[0].session in pages:
            to.print(f"    page: {pages[run[0].session]}", soft_wrap=True, markup=False)
    if hidden := sum(len(run) for run in runs[SHOWN_SESSIONS:]):
        to.print(f"  and {hidden:,} sessions more (--json lists them all)")


def _alike(outcome: SessionOutcome) -> tuple[object, ...]:
    told = (outcome.status, outcome.reasons)
    return (*told, outcome.session) if outcome.bars or outcome.missing else told


def _line_of(run: Sequence[SessionOutcome]) -> str:
    """Return what became of one session, or of several of which nothing came, as markup."""
    outcome, last = run[0], run[-1].session
    sources = ", ".join(f"{name} {count:,}" for name, count in outcome.sources.items())
    told = [f"{outcome.bars:,} bars" + (f" ({sources})" if sources else "")] if outcome.bars else []
    told += [f"verdict {outcome.verdict}"] if outcome.verdict else []
    told += [f"{sum(g.sessions for g in outcome.missing):,} missing"] if outcome.missing else []
    told += list(outcome.reasons[:2])
    days = str(outcome.session)
    days += f" to {last} ({len(run):,} sessions)" if len(run) > 1 else ""
    colour = COLOUR.get(outcome.status, "dim")
    return f"  {days} [{colour}]{outcome.status}[/]: {escape('; '.join(told) or 'no bars')}"


def _print_missing(missing: Sequence[MissingBars], to: Console) -> None:
    if not missing:
        return
    names = {gap.symbol for gap in missing}
    bars = sum(gap.sessions for gap in missing)
    to.print(f"missing: {bars:,} bars of {len(names):,} symbols")
    for gap in missing[:SHOWN_MISSING]:
        span = f"{gap.first}" if gap.first == gap.last else f"{gap.first} to {gap.last}"
        fields = f" ({', '.join(gap.fields)})" if gap.fields else ""
        to.print(f"  {gap.symbol} {span}{fields}: {gap.reason}", soft_wrap=True, markup=False)
    if len(missing) > SHOWN_MISSING:
        to.print(f"  and {len(missing) - SHOWN_MISSING:,} gaps more (--json lists them all)")


def print_account(account: Account) -> None:
    """Print the estimate beside what was measured."""
    shown = table("", "", "planned", "taken", right=("planned", "taken"))
    shown.add_row("requests", f"{account.planned_calls:,}", f"{account.calls:,}")
    shown.add_row("time", duration(account.planned_seconds), duration(account.seconds))
    shown.add_row("bars", f"{account.planned_bars:,}", f"{account.bars:,}")
    written = account.bytes_written
    taken = "not measured" if written is None else size(written)
    shown.add_row("disk", size(account.planned_bytes), taken)
    console.print(shown)
    for name, source in account.sources.items():
        if source.attempts:
            mean = source.seconds_a_call
            each = "" if mean is None else f", {mean:.2f} s an answer"
            console.print(
                f"  {name}: {source.attempts:,} requests, {source.retries:,} of them again"
                f" (waited {duration(source.waited)}){each}"
            )


def outcome_json(done: IntakeResult, pages: Mapping[date, str]) -> dict[str, Any]:
    """Return every session, every gap and every alert as plain JSON values."""
    return {
        "source": done.source,
        "counts": {str(s): n for s in SessionStatus if (n := done.count(s))},
        "sessions": [
            {name: value for name, value in outcome.to_dict().items() if name != "missing"}
            | {"page": pages.get(outcome.session)}
            for outcome in done.outcomes
        ],
        "missing": [gap_to_dict(gap) for gap in _joined(done)],
        "alerts": list(done.told()),
    }
