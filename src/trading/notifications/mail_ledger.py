"""The ledger of mails: one item a month and recipient, every change a conditional write.

The states of an item (pk `month#YYYY-MM`, sk `mail#<address>`):

CLAIMED   an attempt is about to send, or died on the way: its outcome is not known
RELEASED  the last attempt surely did not send
SENT      the mail service took it; nothing leads out of this state
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from boto3.dynamodb.conditions import Key

from trading.notifications.address import canonical, recipient_hash
from trading.signals.items import ConditionFailedError, call

_STATE = {"#s": "state"}
_MAIL = "mail#"


class MailState(StrEnum):
    """Where a mail stands."""

    CLAIMED = "CLAIMED"
    RELEASED = "RELEASED"
    SENT = "SENT"


@dataclass(frozen=True)
class MailEntry:
    """One item of the ledger; `claimed_at` in UTC."""

    state: MailState
    attempt: str
    claimed_at: datetime
    message_id: str | None = None


class MailLedger:
    """Claims mails and keeps what became of them.

    Parameters
    ----------
    table : `boto3.resource("dynamodb").Table(...)` with the keys `pk`, `sk`
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def read(self, month: str, address: str) -> MailEntry | None:
        """Return the entry of a mail; None when nobody ever claimed it."""
        answer = call(self._table.get_item, Key=_key(month, address), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else _entry(item)

    def of_month(self, month: str) -> dict[str, MailEntry]:
        """Return the entries of a month by address: whoever was mailed, configured now or not."""
        found: dict[str, MailEntry] = {}
        more: dict[str, Any] = {}
        while True:
            answer = call(
                self._table.query,
                KeyConditionExpression=Key("pk").eq(_pk(month)) & Key("sk").begins_with(_MAIL),
                ConsistentRead=True,
                **more,
            )
            for item in answer["Items"]:
                found[str(item["sk"]).removeprefix(_MAIL)] = _entry(item)
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def forget(self, month: str, address: str) -> MailEntry | None:
        """Remove and return the entry of a mail, so that the month's mail goes out again.

        None when nobody ever claimed it.
        """
        entry = self.read(month, address)
        if entry is not None:
            call(self._table.delete_item, Key=_key(month, address))
        return entry

    def claim(self, month: str, address: str, attempt: str, now: datetime) -> bool:
        """Claim a mail that nobody claimed or whose claim was released; tell whether it worked."""
        return self._change(
            month,
            address,
            "SET #s = :claimed, attempt = :attempt, claimed_at = :now, recipient = :recipient",
            "attribute_not_exists(pk) OR #s = :released",
            {
                ":claimed": MailState.CLAIMED,
                ":released": MailState.RELEASED,
                ":attempt": attempt,
                ":now": _stamp(now),
                ":recipient": recipient_hash(address),
            },
        )

    def take_over(self, month: str, address: str, old: str, new: str, now: datetime) -> bool:
        """Pass the claim of attempt `old` to attempt `new`; tell whether `old` still had it."""
        return self._change(
            month,
            address,
            "SET attempt = :new, claimed_at = :now",
            "#s = :claimed AND attempt = :old",
            {":claimed": MailState.CLAIMED, ":old": old, ":new": new, ":now": _stamp(now)},
        )

    def release(self, month: str, address: str, attempt: str, reason: str) -> bool:
        """Give back the claim of an attempt that surely did not send."""
        return self._change(
            month,
            address,
            "SET #s = :released, reason = :reason",
            "#s = :claimed AND attempt = :attempt",
            {
                ":released": MailState.RELEASED,
                ":claimed": MailState.CLAIMED,
                ":attempt": attempt,
                ":reason": reason,
            },
        )

    def record_sent(self, month: str, address: str, message_id: str, now: datetime) -> bool:
        """Mark a mail SENT, whichever attempt sent it; safe to repeat.

        False when nobody ever claimed it: then nothing is recorded. A second message id of the
        same mail is a duplicate that did go out; it is kept in the set `duplicates`.
        """
        values = {":sent": MailState.SENT, ":id": message_id, ":now": _stamp(now)}
        marked = self._change(
            month,
            address,
            "SET #s = :sent, message_id = :id, sent_at = if_not_exists(sent_at, :now)",
            "attribute_exists(pk) AND (#s <> :sent OR message_id = :id)",
            values,
        )
        return marked or self._change(
            month,
            address,
            "ADD duplicates :ids",
            "#s = :sent",
            {":ids": {message_id}, ":sent": MailState.SENT},
        )

    def record_outcome(self, month: str, address: str, message_id: str, outcome: str) -> bool:
        """Keep what became of a mail after it was sent: delivered, bounced, complained, rejected.

        False when the ledger holds no such message.
        """
        return self._change(
            month,
            address,
            "SET #o = :outcome",
            "#s = :sent AND message_id = :id",
            {":outcome": outcome, ":sent": MailState.SENT, ":id": message_id},
            names={"#o": "outcome"},
        )

    def _change(
        self,
        month: str,
        address: str,
        update: str,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> bool:
        try:
            call(
                self._table.update_item,
                Key=_key(month, address),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=_STATE | (names or {}),
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError:
            return False
        return True


def _entry(item: Mapping[str, Any]) -> MailEntry:
    return MailEntry(
        state=MailState(item["state"]),
        attempt=item["attempt"],
        claimed_at=datetime.fromisoformat(item["claimed_at"]),
        message_id=item.get("message_id"),
    )


def _pk(month: str) -> str:
    return f"month#{month}"


def _key(month: str, address: str) -> dict[str, str]:
    return {"pk": _pk(month), "sk": f"{_MAIL}{canonical(address)}"}


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds")
