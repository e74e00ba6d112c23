"""Where a session's bars come from: a file that is replayed, or a source that is asked again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np

from trading.backtest.feed import BarFeed, implied_dividends
from trading.data.providers.base import DataProvider
from trading.market.bars import CorporateActionType
from trading.market.calendar import DEFAULT_EXCHANGE, session_close
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.session.clock import Clock
from trading.session.intake import BarProblem, problem


class BarSource(Protocol):
    """A source of bars for a session.

    Attributes
    ----------
    name : what it is, in words
    simulated : whether its market is invented
    growing : whether its last bar may not be the last of that bar's session
    """

    name: str
    simulated: bool

    @property
    def growing(self) -> bool:
        """Whether the last bar may not be the last of its session."""

    async def load(self) -> tuple[BarFeed, list[BarProblem]]:
        """Return every bar that is known, and what was wrong with them.

        Raises `DataError` when there is nothing usable.
        """

    async def wait(self) -> bool:
        """Return when there may be more; False when there never will be."""


class ReplaySource:
    """Bars that are all there already, such as the feed of a backtest."""

    growing = False

    def __init__(self, feed: BarFeed, *, name: str = "replay", simulated: bool = False) -> None:
        self.name = name
        self.simulated = simulated
        self._feed = feed

    async def load(self) -> tuple[BarFeed, list[BarProblem]]:
        """Return the feed."""
        return self._feed, []

    async def wait(self) -> bool:
        """Return False: nothing is added."""
        return False


class PolledSource:
    """Daily bars of a provider or a folder, asked for again and again.

    Parameters
    ----------
    provider : asked for everything from `start` on; vendors restate history
    symbols : the universe; None: every symbol of the first answer
    every : time between two questions; None: it is asked once
    settle : time after a session's close before its bars count as complete

    The universe is fixed by `symbols`, or by the first answer; symbols that appear later are named
    and left out.
    """

    growing = False

    def __init__(
        self,
        provider: DataProvider,
        clock: Clock,
        *,
        start: date,
        symbols: Sequence[str] | None = None,
        every: timedelta | None = None,
        settle: timedelta = timedelta(minutes=15),
        sectors: Mapping[str, str] | None = None,
        exchange: str = DEFAULT_EXCHANGE,
    ) -> None:
        self.name = provider.name
        self.simulated = provider.simulated
        self._provider = provider
        self._clock = clock
        self._start = start
        self._symbols = None if symbols is None else tuple(symbols)
        self._every = every
        self._settle = settle
        self._sectors = dict(sectors or {})
        self._exchange = exchange
        self._asked: set[str] = set()
        self._ahead: tuple[BarFeed, list[BarProblem]] | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The universe; empty before the first answer."""
        return self._symbols or ()

    async def look(self) -> BarFeed:
        """Return what `load` will return first, so that its symbols are known before a session."""
        self._ahead = await self.load()
        return self._ahead[0]

    def restrict(self, symbols: Sequence[str]) -> None:
        """Fix the universe."""
        self._symbols, self._ahead = tuple(symbols), None

    async def load(self) -> tuple[BarFeed, list[BarProblem]]:
        """Ask the provider for everything up to the last session that is complete."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        now = datetime.now(UTC) if self._every is None else self._clock.now()
        fetched = await self._provider.fetch(None, self._start, now.date())
        report = fetched.report
        found = [
            BarProblem(kind, count, (f"in {report.source}",))
            for kind, count in {**report.dropped, **report.repairs}.items()
        ]
        data = MarketData.from_panel(Panel.from_bars(fetched.bars))
        if self._symbols is None:
            self._symbols = data.symbols
        elif self._asked:
            strange = sorted(set(data.symbols) - self._asked)
            found += problem("unknown_symbol", strange)
        self._asked |= set(data.symbols)
        data = columns_of(data, self._symbols)
        data = data.upto(self._last_complete(data, now))
        # Bars are split-adjusted: a split is in the prices already. Dividends are what adjusted
        # closes say.
        wanted = set(self._symbols)
        ended = [
            action
            for action in fetched.actions
            if action.type is CorporateActionType.DELISTING and action.symbol in wanted
        ]
        return BarFeed(data, (*implied_dividends(data), *ended), self._sectors), found

    async def wait(self) -> bool:
        """Wait for the next time to ask."""
        if self._every is None:
            return False
        await self._clock.wait_until(self._clock.now() + self._every)
        return True

    def _last_complete(self, data: MarketData, now: datetime) -> int:
        """Return the last row whose session has closed; -1 where none has."""
        row = len(data.timestamps) - 1
        while row >= 0:
            day = data.sessions[row].astype("datetime64[D]").item()
            if day < (now - timedelta(days=2)).date():
                break
            if session_close(day, self._exchange) + self._settle <= now:
                break
            row -= 1
        return row


def columns_of(data: MarketData, symbols: tuple[str, ...]) -> MarketData:
    """Return the symbols in this order; one without bars is a column of NaN."""
    if data.symbols == symbols:
        return data
    known = [symbol for symbol in symbols if symbol in data.columns]
    picked = data.select(known)
    place = {symbol: at for at, symbol in enumerate(symbols)}
    fields = {}
    for name in ("open", "high", "low", "close", "volume", "adjusted_close"):
        wide = np.full((len(data.timestamps), len(symbols)), np.nan)
        wide[:, [place[symbol] for symbol in known]] = getattr(picked, name)
        fields[name] = wide
    return MarketData(data.timestamps, data.sessions, symbols, **fields, interval=data.interval)
