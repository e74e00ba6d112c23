"""The record of a quarantined session: why it is not served.

A session that fails its quality check stays in the lake, raw and curated, but no reader sees it
until it is released: checked again and passed, or set free by hand. The catalog says which
sessions are quarantined; the record beside it (`quarantine/YYYY-MM-DD.json`) keeps the reasons and
outlives a lost catalog.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from trading.data.store.base import ObjectStore
from trading.errors import DataError

FOLDER = "quarantine/"


@dataclass(frozen=True)
class QuarantinedSession:
    """A session that is held but not served, and why."""

    session: date
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, session: date, reasons: Sequence[str]) -> "QuarantinedSession":
        """Return the record; raises `DataError` when no reason is given."""
        told = tuple(reason for reason in reasons if reason.strip())
        if not told:
            raise DataError(f"a quarantine of {session} needs a reason; expected a sentence")
        return cls(session, told)

    @property
    def key(self) -> str:
        """Where the record lies in the lake."""
        return f"{FOLDER}{self.session}.json"

    @property
    def why(self) -> str:
        """The reasons in one line, as the catalog has them."""
        return "; ".join(self.reasons)

    def to_json(self) -> bytes:
        """Return the record as JSON; the same record gives the same bytes."""
        plain = asdict(self) | {"session": self.session.isoformat()}
        return json.dumps(plain, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, body: bytes, key: str) -> "QuarantinedSession":
        """Read a record; raises `DataError` when it is not one."""
        try:
            plain = json.loads(body)
            return cls(date.fromisoformat(plain["session"]), tuple(plain["reasons"]))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{key} of the lake is no record of a quarantine ({error}); delete it and check "
                "the session again"
            ) from error


def recorded(store: ObjectStore) -> dict[str, str]:
    """Return the day and the reasons of every record; raises `DataError` when one is none."""
    keys = list(store.keys(FOLDER))
    held = [QuarantinedSession.from_json(store.get(key).body, key) for key in keys]
    return {record.session.isoformat(): record.why for record in held}
