"""Fetch sessions into the lake, and judge them."""

import asyncio
from datetime import date, timedelta

from trading.data.providers import open_provider
from trading.data.quality import check_session, enforce
from trading.errors import DataError
from trading.market.calendar import last_session_before, sessions_between, today
from trading.month.payloads import Fetched, Quality, SessionRange
from trading.month.resources import Resources


def fetch_sessions(request: SessionRange, resources: Resources) -> Fetched:
    """Fetch a range of sessions; without one, those from the lake's last to yesterday's.

    Fetching what the lake holds changes nothing. Raises `DataError` when the provider fails.
    """
    settings = resources.settings
    start, end = _range(request, resources)
    if not len(sessions_between(start, end, settings.data.exchange)):
        return Fetched(sessions=0, rows=0, source=settings.data.provider)
    provider = open_provider(settings)
    fetched = asyncio.run(provider.fetch(None, start, end))
    manifest = resources.lake.ingest(fetched, simulated=provider.simulated)
    return Fetched(
        sessions=int(fetched.bars["date"].nunique()),
        rows=manifest.rows,
        source=provider.name,
    )


def check_sessions(request: SessionRange, resources: Resources) -> Quality:
    """Judge a range of sessions; raises `DataError` with the reasons when one fails.

    A session that fails is quarantined, and one that passes again is released, before anything
    is raised.
    """
    settings = resources.settings
    start, end = _range(request, resources)
    sessions = [
        session.astype(object) for session in sessions_between(start, end, settings.data.exchange)
    ]
    reports = [check_session(resources.lake, session, settings) for session in sessions]
    for report in reports:
        enforce(resources.lake, report)
    failed = [f"{r.session}: {'; '.join(r.reasons)}" for r in reports if r.verdict == "fail"]
    if failed:
        raise DataError("the data is not good enough: " + " | ".join(failed))
    warned = tuple(f"{r.session}: {'; '.join(r.reasons)}" for r in reports if r.verdict == "warn")
    return Quality(
        verdict="warn" if warned else "pass", sessions=len(sessions), reasons=warned[:20]
    )


def _range(request: SessionRange, resources: Resources) -> tuple[date, date]:
    """Return the range asked for, or what the lake lacks up to the last session that ended."""
    settings = resources.settings
    end = request.end or last_session_before(
        today(settings.schedule.timezone), settings.data.exchange
    )
    if request.start is not None:
        return request.start, end
    held = resources.lake.sessions()
    if not len(held):
        raise DataError("the lake is empty: backfill its history first (`trading month`)")
    return min(held[-1].astype(object) + timedelta(days=1), end), end
