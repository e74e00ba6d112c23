"""What an intake did: the fate of every session that was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from trading.data.providers.base import MissingBars
from trading.data.providers.client import CallCount


class SessionStatus(StrEnum):
    """What became of a session.

    `complete`, `partial` and `quarantined` sessions were stored by this run, the last of them held
    back from readers. `held` had nothing left to do, a `holiday` never had; a `failed` session is
    not stored, and one that is `left` was not reached.
    """

    COMPLETE = "complete"
    PARTIAL = "partial"
    QUARANTINED = "quarantined"
    HELD = "held"
    HOLIDAY = "holiday"
    FAILED = "failed"
    LEFT = "left"


STORED = frozenset({SessionStatus.COMPLETE, SessionStatus.PARTIAL, SessionStatus.QUARANTINED})


@dataclass(frozen=True)
class SessionOutcome:
    """The fate of one session.

    Attributes
    ----------
    session : the day that was asked for
    status : what became of it
    bars : bars that the lake holds of it by the intake's record
    sources : bars by provider of the close
    missing : what nobody gave, exactly
    unlisted : symbols asked for that have their first bar later: they miss nothing
    verdict : `pass`, `warn` or `fail` of the session's quality, None where it was not judged
    reasons : why the session is not as it should be, one sentence each
    alerts : sentences that the operator has to read
    repairs : how many repairs were made to its bars
    may_pass : of a failed session, whether asking again soon may help
    """

    session: date
    status: SessionStatus
    bars: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[MissingBars, ...] = ()
    unlisted: int = 0
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    repairs: int = 0
    may_pass: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        return {
            "session": self.session.isoformat(),
            "status": self.status.value,
            "bars": self.bars,
            "sources": dict(self.sources),
            "missing": [gap_to_dict(gap) for gap in self.missing],
            "unlisted": self.unlisted,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "alerts": list(self.alerts),
            "repairs": self.repairs,
            "may_pass": self.may_pass,
        }


@dataclass(frozen=True)
class IntakeProgress:
    """How far an intake has come.

    Attributes
    ----------
    stage : what is being done, in words
    done, total : steps of that stage: requests' worth of symbols, or sessions
    sessions_done, sessions_total : sessions stored, of those to do
    calls, waited : requests sent so far, and seconds spent waiting between retries
    """

    stage: str
    done: int
    total: int
    sessions_done: int
    sessions_total: int
    calls: int
    waited: float


@dataclass(frozen=True)
class IntakeResult:
    """What an intake did.

    Attributes
    ----------
    outcomes : one for each day asked for, ascending
    alerts : sentences that the operator has to read, of the run as a whole
    calls : what each provider was asked
    source : name of the primary provider
    symbols : which shares bear other symbols now, and why that could not be asked; sentences
    """

    outcomes: tuple[SessionOutcome, ...]
    alerts: tuple[str, ...]
    calls: Mapping[str, CallCount]
    source: str
    symbols: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[date, ...]:
        """Sessions that were not reached: the next run takes them up."""
        return tuple(o.session for o in self.outcomes if o.status is SessionStatus.LEFT)

    @property
    def missing(self) -> tuple[MissingBars, ...]:
        """All that nobody gave, by session and symbol."""
        return tuple(gap for outcome in self.outcomes for gap in outcome.missing)

    @property
    def bars(self) -> int:
        """Bars of the sessions that this run stored."""
        return sum(o.bars for o in self.outcomes if o.status in STORED)

    def count(self, *statuses: SessionStatus) -> int:
        """Return how many sessions ended in one of `statuses`."""
        return sum(outcome.status in statuses for outcome in self.outcomes)

    def told(self) -> tuple[str, ...]:
        """Return every alert of the run and of its sessions, each once."""
        of_sessions = [alert for outcome in self.outcomes for alert in outcome.alerts]
        return tuple(dict.fromkeys([*self.symbols, *self.alerts, *of_sessions]))


def gap_to_dict(gap: MissingBars) -> dict[str, Any]:
    """Return a gap as plain JSON values."""
    return {
        "symbol": gap.symbol,
        "first": gap.first.isoformat(),
        "last": gap.last.isoformat(),
        "sessions": gap.sessions,
        "fields": list(gap.fields),
        "reason": gap.reason,
        "may_pass": gap.may_pass,
        "soon": gap.soon,
    }


def gap_from_dict(plain: Mapping[str, Any]) -> MissingBars:
    """Read what `gap_to_dict` wrote."""
    return MissingBars(
        str(plain["symbol"]),
        date.fromisoformat(plain["first"]),
        date.fromisoformat(plain["last"]),
        int(plain["sessions"]),
        tuple(plain["fields"]),
        str(plain["reason"]),
        bool(plain["may_pass"]),
        bool(plain["soon"]),
    )
