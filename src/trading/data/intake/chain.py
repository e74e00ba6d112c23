"""The providers of a run, put together for one group of sessions."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Protocol

from trading.config import Settings
from trading.data.intake.kept import ActionsOnce, KeptAnswers, KeptAnswersAndActions, Parts
from trading.data.intake.pulse import Pulse
from trading.data.lake import Lake
from trading.data.providers.base import DataProvider, FetchResult
from trading.data.providers.clock import Clock
from trading.data.providers.fallback import FallbackProvider, TellsActions
from trading.data.providers.vendor import NetworkProvider, SymbolProvider
from trading.data.store.base import ObjectStore
from trading.market.bars import CorporateActionType

# Sessions that are asked and stored together where one answer is a session, at most.
BLOCK_SESSIONS = 21
# A slow plan's blocks are no longer than this: whoever stops a run loses no more.
BLOCK_MINUTES = 0.25
# Parts hold twice as many symbols as are asked at once, so that the limits stay in use.
PART_ROUNDS = 2
SMALLEST_PART = 8


class Asking(Protocol):
    """What a chain needs to know of its run; see `IntakeRun`."""

    settings: Settings
    providers: tuple[DataProvider, ...]
    clock: Clock
    pulse: Pulse

    @property
    def store(self) -> ObjectStore:
        """The objects of the lake."""

    @property
    def lake(self) -> Lake:
        """The lake."""

    @property
    def through(self) -> date:
        """The last session that is over."""

    @property
    def given_up(self) -> tuple[str, ...]:
        """The symbols that shares gave up for another one since the sessions before."""

    def tell(self, stage: str, done: int, total: int) -> None:
        """Report the progress."""


def answers_by_symbol(provider: DataProvider, symbols: int | None, sessions: int) -> bool:
    """Tell whether one answer of `provider` is a symbol's history, not a session of the market.

    `symbols` is how many are asked for, None for the whole market.
    """
    if symbols is None or not isinstance(provider, NetworkProvider):
        return False
    return isinstance(provider, SymbolProvider) or symbols < sessions


def block_sessions(provider: DataProvider) -> int:
    """Return how many sessions are asked and stored together where one answer is a session."""
    if not isinstance(provider, NetworkProvider):
        return BLOCK_SESSIONS
    allowed = int(provider.client.plan.per_minute * BLOCK_MINUTES)
    return min(BLOCK_SESSIONS, max(1, allowed))


class Chain:
    """The primary and its backups as one source, with their finished answers kept.

    Where an answer is a symbol's history, the whole span is asked once and served year by year;
    where it is a session, blocks of sessions are asked.

    Attributes
    ----------
    stopped : why no provider can be asked any more, None while they can
    """

    def __init__(
        self, run: Asking, sessions: Sequence[date], symbols: Sequence[str] | None
    ) -> None:
        self.stopped: str | None = None
        self._run = run
        self._sessions = tuple(sessions)
        self._symbols = symbols
        self._count = None if symbols is None else len(symbols)
        self._splits = self._last_splits()
        self._by_symbol = answers_by_symbol(run.providers[0], self._count, len(sessions))
        self._actions = {
            p.name: ActionsOnce(p, sessions[0], sessions[-1])
            for p in run.providers
            if isinstance(p, TellsActions)
        }
        self._parts: list[Parts] = []
        self._opened: tuple[date, date] | None = None
        self._source: DataProvider = run.providers[0]
        self._kept: list[KeptAnswers] = []

    @property
    def by_symbol(self) -> bool:
        """Whether an answer is a symbol's history, told under the symbol of today."""
        return self._by_symbol

    @property
    def through(self) -> date:
        """The earliest session through which the answers in use are adjusted."""
        return min((parts.oldest for parts in self._parts), default=self._run.through)

    def blocks(self) -> Iterator[tuple[date, ...]]:
        """Yield the sessions that are asked and stored together."""
        if self._by_symbol:
            for _, days in groupby(self._sessions, key=lambda day: day.year):
                yield tuple(days)
            return
        size = block_sessions(self._run.providers[0])
        for spot in range(0, len(self._sessions), size):
            yield self._sessions[spot : spot + size]

    async def again(self, symbols: Sequence[str], session: date) -> FetchResult:
        """Return the bars of one session anew, whatever is kept of it."""
        run = self._run
        source = FallbackProvider(run.providers, run.settings, clock=run.clock)
        return await source.fetch(symbols, session, session)

    async def fetch(self, symbols: Sequence[str] | None, sessions: Sequence[date]) -> FetchResult:
        """Return the answer about one block. Raises `DataError` when nobody has anything."""
        span = self._sessions if self._by_symbol else sessions
        self._open(span[0], span[-1])
        for kept in self._kept:
            kept.begin()
        if not self._kept:
            self._run.tell(f"asking {self._source.name}", 0, len(sessions))
        return await self._source.fetch(symbols, sessions[0], sessions[-1])

    def _open(self, first: date, last: date) -> None:
        """Make the source for a span; a market without network is its own."""
        run = self._run
        if self._opened == (first, last) or not isinstance(run.providers[0], NetworkProvider):
            return
        self._opened = (first, last)
        self._parts = []
        self._kept = [self._keeping(provider, first, last) for provider in run.providers]
        self._source = FallbackProvider(
            self._kept, run.settings, renamed=run.given_up, clock=run.clock
        )

    def _keeping(self, provider: DataProvider, first: date, last: date) -> KeptAnswers:
        run = self._run
        parts = Parts(run.store, provider.name, first, last, run.through, self._splits)
        parts.load()
        self._parts.append(parts)
        kind = KeptAnswersAndActions if isinstance(provider, TellsActions) else KeptAnswers
        kept = kind(
            provider,
            parts,
            chunk=self._chunk(provider),
            pulse=run.pulse,
            exchange=run.settings.data.exchange,
            told=lambda name, done, total: run.tell(f"asking {name}", done, total),
        )
        if isinstance(kept, KeptAnswersAndActions):
            kept.told_actions = self._actions[provider.name]
        return kept

    def _chunk(self, provider: DataProvider) -> int:
        """Return how many symbols a part holds: all where one answer has the whole market."""
        by_symbol = answers_by_symbol(provider, self._count, len(self._sessions))
        if not by_symbol or not isinstance(provider, NetworkProvider):
            return max(self._count or 1, 1)
        return max(SMALLEST_PART, PART_ROUNDS * provider.client.plan.concurrency)

    def _last_splits(self) -> dict[str, date]:
        actions = self._run.lake.corporate_actions(before=date.max)
        return {a.symbol: a.ex_date for a in actions if a.type is CorporateActionType.SPLIT}


def open_chain(run: Asking, sessions: Sequence[date], symbols: Sequence[str] | None) -> Chain:
    """Return the chain for a group of sessions."""
    return Chain(run, sessions, symbols)
