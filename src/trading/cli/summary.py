"""What came of a month: for the eye, and as one JSON object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.panel import Panel

from trading.cli.audit import audit_summary
from trading.cli.output import console, number, percent, result, table
from trading.cli.watch import BOOKKEEPING, ExecutionWatch
from trading.errors import NotFoundError
from trading.evaluation.gate import CANDIDATE
from trading.month.backfill import Backfilled
from trading.month.ledger import RunRecord
from trading.month.notify import MailRecord, mails_of, preview_key
from trading.month.payloads import Started
from trading.month.resources import Resources
from trading.notifications.wording import drift_note
from trading.signals.report import MonthReport, read_report
from trading.strategy.signals import Action

TOP = 20
BOOKKEEPING_SECONDS = 0.05
EVIDENCE = {
    "annual_return": "annual\nreturn",
    "volatility": "volatility",
    "sharpe": "Sharpe",
    "max_drawdown": "max\ndrawdown",
    "information_coefficient": "IC",
    "excess_return": "challenger's\nexcess",
    "p_value": "p-value",
}
PLAIN = {"sharpe": 2, "information_coefficient": 3, "p_value": 3}


@dataclass(frozen=True)
class Outcome:
    """A month as it stands after the command."""

    started: Started
    status: str
    error: str
    report: MonthReport | None
    record: RunRecord | None
    mails: tuple[MailRecord, ...]
    html_path: Path | None
    timings: dict[str, float]
    filled: Backfilled | None
    audit: Mapping[str, Any] | None = None

    @classmethod
    def read(
        cls,
        started: Started,
        watch: ExecutionWatch | None,
        resources: Resources,
        home: Path,
        filled: Backfilled | None = None,
    ) -> "Outcome":
        """Gather the outcome from the stores; the mail's preview is saved below `home`."""
        month = started.month or ""
        record = resources.ledger.run_of(month)
        status = watch.status if watch else (record.status if record else "FAILED")
        report = None
        if status == "SUCCEEDED":
            report = read_report(resources.runs, month)
        return cls(
            started=started,
            status=status,
            error=_error(watch) if watch and status != "SUCCEEDED" else "",
            report=report,
            record=record,
            mails=mails_of(month, resources) if report else (),
            html_path=_save_preview(resources, month, home) if report else None,
            timings=watch.timings() if watch else {},
            filled=filled,
            audit=audit_summary(home) if watch else None,
        )


def _save_preview(resources: Resources, month: str, home: Path) -> Path | None:
    try:
        body = resources.runs.get(preview_key(month)).body
    except NotFoundError:
        return None
    path = home / "mail" / f"{month}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def _error(watch: ExecutionWatch) -> str:
    """Return the one sentence of a failed execution: a Lambda's cause is JSON around it."""
    try:
        cause = json.loads(watch.cause)
        message = str(cause.get("errorMessage") or cause.get("FailureReason") or watch.cause)
    except (json.JSONDecodeError, AttributeError):
        message = watch.cause
    return f"{watch.error}: {message}" if watch.error else message or watch.status


def summary_json(outcome: Outcome, peak_mb: float | None) -> dict[str, Any]:
    """Return the month as the plain JSON object of `trading month --json`."""
    started, report = outcome.started, outcome.report
    summary: dict[str, Any] = {
        "month": started.month,
        "execution_arn": started.execution_arn,
        "status": outcome.status,
        "outcome": started.outcome,
        "reason": started.reason if report else outcome.error,
        "timings": outcome.timings,
        "peak_memory_mb": None if peak_mb is None else round(peak_mb, 1),
        "bars": outcome.filled.report if outcome.filled else None,
        "audit": outcome.audit,
    }
    if report is None:
        return summary
    counts = report.counts
    summary |= {
        "simulated": report.data.simulated,
        "source": report.data.source,
        "as_of": report.as_of.isoformat(),
        "model": {
            **report.model.model_dump(mode="json"),
            "gate": report.verdict.model_dump(mode="json") if report.verdict else None,
        },
        "drift": report.drift.model_dump(mode="json") if report.drift else None,
        "shadow": [shadow.model_dump(mode="json") for shadow in report.shadow],
        "signals": {
            "count": len(report.signals),
            **{action.value.lower(): counts[action] for action in Action},
        },
        "top": [s.model_dump(mode="json") for s in _top(report)],
        "portfolio": report.portfolio.model_dump(mode="json"),
        "success": [rate.model_dump(mode="json") for rate in report.success],
        "email": {
            "message_id": next((mail.message_id for mail in outcome.mails), None),
            "recipients": [mail.recipient for mail in outcome.mails],
            "mails": [mail.model_dump(mode="json") for mail in outcome.mails],
            "html_path": str(outcome.html_path) if outcome.html_path else None,
        },
    }
    return summary


def _top(report: MonthReport) -> tuple[Any, ...]:
    return report.with_action(Action.BUY, Action.HOLD)[:TOP]


