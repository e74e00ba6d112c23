"""SNS subscriptions that moto does not deliver as AWS does: functions, and mail addresses."""

import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from localcloud.context import CloudContext
from localcloud.events.outbox import Delivery, Outbox
from localcloud.events.targets import target

SNS_SERVICE = "sns.amazonaws.com"
MAIL_PROTOCOLS = frozenset({"email", "email-json"})
NO_REPLY = "no-reply@sns.amazonaws.com"


def route_subscriptions(context: CloudContext, outbox: Outbox) -> None:
    """Deliver to functions through the outbox, and write mails as files `mail/notices/*.eml`.

    moto 5.2.5 calls a subscribed function inside the Publish call, with an invented topic ARN, and
    drops mails. The filter policy and every other protocol stay moto's.
    """
    from moto.sns.models import Subscription

    owner: Any = Subscription
    publish = owner.publish.__dict__.get("original", owner.publish)
    folder = context.home / "mail" / "notices"

    def publish_to(
        self: Any,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        message_structure: str | None = None,
        **more: Any,
    ) -> None:
        if self.protocol != "lambda" and self.protocol not in MAIL_PROTOCOLS:
            publish(
                self,
                message,
                message_id,
                subject=subject,
                message_attributes=message_attributes,
                message_structure=message_structure,
                **more,
            )
            return
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        if message_structure == "json":
            message = self._parse_message_structure(message, self.protocol)
        if self.protocol == "lambda":
            outbox.enqueue(_invocation(self, message, message_id, subject, message_attributes))
        else:
            _write_notice(folder, self, message, message_id, subject)

    publish_to.__dict__["original"] = publish
    owner.publish = publish_to


def _invocation(
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None,
    attributes: dict[str, Any] | None,
) -> Delivery:
    """Return the delivery of a message in the shape in which a function receives it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": now,
        "MessageAttributes": attributes or {},
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": notification,
    }
    return target(
        subscription.endpoint,
        json.dumps({"Records": [record]}, default=str),
        service=SNS_SERVICE,
        source=subscription.topic.arn,
    )


def _write_notice(
    folder: Path, subscription: Any, message: str, message_id: str, subject: str | None
) -> None:
    """Write the mail that SNS would send, whole or not at all."""
    now = datetime.now(UTC)
    mail = EmailMessage()
    mail["From"] = f"AWS Notifications <{NO_REPLY}>"
    mail["To"] = subscription.endpoint
    mail["Subject"] = " ".join((subject or "AWS Notification Message").split())
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message_id}@sns.amazonaws.com>"
    mail["X-SNS-Topic"] = subscription.topic.arn
    mail.set_content(message)
    folder.mkdir(parents=True, exist_ok=True)
    number = subscription.arn.rpartition(":")[2]
    path = folder / f"{now:%Y%m%dT%H%M%S}-{message_id}-{number}.eml"
    partial = path.with_suffix(".partial")
    partial.write_bytes(mail.as_bytes())
    partial.replace(path)
