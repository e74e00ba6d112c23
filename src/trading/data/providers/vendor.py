"""What the providers of the network have in common."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar, TypeVar

import numpy as np

from trading.config import ProviderName, Settings
from trading.data.parsing import SYMBOL
from trading.data.providers.answers import WRONG_DAY_SHARE, malformed
from trading.data.providers.base import FetchResult
from trading.data.providers.client import ProviderClient
from trading.data.providers.clock import Clock
from trading.data.providers.failures import QuotaExhausted, malformed_symbol, may_pass, settled
from trading.data.providers.gaps import missing_bars
from trading.data.providers.keys import KeyResolver, environment_keys
from trading.data.providers.plans import base_url_of, plan_of
from trading.data.providers.secrecy import KeyPlacement
from trading.data.providers.vendor_bars import (
    VendorBars,
    concat_vendor_bars,
    count_rows,
    fetch_result,
    finished_sessions,
)
from trading.data.report import OUTSIDE_THE_REQUEST
from trading.errors import ProviderError, ProviderRefused, ProviderStopped
from trading.market.bars import FundamentalData
from trading.market.panel import SessionArray

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What a fetch will take: requests, and seconds at the plan's rate when none fails."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class FundamentalsResult:
    """Fundamentals by symbol, and why those of the others are missing."""

    data: Mapping[str, FundamentalData]
    failures: Mapping[str, str]


class NetworkProvider(ABC):
    """A provider that is asked over the network.

    Parameters
    ----------
    settings : `data.providers` tells plan, base URL and patience, `data.exchange` the sessions
    keys : where API keys come from; by default the environment
    clock : stands in for the machine's in tests
    client : asks the service; by default made of the settings
    """

    vendor: ClassVar[ProviderName]
    name: str
    simulated: bool = False

    def __init__(
        self,
        settings: Settings,
        *,
        keys: KeyResolver | None = None,
        clock: Clock | None = None,
        client: ProviderClient | None = None,
    ) -> None:
        self._settings = settings
        self.name = self.vendor
        providers = settings.data.providers
        self.client = client or ProviderClient(
            self.name,
            base_url_of(self.vendor, providers),
            plan_of(self.vendor, providers),
            providers,
            key=self._placement(keys or environment_keys()),
            clock=clock,
        )

    @classmethod
    @abstractmethod
    def _placement(cls, keys: KeyResolver) -> KeyPlacement | None:
        """Return the key and where the service wants it."""

    @abstractmethod
    async def _bars(
        self, symbols: Sequence[str] | None, sessions: SessionArray
    ) -> tuple[VendorBars, dict[str, ProviderError]]:
        """Return the rows of `sessions`, and the failure of each symbol that has none."""

    @abstractmethod
    def calls(self, symbols: int, sessions: int) -> int:
        """Return how many requests a fetch of that size takes when none fails."""

    def last_session(self) -> date | None:
        """Return None: the service has every session that is over."""
        return None

    def estimate(self, symbols: int, sessions: int) -> CallEstimate:
        """Return what a fetch of that size takes by the plan's rate."""
        calls = self.calls(symbols, sessions)
        plan = self.client.plan
        return CallEstimate(calls, max(0, calls - plan.burst) * 60.0 / plan.per_minute)

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included; `symbols` None means every one.

        A symbol that fails does not fail the others: `missing` says which bars are not there and
        why. Raises `ProviderError` when nothing came at all, with the reason.
        """
        wanted = None if symbols is None else tuple(dict.fromkeys(symbols))
        for symbol in wanted or ():
            if not SYMBOL.fullmatch(symbol):
                raise malformed_symbol(symbol)
        exchange = self._settings.data.exchange
        sessions = finished_sessions(start, end, exchange, self.client.clock.now())
        if not len(sessions) or wanted == ():
            raise ProviderRefused(
                f"{self.name} was asked for no session that is over, from {start} to {end}, or for "
                "no symbol; ask after the close"
            )
        self.client.oldest_answer = None
        async with self.client:
            rows, failures = await self._bars(wanted, sessions)
        self._refuse_early_answers(sessions)
        result = fetch_result(rows, sessions, self.name)
        if result.bars.empty:
            if failures:
                raise worst_of(failures.values())
            told = ", ".join(
                f"{n:,} {why.replace('_', ' ')}" for why, n in result.report.dropped.items()
            )
            raise ProviderRefused(
                f"{self.name} has no usable bar from {start} to {end} ({told or 'no rows'})"
            )
        if wanted is None:
            return _with_lost_sessions(result, sessions, self.name)
        gaps = missing_bars(
            result.bars,
            wanted,
            sessions,
            {symbol: str(error) for symbol, error in failures.items()},
            f"{self.name} has no usable bar of it",
            passing={symbol for symbol, error in failures.items() if not settled(error)},
            soon={symbol for symbol, error in failures.items() if may_pass(error)},
        )
        return replace(result, missing=gaps)

    def _refuse_early_answers(self, sessions: SessionArray) -> None:
        """Refuse answers that were made, by the service's clock, before a session was final.

        This machine's clock runs ahead then, or something between kept old answers: the bars of a
        session under way would be taken for its last.
        """
        made = self.client.oldest_answer
        if made is None:
            return
        first, last = sessions[0].astype(object), sessions[-1].astype(object)
        over = finished_sessions(first, last, self._settings.data.exchange, made)
        if len(over) < len(sessions):
            early = sessions[len(over)].astype(object)
            raise ProviderStopped(
                f"{self.name} answered at {made:%Y-%m-%d %H:%M} UTC by its own clock, before the "
                f"session {early} was final; this machine's clock says "
                f"{self.client.clock.now():%Y-%m-%d %H:%M} UTC: set it right and run again"
            )

    async def each(
        self, items: Iterable[str], ask: Callable[[str], Awaitable[Content]]
    ) -> tuple[dict[str, Content], dict[str, ProviderError]]:
        """Return the content of each item, and the failure of each that failed."""
        done: dict[str, Content] = {}
        failed: dict[str, ProviderError] = {}

        async def one(item: str) -> None:
            try:
                done[item] = await ask(item)
            except ProviderError as error:
                failed[item] = error

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
        return done, failed


class SymbolProvider(NetworkProvider):
    """A provider of the network that answers one symbol a request."""

    @abstractmethod
    async def _history(self, symbol: str, sessions: SessionArray) -> VendorBars:
        """Return the rows of one symbol; raises `ProviderError`."""

    def calls(self, symbols: int, sessions: int) -> int:
        """Return how many requests a fetch of that size takes when none fails."""
        return symbols if sessions else 0

    async def _bars(
        self, symbols: Sequence[str] | None, sessions: SessionArray
    ) -> tuple[VendorBars, dict[str, ProviderError]]:
        if symbols is None:
            raise ProviderRefused(
                f"{self.name} answers one symbol at a time and cannot list the market; name the "
                "symbols, or ask polygon"
            )
        done, failed = await self.each(symbols, lambda symbol: self._history(symbol, sessions))
        return concat_vendor_bars([done[symbol] for symbol in symbols if symbol in done]), failed

    async def fundamentals(self, symbols: Sequence[str]) -> FundamentalsResult:
        """Return the fundamentals that the service has now, and why the others are missing."""
        async with self.client:
            done, failed = await self.each(dict.fromkeys(symbols), self._fundamentals)
        return FundamentalsResult(done, {symbol: str(error) for symbol, error in failed.items()})

    @abstractmethod
    async def _fundamentals(self, symbol: str) -> FundamentalData:
        """Return the fundamentals of one symbol; raises `ProviderError`."""


def _with_lost_sessions(result: FetchResult, sessions: SessionArray, name: str) -> FetchResult:
    """Report the sessions of which a whole market's answer has nothing."""
    held = np.unique(result.bars["date"].to_numpy().astype("datetime64[D]"))
    lost = np.setdiff1d(sessions, held)
    symbols = [str(symbol) for symbol in result.bars["symbol"].unique()]
    gaps = missing_bars(result.bars, symbols, lost, {}, f"{name} gave nothing of that session")
    return replace(result, missing=gaps)