def print_summary(outcome: Outcome, peak_mb: float | None) -> None:
    """Print verdict, signals, and where to see more."""
    if outcome.timings:
        _print_timings(outcome.timings, peak_mb)
    report = outcome.report
    if report is None:
        console.print(
            f"[red]{outcome.started.month} failed:[/] {escape(outcome.error)}", soft_wrap=True
        )
        console.print("Run the same command again to continue: finished work is reused.")
        _print_audit(outcome)
        return
    if outcome.started.outcome == "already_done":
        console.print(f"[yellow]{outcome.started.reason}.[/]")
    if report.data.simulated:
        result.print(Panel("SIMULATED market data: these are not real companies", expand=False))
    _print_gate(report)
    print_signals(report)
    _print_oversight(report)
    _print_success(report)
    _print_where(outcome)


def _print_timings(timings: dict[str, float], peak_mb: float | None) -> None:
    memory = "" if peak_mb is None else f", peak memory {peak_mb:,.0f} MiB over all processes"
    steps = ", ".join(
        f"{name} {seconds:.1f} s"
        for name, seconds in timings.items()
        if name not in BOOKKEEPING or seconds >= BOOKKEEPING_SECONDS
    )
    console.print(f"[dim]{steps}{memory}[/]")


def _print_gate(report: MonthReport) -> None:
    result.print(f"\n[bold]{report.outcome}[/]  model {report.model.version}", soft_wrap=True)
    verdict = report.verdict
    if verdict is None:
        return
    for reason in verdict.reasons:
        result.print(f"  {reason}", markup=False, soft_wrap=True)
    headers = tuple(EVIDENCE.values())
    months = verdict.figures.get(CANDIDATE, {}).get("months")
    period = "" if months is None else f" over {months} months"
    grid = table(f"Out of sample{period}, net of costs", "portfolio", *headers, right=headers)
    # Eight columns fit 80 characters without a frame.
    grid.box, grid.padding = None, (0, 1, 0, 0)
    for portfolio, figures in verdict.figures.items():
        grid.add_row(_contender(portfolio), *(_figure(n, portfolio, figures) for n in EVIDENCE))
    result.print(grid)


def _contender(portfolio: str) -> str:
    return "challenger" if portfolio == CANDIDATE else portfolio.replace("_", " ")


def _figure(name: str, portfolio: str, figures: Mapping[str, Any]) -> str:
    value = figures.get(name)
    if not isinstance(value, float | int):
        compared = name in ("excess_return", "p_value")
        return "" if compared and portfolio == CANDIDATE else "no data"
    return number(value, PLAIN[name]) if name in PLAIN else percent(value)


def print_signals(report: MonthReport, count: int = TOP) -> None:
    """Print the month's counts and its first signals."""
    counts = report.counts
    title = f"Signals {report.month}: " + ", ".join(f"{counts[a]} {a}" for a in Action)
    right = ("rank", "score", "confidence", "weight", "price")
    grid = table(title, "action", "symbol", *right, right=right)
    colour = {Action.BUY: "green", Action.SELL: "red", Action.HOLD: "cyan"}
    ordered = (*report.with_action(Action.BUY, Action.HOLD)[:count], *_sold(report, count))
    for signal in ordered:
        grid.add_row(
            f"[{colour[signal.action]}]{signal.action}[/]",
            signal.symbol,
            "-" if signal.rank is None else str(signal.rank),
            number(signal.score, 3),
            percent(signal.confidence, 0),
            percent(signal.weight),
            number(signal.price),
        )
    result.print(grid)


def _sold(report: MonthReport, count: int) -> tuple[Any, ...]:
    return report.with_action(Action.SELL)[: max(count // 2, 1)]


def _print_oversight(report: MonthReport) -> None:
    """Print what is watched beside the signals: drift, and challengers in shadow."""
    result.print(drift_note(report.drift), markup=False, soft_wrap=True)
    for shadow in report.shadow:
        told = f"in shadow: challenger {shadow.version} of {shadow.month}"
        if not shadow.scored:
            result.print(f"{told}, not scored: {shadow.reason}", markup=False, soft_wrap=True)
        elif shadow.months:
            own, rival = percent(shadow.net_return), percent(shadow.champion_return)
            months = f"over {shadow.months} live months"
            result.print(f"{told}, {months}: {own}, champion {rival}", soft_wrap=True)
        else:
            result.print(f"{told}, no month with an outcome yet", soft_wrap=True)


def _print_success(report: MonthReport) -> None:
    measured = [rate for rate in report.success if rate.signals > 0]
    if not measured:
        result.print("success of earlier signals: no data yet")
    for rate in measured:
        interval = "" if rate.low is None else f" (95 %: {rate.low:.0%} to {rate.high:.0%})"
        result.print(
            f"success, {rate.label}: {percent(rate.rate, 0)} of {rate.signals} signals"
            f" over {rate.months} months{interval}",
            soft_wrap=True,
        )


def _print_where(outcome: Outcome) -> None:
    for mail in outcome.mails:
        sent = mail.message_id or "no message id"
        result.print(f"mail to {mail.recipient}: {mail.state}, {sent}", soft_wrap=True)
    if outcome.html_path:
        result.print(f"the mail as a page: {outcome.html_path}", soft_wrap=True)
    _print_audit(outcome)
    result.print("see more: `trading signals`, `trading up` (dashboard), `trading audit`")


def _print_audit(outcome: Outcome) -> None:
    if outcome.audit:
        result.print(f"audit: {outcome.audit['sentence']}", soft_wrap=True)
