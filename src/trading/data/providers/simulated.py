"""Bars of the simulated market."""

import asyncio
from collections.abc import Sequence
from datetime import date

import numpy as np

from trading.config import Settings
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.simulation import SimulatedMarket
from trading.errors import DataError
from trading.market.bars import empty_bars

__all__ = ["SimulatedMarket", "SimulatedProvider"]


class SimulatedProvider:
    """A provider whose vendor is `SimulatedMarket`; its bars never change once published."""

    name = "simulated"
    simulated = True

    def __init__(self, settings: Settings) -> None:
        self.market = SimulatedMarket(settings.data.simulated, settings.data.exchange)

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included; `symbols` None means every one.

        Raises `DataError` when the market has no session, or none of `symbols`, in that time.
        """
        return await asyncio.to_thread(self._fetch, symbols, start, end)

    def last_session(self) -> date | None:
        """Return None: the simulated market has every session that the calendar has."""
        return None

    def _fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        history = self.market.history(end)
        panel = history.panel
        panel = panel.rows(slice(int(np.searchsorted(panel.sessions, np.datetime64(start))), None))
        if symbols is not None:
            known = set(panel.symbols)
            panel = panel.select([symbol for symbol in symbols if symbol in known])
        bars = panel.to_bars() if panel.shape[0] and panel.shape[1] else empty_bars()
        if bars.empty:
            raise DataError(f"the {self.market.name} has no bar of that kind from {start} to {end}")
        wanted = set(panel.symbols)
        actions = tuple(a for a in history.actions if a.ex_date >= start and a.symbol in wanted)
        empty = IngestReport(self.market.name, len(bars), 0, 0, None, None)
        return FetchResult(bars, actions, empty.describing(bars))