def usable(
    rows: VendorBars,
    sessions: SessionArray,
    provider: str,
    what: str,
    *,
    bad_share: float = WRONG_DAY_SHARE,
) -> VendorBars:
    """Return `rows` unless more than `bad_share` of the wanted ones are unusable: then ask again.

    Raises `MalformedAnswer`. A few bad rows are the service's own, and stay out one by one.
    """
    kept, dropped = count_rows(rows, sessions)
    harmless = (OUTSIDE_THE_REQUEST, "duplicate")
    bad = {why: count for why, count in dropped.items() if why not in harmless}
    count = sum(bad.values())
    if count > bad_share * (count + kept):
        told = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in bad.items())
        raise malformed(provider, what, f"{count:,} of its rows are unusable ({told})")
    return rows


def worst_of(failures: Iterable[ProviderError]) -> ProviderError:
    """Return the failure that matters most: what stops, then what is used up, then the first."""
    held = list(failures)
    for kind in (ProviderStopped, QuotaExhausted):
        for error in held:
            if isinstance(error, kind):
                return error
    return held[0]


def one_symbol(
    symbol: str, days: SessionArray, values: Mapping[str, Any], actions: Sequence[Any] = ()
) -> VendorBars:
    """Return the rows of one symbol; fields that are not given are NaN."""
    unknown = np.full(len(days), np.nan)
    fields = ("open", "high", "low", "close", "volume", "adjusted_close")
    return VendorBars(
        [symbol] * len(days),
        days,
        {field: values.get(field, unknown) for field in fields},
        tuple(actions),
    )
