"""What a backfill took, beside what was planned."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trading.data.backfill.plan import BackfillPlan
from trading.data.providers.client import CallCount


@dataclass(frozen=True)
class SourceAccount:
    """What one provider was asked: attempts, of which retries, and seconds waited for retries."""

    attempts: int
    retries: int
    waited: float
    seconds_a_call: float | None


@dataclass(frozen=True)
class Account:
    """Estimate and measurement of one run.

    Attributes
    ----------
    planned_calls, calls : requests, planned and sent
    planned_seconds, seconds : time, planned and taken
    planned_bars, bars : bars, planned and stored
    planned_bytes, bytes_written : disk, planned and taken; None where it was not measured
    sources : by provider, backups included
    """

    planned_calls: int
    calls: int
    planned_seconds: float
    seconds: float
    planned_bars: int
    bars: int
    planned_bytes: int
    bytes_written: int | None
    sources: Mapping[str, SourceAccount]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def take_account(
    plan: BackfillPlan,
    calls: Mapping[str, CallCount],
    *,
    seconds: float,
    bars: int,
    bytes_written: int | None,
) -> Account:
    """Return what was planned beside what `calls`, `seconds`, `bars` and bytes a run took."""
    sources = {
        name: SourceAccount(
            count.attempts,
            count.retries,
            round(count.waited, 3),
            round(count.answering / count.answered, 4) if count.answered else None,
        )
        for name, count in calls.items()
    }
    return Account(
        planned_calls=plan.calls,
        calls=sum(count.attempts for count in calls.values()),
        planned_seconds=round(plan.seconds, 1),
        seconds=round(seconds, 1),
        planned_bars=plan.bars,
        bars=bars,
        planned_bytes=plan.disk_bytes,
        bytes_written=bytes_written,
        sources=sources,
    )
