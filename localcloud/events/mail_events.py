"""What SES tells about a mail: the events Send, Delivery, Bounce and Complaint.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and,
for the mailbox simulator's addresses,
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
"""

import base64
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from typing import Any

from localcloud.context import CloudContext
from localcloud.events.dispatcher import Done, Result
from localcloud.events.mail_destinations import event_destinations
from localcloud.events.outbox import Delivery, Pending, append
from localcloud.events.rules import bus_deliveries
from localcloud.events.targets import as_json, target
from localcloud.mail import AcceptedMail

MAIL = "mail"
SES_SERVICE = "ses.amazonaws.com"
SIMULATOR = "simulator.amazonses.com"
DETAIL_TYPES = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
}


def record_mail_event(connection: sqlite3.Connection, mail: AcceptedMail) -> None:
    """Put a mail's events into the outbox, inside the transaction that records the mail."""
    if mail.configuration_set is None:
        return
    body = {
        "message_id": mail.message_id,
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "configuration_set": mail.configuration_set,
        "tags": dict(mail.tags),
        "raw": base64.b64encode(_headers_of(mail.raw)).decode(),
        "accepted": mail.accepted.astimezone(UTC).isoformat(),
    }
    append(connection, Delivery(MAIL, body))


class MailEvents:
    """Publishes the events of accepted mails to the destinations of their configuration set.

    A mail is delivered the moment it lies in the home's mail folder. Addresses of the mailbox
    simulator (`bounce@simulator.amazonses.com`, `complaint@...`) give the events that they give
    on AWS.

    Parameters
    ----------
    context
        The running cloud.
    """

    def __init__(self, context: CloudContext) -> None:
        self._context = context

    def deliver(self, pending: Pending) -> Result:
        """Turn one mail's pending record into deliveries to rules' targets and topics."""
        mail = _mail_from(pending.delivery.body)
        found: list[Delivery] = []
        for kind, detail in events_of(mail, self._context.account, self._context.region):
            for one in event_destinations(self._context, str(mail.configuration_set)):
                if one.get("Enabled") and kind.upper() in one.get("MatchingEventTypes", ()):
                    found.extend(self._publish(mail, kind, detail, one))
        return Done(tuple(found))

    def _publish(
        self,
        mail: AcceptedMail,
        kind: str,
        detail: Mapping[str, Any],
        destination: Mapping[str, Any],
    ) -> Iterator[Delivery]:
        context = self._context
        source = (
            f"arn:aws:ses:{context.region}:{context.account}:"
            f"configuration-set/{mail.configuration_set}"
        )
        bus = destination.get("EventBridgeDestination", {}).get("EventBusArn")
        if bus:
            event = {
                "version": "0",
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{mail.message_id}/{kind}")),
                "detail-type": DETAIL_TYPES[kind],
                "source": "aws.ses",
                "account": context.account,
                "time": mail.accepted.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": context.region,
                "resources": [source],
                "detail": dict(detail),
            }
            yield from bus_deliveries(context, bus, event)
        topic = destination.get("SnsDestination", {}).get("TopicArn")
        if topic:
            yield target(topic, as_json(detail), service=SES_SERVICE, source=source)


def events_of(
    mail: AcceptedMail, account: str, region: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield `(kind, detail)` of every event that a mail causes, Send first."""
    described = _describe(mail, account, region)
    yield "Send", {"eventType": "Send", "mail": described, "send": {}}
    by_kind: dict[str, list[str]] = {}
    for address in mail.recipients:
        by_kind.setdefault(_fate(address), []).append(address)
    for kind, addresses in by_kind.items():
        body = _BODIES[kind](mail, addresses)
        yield kind, {"eventType": kind, "mail": described, kind.lower(): body}
        if kind == "Complaint":
            delivery = _delivery(mail, addresses)
            yield "Delivery", {"eventType": "Delivery", "mail": described, "delivery": delivery}


def _fate(address: str) -> str:
    local, _, domain = parseaddr(address)[1].lower().partition("@")
    if domain != SIMULATOR:
        return "Delivery"
    return {"bounce": "Bounce", "complaint": "Complaint"}.get(local.partition("+")[0], "Delivery")


def _describe(mail: AcceptedMail, account: str, region: str) -> dict[str, Any]:
    message = message_from_bytes(mail.raw, EmailMessage, policy=policy.default)
    sender = parseaddr(mail.sender)[1]
    headers = [{"name": name, "value": str(value)} for name, value in message.items()]
    common: dict[str, Any] = {
        "from": [str(message["From"] or mail.sender)],
        "to": [address for _, address in getaddresses([str(message["To"] or "")]) if address],
        "messageId": mail.message_id,
        "subject": str(message["Subject"] or ""),
    }
    if message["Date"]:
        common["date"] = str(message["Date"])
    tags = {
        "ses:operation": ["SendEmail"],
        "ses:configuration-set": [str(mail.configuration_set)],
        "ses:from-domain": [sender.rpartition("@")[2]],
        **{name: [value] for name, value in mail.tags.items()},
    }
    return {
        "timestamp": _timestamp(mail.accepted),
        "source": mail.sender,
        "sourceArn": f"arn:aws:ses:{region}:{account}:identity/{sender}",
        "sendingAccountId": account,
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        "headersTruncated": False,
        "headers": headers,
        "commonHeaders": common,
        "tags": tags,
    }


def _delivery(mail: AcceptedMail, addresses: list[str]) -> dict[str, Any]:
    return {
        "timestamp": _timestamp(mail.accepted),
        "processingTimeMillis": 0,
        "recipients": addresses,
        "smtpResponse": "250 2.0.0 Written to the local cloud's mail folder",
        "reportingMTA": "localcloud",
    }


def _bounce(mail: AcceptedMail, addresses: list[str]) -> dict[str, Any]:
    return {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }
            for address in addresses
        ],
        "timestamp": _timestamp(mail.accepted),
        "feedbackId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{mail.message_id}/bounce")),
        "reportingMTA": "dns; localcloud",
    }


def _complaint(mail: AcceptedMail, addresses: list[str]) -> dict[str, Any]:
    return {
        "complainedRecipients": [{"emailAddress": address} for address in addresses],
        "timestamp": _timestamp(mail.accepted),
        "feedbackId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{mail.message_id}/complaint")),
        "complaintFeedbackType": "abuse",
    }


_BODIES: Mapping[str, Callable[[AcceptedMail, list[str]], dict[str, Any]]] = {
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
}


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _headers_of(raw: bytes) -> bytes:
    """Return the header block of a message; events carry no body."""
    for end in (b"\r\n\r\n", b"\n\n"):
        head, found, _ = raw.partition(end)
        if found:
            return head + found
    return raw


def _mail_from(body: Mapping[str, Any]) -> AcceptedMail:
    return AcceptedMail(
        message_id=body["message_id"],
        sender=body["sender"],
        recipients=tuple(body["recipients"]),
        configuration_set=body["configuration_set"],
        tags=body["tags"],
        raw=base64.b64decode(body["raw"]),
        accepted=datetime.fromisoformat(body["accepted"]),
    )
