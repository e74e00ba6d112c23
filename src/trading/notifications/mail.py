"""The month's mail: one `EmailMessage` of a report, the same bytes for the same report.

Structure: multipart/alternative of the plain text and of multipart/related, which holds the HTML
and its charts by content id. The text says all that the HTML says. Nothing is loaded from
elsewhere, so it reads the same with remote images blocked. Of each action the HTML shows the
first 20 names in full and the others in short: Gmail cuts a message off at 102 KB of HTML.
"""

from collections.abc import Mapping
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trading.config import NotificationSettings
from trading.errors import ConfigurationError
from trading.market.calendar import utc_midnight
from trading.notifications import charts, wording
from trading.notifications.address import parse_address, recipient_hash
from trading.signals.report import MonthReport
from trading.strategy.signals import Action

TEMPLATES = Path(__file__).parent / "templates"
EVIDENCE_COLUMNS = 6
LARGEST_CHANGES = 5
DETAILED_ROWS = 20
DRIFT_ROWS = 8
BOUNDARY = "=-trading-{part}-{month}"


def render(report: MonthReport, settings: NotificationSettings, recipient: str) -> EmailMessage:
    """Return the month's mail to a recipient.

    Raises `ConfigurationError` when sender, recipient or the way to unsubscribe is not usable in a
    mail.
    """
    message = EmailMessage(policy=policy.SMTP)
    for name, value in _headers(report, settings, recipient).items():
        message[name] = value
    images = _images(report)
    context = _context(report, settings, images)
    message.set_content(_template("month.txt.j2").render(context), cte="quoted-printable")
    message.add_alternative(
        _template("month.html.j2").render(context), subtype="html", cte="quoted-printable"
    )
    page: Any = message.get_payload(1)
    for name, (png, _) in images.items():
        page.add_related(
            png, "image", "png", cid=f"<{name}>", filename=f"{name}.png", disposition="inline"
        )
    message.set_boundary(BOUNDARY.format(part="alternative", month=report.month))
    if images:
        page.set_boundary(BOUNDARY.format(part="related", month=report.month))
    return message


def subject(report: MonthReport) -> str:
    """Return the subject: simulated or not, the month, and how many signals of each action."""
    counts = report.counts
    marks = "[CORRECTED] " if report.correction else ""
    marks += "[SIMULATED] " if report.data.simulated else ""
    return f"{marks}Trading signals for {wording.month_name(report.month)}: " + ", ".join(
        f"{counts[action]} {action}" for action in Action
    )


def _headers(
    report: MonthReport, settings: NotificationSettings, recipient: str
) -> Mapping[str, str]:
    sender, receiver = parse_address(settings.sender), parse_address(recipient)
    unsubscribe = settings.unsubscribe
    if not unsubscribe.startswith(("https://", "mailto:")) or not _is_plain(unsubscribe):
        raise ConfigurationError(
            f"notifications.unsubscribe is {unsubscribe!r}; expected https://... or mailto:..."
        )
    unique = f"{report.month}.{report.environment}.{recipient_hash(recipient)}"
    headers = {
        "From": str(sender),
        "To": str(receiver),
        "Subject": subject(report),
        "Date": format_datetime(utc_midnight(report.as_of)),
        "Message-ID": f"<{unique}@{sender.domain}>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{unsubscribe}>",
    }
    if unsubscribe.startswith("https://"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and not set(url) & set(" <>\"'")


def _images(report: MonthReport) -> dict[str, tuple[bytes, str]]:
    """Return the charts that there is data for, by content id, each with its text."""
    current = report.portfolio.current
    nav = "" if current is None else f", now {wording.number(100 * current.nav, 1)}"
    drawn = {
        "scores": (
            charts.scores_chart(report.signals),
            "Scores and confidence of the best-ranked names; the table below has the figures.",
        ),
        "nav": (
            charts.nav_chart(report.portfolio.history),
            f"Portfolio level since inception at 100{nav}, against benchmark and equal weight.",
        ),
        "evidence": (
            None if report.verdict is None else charts.evidence_chart(report.verdict),
            "Yearly return and Sharpe ratio of challenger, champion and baselines; figures below.",
        ),
    }
    return {name: (png, text) for name, (png, text) in drawn.items() if png is not None}


def _context(
    report: MonthReport,
    settings: NotificationSettings,
    images: Mapping[str, tuple[bytes, str]],
) -> dict[str, Any]:
    verdict = report.verdict
    return {
        "report": report,
        "title": subject(report),
        "counts": report.counts,
        "buys": report.with_action(Action.BUY),
        "sells": report.with_action(Action.SELL),
        "holds": report.with_action(Action.HOLD),
        "detailed": DETAILED_ROWS,
        "changes": report.largest_changes(LARGEST_CHANGES),
        "current": report.portfolio.current,
        "risk": report.portfolio.risk,
        "evidence": () if verdict is None else wording.evidence(verdict, EVIDENCE_COLUMNS),
        "labels": () if verdict is None else wording.labels(verdict),
        "drift_note": wording.drift_note(report.drift),
        "drifted": () if report.drift is None else report.drift.drifted[:DRIFT_ROWS],
        "images": {name: text for name, (_, text) in images.items()},
        "unsubscribe": settings.unsubscribe,
        "w": wording,
    }


@lru_cache(maxsize=2)
def _template(name: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
