"""Accepted mail on disk: its row and its event in one transaction, then a `.eml` file."""

import base64
import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from moto.ses.models import RawMessage, ses_backends

from localcloud.context import CloudContext
from localcloud.identity.call import ApiCall
from localcloud.mail import AcceptedMail
from localcloud.persistence.journal import Journal

_SENDING = frozenset({"SendEmail", "SendRawEmail"})


class Mails:
    """The mail that the cloud has accepted.

    A mail counts as sent once its row is committed; before that its sender had no answer. The row
    carries the whole message, and the hooks of the context write their event in the same step.
    """

    def __init__(self, journal: Journal, context: CloudContext) -> None:
        self._journal = journal
        self._context = context
        self._folder = context.home / "mail"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._backend: Any = ses_backends[context.account][context.region]

    def record(self, call: ApiCall) -> None:
        """Write down the mail that a successful call sent."""
        if call.operation not in _SENDING:
            return
        mail = _read_mail(call, self._backend.sent_messages[-1])
        with self._journal.transaction() as connection:
            _insert(connection, mail)
            for hook in self._context.mail_hooks:
                hook(connection, mail)
        self._write_file(mail)
        for recorded in self._context.mail_recorded:
            recorded()

    def restore(self) -> None:
        """Give SES its sent mail back, and write files that a kill prevented."""
        for mail in self.all():
            self._write_file(mail)
            raw = mail.raw.decode("utf-8", "replace")
            message = RawMessage(mail.message_id, mail.sender, list(mail.recipients), raw)
            self._backend.sent_messages.append(message)
            self._backend.sent_message_count += len(mail.recipients)

    def all(self) -> list[AcceptedMail]:
        """Return every accepted mail, oldest first."""
        rows = self._journal.read(
            "SELECT message_id, sender, recipients, configuration_set, tags, raw, accepted "
            "FROM mails ORDER BY sequence"
        )
        return [
            AcceptedMail(
                message_id=row[0],
                sender=row[1],
                recipients=tuple(json.loads(row[2])),
                configuration_set=row[3],
                tags=json.loads(row[4]),
                raw=row[5],
                accepted=datetime.fromisoformat(row[6]),
            )
            for row in rows
        ]

    def _write_file(self, mail: AcceptedMail) -> None:
        path = self._folder / f"{mail.message_id}.eml"
        if not path.exists():
            partial = path.with_suffix(".partial")
            partial.write_bytes(mail.raw)
            partial.replace(path)


def _insert(connection: sqlite3.Connection, mail: AcceptedMail) -> None:
    connection.execute(
        "INSERT INTO mails (message_id, sender, recipients, configuration_set, tags, raw, accepted)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            mail.message_id,
            mail.sender,
            json.dumps(mail.recipients),
            mail.configuration_set,
            json.dumps(dict(mail.tags)),
            mail.raw,
            mail.accepted.isoformat(),
        ),
    )


def _read_mail(call: ApiCall, message: Any) -> AcceptedMail:
    parameters = call.parameters
    content = parameters.get("Content", {})
    data = content.get("Raw", {}).get("Data") or parameters.get("RawMessage.Data")
    raw = base64.b64decode(data) if data else _compose(content.get("Simple"), message)
    recipients = message.destinations
    if isinstance(recipients, Mapping):
        recipients = [address for one in recipients.values() for address in one]
    return AcceptedMail(
        message_id=message.id,
        sender=message.source,
        recipients=tuple(dict.fromkeys(recipients)),
        configuration_set=parameters.get("ConfigurationSetName"),
        tags={one["Name"]: one["Value"] for one in parameters.get("EmailTags", [])},
        raw=raw,
        accepted=datetime.now(UTC),
    )


def _compose(simple: Mapping[str, Any] | None, message: Any) -> bytes:
    """Return the message that SES would build from a subject and bodies."""
    mail = EmailMessage()
    mail["From"] = message.source
    destinations = message.destinations
    for header, kind in (("To", "ToAddresses"), ("Cc", "CcAddresses")):
        if destinations.get(kind):
            mail[header] = ", ".join(destinations[kind])
    mail["Subject"] = message.subject
    mail["Message-ID"] = f"<{message.id}@email.amazonses.com>"
    bodies = (simple or {}).get("Body", {"Text": {"Data": message.body}})
    mail.set_content(bodies.get("Text", {}).get("Data", ""))
    if "Html" in bodies:
        mail.add_alternative(bodies["Html"]["Data"], subtype="html")
    return mail.as_bytes()
