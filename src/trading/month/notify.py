"""Notify: one mail a recipient, and what the mail service reports of it."""

from typing import Any

import boto3
from pydantic import BaseModel, ConfigDict

from trading.errors import MonthError
from trading.month.payloads import Notified, NotifyRequest
from trading.month.resources import Resources
from trading.month.standing import require_standing
from trading.notifications.delivery import Mailer
from trading.notifications.mail import render
from trading.notifications.mail_ledger import MailLedger
from trading.notifications.preview import to_preview_html
from trading.notifications.ses_events import record_event
from trading.signals.report import read_report


class MailEvent(BaseModel):
    """An event of SES, or EventBridge's envelope around one; every field is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class MailRecord(BaseModel):
    """What the ledger knows of one recipient's mail."""

    model_config = ConfigDict(frozen=True)

    recipient: str
    state: str
    message_id: str | None = None


class Recorded(BaseModel):
    """Whether the event belonged to a mail of this environment."""

    recorded: bool


def notify(request: NotifyRequest, resources: Resources) -> Notified:
    """Send the month's mail to one recipient, unless it was sent; keep a preview as a page."""
    settings, month = resources.settings.notifications, request.month.month
    require_standing(request.month, resources)
    if request.recipient >= len(settings.recipients):
        raise MonthError(
            f"recipient {request.recipient} is not one of the {len(settings.recipients)} configured"
        )
    recipient = settings.recipients[request.recipient]
    report = read_report(resources.runs, month)
    message = render(report, settings, recipient)
    if request.recipient == 0:
        resources.runs.put(preview_key(month), to_preview_html(message).encode())
    mailer = Mailer(
        _mails(resources),
        settings,
        environment=resources.settings.environment,
        configuration_set=resources.names.get("TRADING_CONFIGURATION_SET") or None,
    )
    delivery = mailer.deliver(message, month, recipient)
    return Notified(
        recipient=request.recipient, state=delivery.state, message_id=delivery.message_id
    )


def record_mail_event(request: MailEvent, resources: Resources) -> Recorded:
    """Enter an event of SES into the ledger; a repeated one changes nothing."""
    event: dict[str, Any] = request.model_dump()
    recorded = record_event(_mails(resources), event, environment=resources.settings.environment)
    return Recorded(recorded=recorded)


def mails_of(month: str, resources: Resources) -> tuple[MailRecord, ...]:
    """Return what became of the month's mail to each recipient, as the ledger tells it.

    Who asks may have other recipients configured than the deployment that mailed.
    """
    return tuple(
        MailRecord(recipient=recipient, state=entry.state, message_id=entry.message_id)
        for recipient, entry in _mails(resources).of_month(month).items()
    )


def forget_mails(month: str, resources: Resources) -> tuple[MailRecord, ...]:
    """Let the month's mail go out again to everyone who had it; return what had been."""
    had, ledger = mails_of(month, resources), _mails(resources)
    for mail in had:
        ledger.forget(month, mail.recipient)
    return had


def preview_key(month: str) -> str:
    """Return the key of the mail's preview page in the runs store."""
    return f"reports/{month}.html"


def _mails(resources: Resources) -> MailLedger:
    return MailLedger(boto3.resource("dynamodb").Table(resources.name("TRADING_LEDGER_TABLE")))
