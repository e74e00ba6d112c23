"""What a station's work says about the promises: fetch success, scoring latency, mail delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from trading.month.notify import MailEvent, Recorded
from trading.month.payloads import Fetched, Ranked, RankRequest

# Events of SES that are counted, by the metric's name.
MAIL_EVENTS = ("Send", "Delivery", "Bounce", "Complaint", "Reject")


@dataclass(frozen=True)
class Kpi:
    """One figure: its name on CloudWatch, its value, its unit."""

    name: str
    value: float
    unit: Literal["Count", "Percent", "Seconds"]


def kpis(request: BaseModel, answer: BaseModel) -> Sequence[Kpi]:
    """Return the figures of one call of a station; most have none."""
    match request, answer:
        case _, Fetched():
            return _fetch_success(answer)
        case RankRequest(), Ranked():
            return _scoring_latency(request)
        case MailEvent(), Recorded(recorded=True):
            return _mail(request)
    return ()


def _fetch_success(fetched: Fetched) -> Sequence[Kpi]:
    """Return the share of the bars asked for that came; a session that failed lacks all of its.

    A fetch that is tried again, or that had nothing to do, says nothing yet.
    """
    sessions = fetched.sessions + fetched.failed
    if fetched.again or not sessions:
        return ()
    asked = fetched.rows + fetched.missing
    came = fetched.rows / asked if asked else 0.0
    return [Kpi("FetchSuccess", 100.0 * came * fetched.sessions / sessions, "Percent")]


def _scoring_latency(request: RankRequest) -> Sequence[Kpi]:
    """Return the time since the market's context was begun: batches, retries and queues included.

    A month that was redriven meanwhile took as long as it did.
    """
    begun = request.context.begun
    if begun is None:
        return ()
    return [Kpi("ScoringSeconds", (datetime.now(UTC) - begun).total_seconds(), "Seconds")]


def _mail(event: MailEvent) -> Sequence[Kpi]:
    told = event.model_dump()
    kind = str(told.get("detail", told).get("eventType"))
    return [Kpi(f"Mail{kind}", 1.0, "Count")] if kind in MAIL_EVENTS else ()
