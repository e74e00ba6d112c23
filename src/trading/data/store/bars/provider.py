"""Stored bars as a source of bars, for whoever asks a provider: backtests, sessions."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from trading.data.fundamentals import FundamentalsTable
from trading.data.lake import Lake
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.store.bars.base import BarStore
from trading.errors import DataError


class StoredProvider:
    """A `DataProvider` of what a store of bars holds.

    Corporate actions, and which sessions there are, come from the lake; bars from the store, which
    is the lake's own or a copy of it. All are as known on the morning after the last day asked for.

    Parameters
    ----------
    lake : what tells actions and sessions
    store : what is asked for bars
    """

    name = "stored"

    def __init__(self, lake: Lake, store: BarStore) -> None:
        self._lake, self._store = lake, store
        source = lake.source()
        if source is None:
            raise DataError(
                f"{store.description} has no bars yet: fill it with `trading backfill --from DAY`"
            )
        self.simulated, self._source = source.simulated, source.name

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included; `symbols` None means every one.

        Raises `DataError` when the store has none in that time.
        """
        return await asyncio.to_thread(self._fetch, symbols, start, end)

    def fundamentals(self, before: date) -> FundamentalsTable:
        """Return what the lake knew of companies before a day."""
        return self._lake.fundamentals(before=before)

    def last_session(self) -> date | None:
        """Return the last session that the lake serves."""
        sessions = self._lake.sessions()
        return sessions[-1].astype(object) if len(sessions) else None

    def _fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        bars = self._store.query(symbols, start, end)
        if bars.empty:
            held = self._lake.sessions()
            span = f"from {held[0]} to {held[-1]}" if len(held) else "no session"
            raise DataError(
                f"{self._store.description} has no such bars from {start} to {end}; it holds {span}"
            )
        wanted = set(bars["symbol"].unique())
        actions = tuple(
            action
            for action in self._lake.corporate_actions(before=end + timedelta(days=1))
            if action.ex_date >= start and action.symbol in wanted
        )
        report = IngestReport(f"stored bars ({self._source})", len(bars), 0, 0, None, None)
        return FetchResult(bars, actions, report.describing(bars))
