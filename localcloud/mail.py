"""A mail that the cloud has accepted for sending."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class AcceptedMail:
    """One accepted mail, as SES would send it.

    `recipients` are the envelope's; `raw` is the whole message (RFC 5322); `tags` are SES message
    tags (`EmailTags`); `accepted` is UTC.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    configuration_set: str | None
    tags: Mapping[str, str]
    raw: bytes
    accepted: datetime
