"""One mail per recipient and month through Amazon SES, also when attempts die on the way.

A mail is claimed in the ledger, sent with tags that name month and recipient, then marked SENT.
When an attempt finds a claim that is not its own, the outcome of that attempt is unknown: it
waits for the Send event of SES to mark the mail (see `ses_events`) until `reconcile_seconds`
have passed since the claim, and only then takes the claim over and sends. What risk remains is in
docs/mail.md.
"""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from trading.config import NotificationSettings
from trading.errors import ConfigurationError
from trading.notifications.address import canonical, masked, recipient_hash
from trading.notifications.errors import (
    MailOutcomeUnknownError,
    MailRejectedError,
    MailUnavailableError,
)
from trading.notifications.mail_ledger import MailLedger, MailState

THROTTLED = frozenset(
    {
        "TooManyRequestsException",
        "LimitExceededException",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
    }
)
SENDS = 3
THROTTLE_TRIES = 6
POLL_SECONDS = 2.0
SETTLE_SECONDS = 5.0
SES_CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


class DeliveryState(StrEnum):
    """How `deliver` ended: this call sent the mail, or it had been sent before."""

    SENT = "sent"
    ALREADY_SENT = "already_sent"


@dataclass(frozen=True)
class Delivery:
    """A mail that was sent; `message_id` is SES's."""

    state: DeliveryState
    recipient: str
    message_id: str


class Mailer:
    """Sends the mails of a month, each once.

    Parameters
    ----------
    ledger : keeps claims and what became of them
    settings : sender and `reconcile_seconds`
    environment : goes into the tags, so that an event finds its own ledger
    configuration_set : the SES configuration set whose events come back; None for none
    client : a boto3 `sesv2` client that never retries by itself (a retry after a lost answer would
        be a second mail); one is made with `SES_CONFIG` when absent
    clock, sleep, new_attempt : the time in UTC, a wait in seconds, a fresh attempt id
    """

    def __init__(
        self,
        ledger: MailLedger,
        settings: NotificationSettings,
        *,
        environment: str,
        configuration_set: str | None = None,
        client: Any = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        new_attempt: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._environment = environment
        self._configuration_set = configuration_set
        self._ses = client if client is not None else boto3.client("sesv2", config=SES_CONFIG)
        self._clock = clock
        self._sleep = sleep
        self._new_attempt = new_attempt
        retries = self._ses.meta.config.retries or {}
        if retries.get("total_max_attempts") != 1:
            raise ConfigurationError(
                "the SES client retries by itself, which can send a mail twice; make it with "
                "config=trading.notifications.delivery.SES_CONFIG"
            )

    def deliver(self, message: EmailMessage, month: str, recipient: str) -> Delivery:
        """Send the month's mail to a recipient unless it was sent; return what holds then.

        Raises
        ------
        MailRejectedError
            SES refuses the mail; the claim is released, nothing was sent.
        MailUnavailableError
            SES is out of reach or throttles; the claim is released, nothing was sent.
        MailOutcomeUnknownError
            Every send was cut off before its answer; the next call reconciles first.
        """
        for _ in range(SENDS):
            attempt = self._new_attempt()
            sent_before = self._hold_claim(month, recipient, attempt)
            if sent_before is not None:
                return sent_before
            try:
                message_id = self._send(message, month, recipient, attempt)
            except MailOutcomeUnknownError as error:
                unknown = error
                continue
            except (MailRejectedError, MailUnavailableError) as error:
                self._ledger.release(month, recipient, attempt, str(error))
                raise
            self._ledger.record_sent(month, recipient, message_id, self._clock())
            return Delivery(DeliveryState.SENT, canonical(recipient), message_id)
        raise unknown

    def _hold_claim(self, month: str, recipient: str, attempt: str) -> Delivery | None:
        """Return once `attempt` holds the claim (None) or the mail turns out to be sent.

        A foreign claim is watched for at least `SETTLE_SECONDS`, however old it is: its Send event
        may have been held up by what ended its attempt.
        """
        watched: tuple[str, datetime] | None = None
        while True:
            if self._ledger.claim(month, recipient, attempt, self._clock()):
                return None
            entry = self._ledger.read(month, recipient)
            if entry is None or entry.state is MailState.RELEASED:
                continue
            if entry.state is MailState.SENT:
                return Delivery(
                    DeliveryState.ALREADY_SENT, canonical(recipient), entry.message_id or ""
                )
            now = self._clock()
            if watched is None or watched[0] != entry.attempt:
                watched = entry.attempt, now
            due = max(
                entry.claimed_at + timedelta(seconds=self._settings.reconcile_seconds),
                watched[1] + timedelta(seconds=SETTLE_SECONDS),
            )
            if now < due:
                self._sleep(min(POLL_SECONDS, (due - now).total_seconds()))
            elif self._ledger.take_over(month, recipient, entry.attempt, attempt, now):
                return None

    def _send(self, message: EmailMessage, month: str, recipient: str, attempt: str) -> str:
        """Send once; only a throttled request, which SES did not take, is repeated."""
        request = self._request(message, month, recipient)
        tries = 0
        while True:
            tries += 1
            try:
                return str(self._ses.send_email(**request)["MessageId"])
            except ClientError as error:
                self._judge(error, month, recipient, last=tries == THROTTLE_TRIES)
            except HTTPClientError as error:
                raise _unknown(month, recipient, error) from error
            except BotoCoreError as error:
                raise MailUnavailableError(
                    f"SES could not be reached for {masked(recipient)}: {error}; rerun later"
                ) from error
            self._sleep(2.0 ** (tries - 1) * random.uniform(0.5, 1.0))
            now = self._clock()
            if not self._ledger.take_over(month, recipient, attempt, attempt, now):
                raise MailOutcomeUnknownError(
                    f"another attempt took over the mail of {month} to {masked(recipient)}; rerun, "
                    "it finds out first what became of it"
                )

    def _judge(self, error: ClientError, month: str, recipient: str, *, last: bool) -> None:
        """Return when the request was throttled and may be repeated, else raise what it means."""
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = str(error.response.get("Error", {}).get("Message", "no reason given"))
        text = text.replace(recipient, masked(recipient))
        if code in THROTTLED:
            if last:
                raise MailUnavailableError(
                    f"SES throttled the mail to {masked(recipient)} {THROTTLE_TRIES} times "
                    f"({code}: {text}); rerun later or ask AWS for a higher sending quota"
                ) from error
            return
        if status >= 500:
            raise _unknown(month, recipient, error) from error
        raise MailRejectedError(
            f"SES refused the mail to {masked(recipient)}: {code}: {text}; check that sender and "
            "configuration set exist and are verified in this region, then rerun"
        ) from error

    def _request(self, message: EmailMessage, month: str, recipient: str) -> dict[str, Any]:
        tags = {
            "month": month,
            "recipient": recipient_hash(recipient),
            "environment": self._environment,
        }
        request: dict[str, Any] = {
            "FromEmailAddress": self._settings.sender,
            "Destination": {"ToAddresses": [canonical(recipient)]},
            "Content": {"Raw": {"Data": message.as_bytes(policy=SMTP)}},
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def _unknown(month: str, recipient: str, error: Exception) -> MailOutcomeUnknownError:
    return MailOutcomeUnknownError(
        f"SES gave no answer on the mail of {month} to {masked(recipient)} ({error}); it may have "
        "been sent: rerun, it waits for the Send event before it sends again"
    )
