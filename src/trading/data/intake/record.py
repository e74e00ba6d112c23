"""The record of a session's intake: `data/YYYY/MM/DD/intake.json`, beside the raw day.

It is written after every commit to the lake and says what the session has and lacks, so that a
later run asks only for the rest. Losing it loses no bars: the session is then taken as it lies.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from trading.data.intake.outcome import SessionOutcome, SessionStatus, gap_from_dict, gap_to_dict
from trading.data.providers.base import MissingBars
from trading.data.quality import QualityVerdict
from trading.data.store.base import ObjectStore
from trading.errors import DataError, NotFoundError

READERS = 16
LISTS = ("batches", "reasons", "alerts", "repairs", "original_bars", "disagreements")


@dataclass(frozen=True)
class SessionRecord:
    """What an intake knows of a session.

    Attributes
    ----------
    session : the day
    rounds : commits so far; each brought new bars or a new list of what is missing
    batches : ids of the raw batches that the commits made, in order
    through : the day through which the last commit's bars are adjusted
    bars : bars given so far, and `sources` by provider of the close
    missing : what nobody gave
    verdict, reasons : of the session's quality when it was last committed
    alerts : of the last commit
    repairs : every repair made to its bars, with the evidence
    original_bars : the repaired bars as the provider gave them
    disagreements : closes that two providers told differently
    """

    session: date
    rounds: int = 0
    batches: tuple[str, ...] = ()
    through: date | None = None
    bars: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[MissingBars, ...] = ()
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    repairs: tuple[Mapping[str, Any], ...] = ()
    original_bars: tuple[Mapping[str, Any], ...] = ()
    disagreements: tuple[Mapping[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Where the record lies."""
        return record_key(self.session)

    def outcome(self) -> SessionOutcome:
        """Return the fate of the session when it was last committed."""
        status = SessionStatus.PARTIAL if self.missing else SessionStatus.COMPLETE
        if self.verdict == QualityVerdict.FAIL.value:
            status = SessionStatus.QUARANTINED
        return SessionOutcome(
            self.session,
            status,
            bars=self.bars,
            sources=self.sources,
            missing=self.missing,
            verdict=self.verdict,
            reasons=self.reasons,
            alerts=self.alerts,
            repairs=len(self.repairs),
        )

    def to_json(self) -> bytes:
        """Return the record as JSON; the same record gives the same bytes."""
        plain = asdict(self) | {
            "session": self.session.isoformat(),
            "through": None if self.through is None else self.through.isoformat(),
            "missing": [gap_to_dict(gap) for gap in self.missing],
        }
        return json.dumps(plain, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, body: bytes, key: str) -> "SessionRecord":
        """Read a record; raises `DataError` when it is not one."""
        try:
            plain = json.loads(body)
            through = plain["through"]
            return cls(
                **plain
                | {
                    "session": date.fromisoformat(plain["session"]),
                    "through": None if through is None else date.fromisoformat(through),
                    "missing": tuple(gap_from_dict(gap) for gap in plain["missing"]),
                }
                | {name: tuple(plain[name]) for name in LISTS}
            )
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{key} of the lake is no record of an intake ({error}); delete it and fetch the "
                "session again"
            ) from error


def record_key(session: date) -> str:
    """Return where the record of a session lies."""
    return f"data/{session:%Y/%m/%d}/intake.json"


def read_record(store: ObjectStore, session: date) -> tuple[SessionRecord, str | None]:
    """Return the record of a session and its etag; an empty record and None when there is none."""
    try:
        held = store.get(record_key(session))
    except NotFoundError:
        return SessionRecord(session), None
    return SessionRecord.from_json(held.body, held.key), held.etag


def read_records(store: ObjectStore, sessions: Iterable[date]) -> dict[date, SessionRecord]:
    """Return the records of sessions that have one."""
    days = list(sessions)
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda day: read_record(store, day), days)
        return {day: record for day, (record, tag) in zip(days, found, strict=True) if tag}
