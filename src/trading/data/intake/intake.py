"""Sessions from a provider, through the pipeline, into the lake: the one way there is."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date

from trading.config import Settings
from trading.data.intake.commit import Place, finish_chosen
from trading.data.intake.outcome import IntakeProgress, IntakeResult
from trading.data.intake.proofs import settle_proofs
from trading.data.intake.pulse import Pulse
from trading.data.intake.run import IntakeRun
from trading.data.intake.todo import sessions_to_do
from trading.data.lake import Lake
from trading.data.providers.base import DataProvider
from trading.data.providers.clock import Clock, LoopClock
from trading.data.store.bars.base import BarStore
from trading.data.store.bars.location import open_configured_bars
from trading.data.store.base import ObjectStore


class Intake:
    """Brings sessions into the lake.

    Parameters
    ----------
    store : the lake's
    settings : `data`
    providers : the primary first, then its backups; all of one market
    expected : who is wanted when a run names no symbols; None for whoever comes
    clock : stands in for the machine's in tests
    """

    def __init__(
        self,
        store: ObjectStore,
        settings: Settings,
        providers: Sequence[DataProvider],
        *,
        expected: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._providers = tuple(providers)
        self._expected = None if expected is None else tuple(dict.fromkeys(expected))
        self._clock: Clock = clock or LoopClock()

    @property
    def providers(self) -> tuple[DataProvider, ...]:
        """The primary and its backups."""
        return self._providers

    @property
    def expected(self) -> tuple[str, ...] | None:
        """Who is wanted when a run names no symbols, None for whoever comes."""
        return self._expected

    @property
    def source(self) -> str:
        """Name of the primary provider."""
        return self._providers[0].name

    def run(
        self,
        days: Sequence[date],
        *,
        symbols: Sequence[str] | None = None,
        report: Callable[[IntakeProgress], None] | None = None,
        stop: Callable[[], bool] | None = None,
        remaining: Callable[[], float] | None = None,
    ) -> IntakeResult:
        """Bring what the lake lacks of `days` into it, and tell the fate of each day.

        Parameters
        ----------
        days : in any order; what is no session is a holiday
        symbols : who is wanted, None for the expected ones
        report : told of the progress
        stop : asked between parts whether to end
        remaining : seconds left, such as a Lambda's; the run ends in order before they are over

        What is held already is not asked again, so a second run does nothing; a killed run is
        continued by the next. A session that no provider has is `failed`; nothing is raised for
        it. Raises `DataError` when the lake holds another kind of market, `ConfigurationError` or
        `StoreError` when the run cannot work at all.
        """
        return asyncio.run(self.work(days, symbols, report, Pulse(stop, remaining)))

    async def work(
        self,
        days: Sequence[date],
        symbols: Sequence[str] | None = None,
        report: Callable[[IntakeProgress], None] | None = None,
        pulse: Pulse | None = None,
    ) -> IntakeResult:
        """Do what `run` does, on the running event loop."""
        wanted = self._expected if symbols is None else tuple(dict.fromkeys(symbols))
        beside = self._beside()
        try:
            place = Place(
                self._store, Lake(self._store), self._providers[0].simulated, beside=beside
            )
            run = IntakeRun(
                place,
                self._enough_symbols(symbols),
                self._providers,
                wanted,
                self._clock,
                pulse or Pulse(),
                report,
            )
            finish_chosen(place)
            settle_proofs(place)
            todo = sessions_to_do(self._store, days, wanted, self._settings, now=self._clock.now())
            if await run.follow_shares(todo):
                todo = sessions_to_do(
                    self._store, days, run.symbols, self._settings, now=self._clock.now()
                )
            await run.work(todo)
            return run.result(todo)
        finally:
            if beside is not None:
                beside.close()

    def _beside(self) -> BarStore | None:
        """Return the store that the settings want bars in beside the lake, None for none."""
        settings = self._settings.data.store
        return None if settings.bars == "lake" else open_configured_bars(settings, self._store)

    def _enough_symbols(self, symbols: Sequence[str] | None) -> Settings:
        """Return the settings for a run: who names three symbols wants no more than those."""
        if symbols is None:
            return self._settings
        least = max(1, min(self._settings.data.min_symbols, len(set(symbols))))
        data = self._settings.data.model_copy(update={"min_symbols": least})
        return self._settings.model_copy(update={"data": data})
