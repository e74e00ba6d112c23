"""Events of SES (Send, Delivery, Bounce, ...) written into the ledger of mails.

The Send event is how a mail whose sender died before the answer is known to be sent. Format:
"Contents of event data that Amazon SES publishes", AWS.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading.errors import DataError
from trading.notifications.address import recipient_hash
from trading.notifications.mail_ledger import MailLedger

OUTCOMES = {
    "Delivery": "delivered",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Reject": "rejected",
    "DeliveryDelay": "delayed",
}


def record_event(ledger: MailLedger, event: Mapping[str, Any], *, environment: str) -> bool:
    """Record one SES event, or the `detail` of an EventBridge event around it.

    Every event after acceptance proves that the mail was sent and marks it SENT with its message
    id; others than Send also keep the outcome. Repeats and any order are fine. Returns False, and
    records nothing, for a mail that is not of this environment's months. Raises `DataError` when
    `event` is not an SES event.
    """
    detail = event.get("detail", event)
    try:
        kind, mail = str(detail["eventType"]), detail["mail"]
        message_id, tags = str(mail["messageId"]), mail.get("tags") or {}
        destinations = [str(address) for address in mail["destination"]]
        at = datetime.fromisoformat(str(mail["timestamp"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            "the event is not one of SES: expected eventType and mail with messageId, destination, "
            f"timestamp and tags, found {sorted(map(str, detail))[:8]}"
        ) from error
    month, recipient, source = (_first(tags, n) for n in ("month", "recipient", "environment"))
    if not month or source != environment:
        return False
    known = False
    for address in destinations:
        if recipient_hash(address) == recipient:
            known = ledger.record_sent(month, address, message_id, at)
            if known and kind in OUTCOMES:
                ledger.record_outcome(month, address, message_id, OUTCOMES[kind])
    return known


def _first(tags: Mapping[str, Any], name: str) -> str | None:
    values = tags.get(name)
    return str(values[0]) if isinstance(values, list) and values else None
