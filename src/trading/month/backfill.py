"""Backfill: bring a provider's history into the lake before a month runs."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.providers import DataProvider, FetchResult
from trading.errors import DataError
from trading.market.calendar import (
    FIRST_DAY,
    first_session_from,
    first_session_of_month,
    last_session_before,
    today,
)


@dataclass(frozen=True)
class Backfilled:
    """What a backfill brought; `report` is None when the lake was complete already."""

    rows: int
    report: dict[str, Any] | None


def current_month_start(settings: Settings) -> date:
    """Return the latest first session of a month that has come, on the exchange's clock."""
    now = today(settings.schedule.timezone)
    first = first_session_of_month(now, settings.data.exchange)
    if first > now:
        first = first_session_of_month(now.replace(day=1) - timedelta(days=1))
    return first


def fetch_history(provider: DataProvider, settings: Settings) -> tuple[FetchResult, date]:
    """Return all that files hold, and the session that follows their last bar.

    Files are taken whole, since a vendor's adjusted closes are consistent within one download only.
    """
    now = today(settings.schedule.timezone)
    fetched = asyncio.run(provider.fetch(None, FIRST_DAY, now))
    last = fetched.report.last or now
    return fetched, first_session_from(last + timedelta(days=1), settings.data.exchange)


def refuse_unseen(fetched: FetchResult, as_of: date) -> None:
    """Raise `DataError` when no fetched bar lies strictly before `as_of`."""
    if fetched.report.first is None or fetched.report.first >= as_of:
        raise DataError(
            f"{fetched.report.source} holds no bars before {as_of}; it runs from"
            f" {fetched.report.first} to {fetched.report.last}: choose a later --as-of"
        )


def ingest_history(fetched: FetchResult, lake: Lake, as_of: date) -> Backfilled:
    """Bring fetched bars strictly before `as_of` into the lake; raises `DataError` for none."""
    refuse_unseen(fetched, as_of)
    seen = fetched.before(as_of)
    lake.ingest(seen, simulated=False)
    return Backfilled(len(seen.bars), seen.report.to_dict())


def continue_simulation(
    provider: DataProvider, lake: Lake, as_of: date, settings: Settings
) -> Backfilled:
    """Continue a simulated market where the lake ends, up to the session before the last.

    The last session before `as_of` is left to the month, which fetches and checks it as it would
    on AWS. Raises `DataError` when the market begins too late for `as_of`.
    """
    exchange = settings.data.exchange
    end = last_session_before(last_session_before(as_of, exchange), exchange)
    held = lake.sessions()
    start = held[-1].astype(object) + timedelta(days=1) if len(held) else None
    start = start or settings.data.simulated.start
    if start > end and not len(held):
        raise DataError(
            f"the simulated market begins on {start}, too late for a month as of {as_of};"
            " set data.simulated.start earlier"
        )
    if start > end:
        return Backfilled(0, None)
    fetched = asyncio.run(provider.fetch(None, start, end))
    lake.ingest(fetched, simulated=True)
    return Backfilled(len(fetched.bars), fetched.report.to_dict())
