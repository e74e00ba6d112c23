"""Backfill: bring a provider's history into the lake before a month runs."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.providers import DataProvider
from trading.errors import DataError
from trading.market.calendar import last_session_before


@dataclass(frozen=True)
class Backfilled:
    """What a backfill brought; `report` is None when the lake was complete already."""

    source: str
    simulated: bool
    rows: int
    report: dict[str, Any] | None


def backfill(provider: DataProvider, lake: Lake, as_of: date, settings: Settings) -> Backfilled:
    """Bring bars strictly before `as_of` into the lake.

    A simulated market continues where the lake ends, up to the session before the last one: that
    one the month fetches and checks itself, as it would on AWS. Files are taken whole, since a
    vendor's adjusted closes are consistent within one download only. Raises `DataError` when the
    provider has nothing before `as_of`.
    """
    last = last_session_before(as_of, settings.data.exchange)
    if not provider.simulated:
        return _ingest(provider, lake, date(1990, 1, 1), last)
    start, end = settings.data.simulated.start, last_session_before(last, settings.data.exchange)
    held = lake.sessions()
    if len(held):
        start = held[-1].astype(object) + timedelta(days=1)
    if start > end:
        if not len(held):
            raise DataError(
                f"the simulated market begins on {start}, too late for a month as of {as_of}"
            )
        return Backfilled(provider.name, provider.simulated, 0, None)
    return _ingest(provider, lake, start, end)


def _ingest(provider: DataProvider, lake: Lake, start: date, end: date) -> Backfilled:
    fetched = asyncio.run(provider.fetch(None, start, end))
    if not len(fetched.bars):
        raise DataError(f"{provider.name}: no bars from {start} to {end}")
    lake.ingest(fetched, simulated=provider.simulated)
    return Backfilled(
        provider.name, provider.simulated, len(fetched.bars), fetched.report.to_dict()
    )
