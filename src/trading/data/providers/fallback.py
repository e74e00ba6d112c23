"""Several providers as one: what the first leaves out is asked from the next, bar by bar."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.cleaning import clean_bars
from trading.data.parsing import SYMBOL
from trading.data.providers.base import DataProvider, FetchResult, MissingBars
from trading.data.providers.board import Board
from trading.data.providers.clock import Clock, LoopClock
from trading.data.providers.failures import Remedy, malformed_symbol, may_pass, remedy_of, settled
from trading.data.providers.fundamentals import CompletedFundamentals, complete_fundamentals
from trading.data.providers.gaps import missing_bars
from trading.data.providers.polygon_answers import to_polygon
from trading.data.providers.vendor_bars import finished_sessions
from trading.errors import ConfigurationError, DataError, ProviderError, ProviderRefused
from trading.market.bars import CorporateAction
from trading.market.calendar import today
from trading.market.panel import SessionArray

# Providers are asked again this often for what a failure that may pass kept back.
ROUNDS = 2
# The first provider is asked at once again when it left out more than this share: a partial day.
PARTIAL_SHARE = 0.02


@runtime_checkable
class TellsActions(Protocol):
    """A provider whose bars come without their corporate actions, and that tells those apart."""

    name: str

    async def actions(self, start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return the splits and dividends with an ex-date from `start` to `end`, both included."""


@dataclass
class _Run:
    """What happened in one fetch."""

    board: Board | None = None
    actions: dict[tuple[date, str, str], CorporateAction] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)
    passing: dict[str, set[str]] = field(default_factory=dict)
    soon: dict[str, set[str]] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)
    rows_read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def noted(self, name: str, result: FetchResult) -> None:
        self.failures.pop(name, None)
        for action in result.actions:
            self.actions.setdefault((action.ex_date, action.symbol, action.type), action)
        self.passing.pop(name, None)
        self.soon.pop(name, None)
        for gap in result.missing:
            if gap.may_pass:
                self.passing.setdefault(name, set()).add(gap.symbol)
            if gap.soon:
                self.soon.setdefault(name, set()).add(gap.symbol)
            self.reasons.setdefault(gap.symbol, {})[name] = gap.reason
        self.rows_read += result.report.rows_read
        for reason, rows in result.report.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + rows


class FallbackProvider:
    """A primary provider and its backups.

    What to do after a failure is told by `remedy_of`: *retry* has been done by the provider's
    client, and the provider is asked once more at the end; *next provider* and *stop and tell* go
    to the backups, the latter with an alert and without asking that provider again.

    Parameters
    ----------
    providers : the primary first; all of one market (all simulated, or none)
    settings : `data.providers.tolerance` and `.cross_checks`, `data.exchange`
    expected : symbols that are asked when `fetch` is asked for every one: the universe. Without
        them the market is what the first provider that can list it says
    renamed : symbols that were given up in that time: a split or dividend of the day may still be
        told under them
    clock : stands in for the machine's in tests
    """

    def __init__(
        self,
        providers: Sequence[DataProvider],
        settings: Settings,
        *,
        expected: Sequence[str] | None = None,
        renamed: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        names = [provider.name for provider in providers]
        if not names or len(set(names)) != len(names):
            raise ConfigurationError(
                f"a fallback needs different providers, not {names or 'none'}; mend data.provider "
                "and data.providers.backups"
            )
        if len({provider.simulated for provider in providers}) != 1:
            raise ConfigurationError(
                f"simulated and real bars never mix; {', '.join(names)} are of both kinds"
            )
        self.name = providers[0].name
        self.simulated = providers[0].simulated
        self._providers = tuple(providers)
        self._settings = settings
        self._expected = None if expected is None else tuple(dict.fromkeys(expected))
        self._renamed = tuple(renamed)
        self._clock: Clock = clock or LoopClock()

    def last_session(self) -> date | None:
        """Return the primary's last session."""
        return self._providers[0].last_session()

    async def fetch(self, symbols: Sequence[str] | None, start: date, end: date) -> FetchResult:
        """Return the bars from `start` to `end`, both included, of as many providers as it takes.

        `symbols` None means the expected ones, or every one. What nobody has is listed in
        `missing`, and `alerts` says it. Raises `ProviderError` when nothing came at all.
        """
        exchange = self._settings.data.exchange
        sessions = finished_sessions(start, end, exchange, self._clock.now())
        wanted = self._expected if symbols is None else tuple(dict.fromkeys(symbols))
        for symbol in wanted or ():
            if not SYMBOL.fullmatch(symbol):
                raise malformed_symbol(symbol)
        if not len(sessions) or wanted == ():
            raise ProviderRefused(
                f"no session from {start} to {end} is over, or no symbol was named; ask after the "
                "close, for the symbols of the universe"
            )
        run = _Run()
        if wanted is not None:
            run.board = self._board(sessions, wanted)
        for turn in range(ROUNDS):
            await self._ask_all(run, sessions, turn)
        if run.board is None or not run.board.sources:
            raise self._nothing(run, start, end)
        await self._add_actions(run, run.board)
        await self._cross_check(run, run.board)
        return self._result(run, run.board)

    async def fundamentals(self, symbols: Sequence[str]) -> CompletedFundamentals:
        """Return the fundamentals of `symbols`, each field of the first provider that tells it."""
        return await complete_fundamentals(self._providers, symbols)

    def _board(self, sessions: SessionArray, symbols: Sequence[str]) -> Board:
        return Board(sessions, symbols, self._settings.data.providers.tolerance)

    async def _ask_all(self, run: _Run, sessions: SessionArray, turn: int) -> None:
        for place, provider in enumerate(self._providers):
            failure = run.failures.get(provider.name)
            if turn and provider.name not in run.soon and not (failure and may_pass(failure)):
                continue
            asked = await self._ask(run, provider, sessions)
            partial = asked and run.board is not None and run.board.lacking().mean()
            if place == 0 and turn == 0 and partial and partial > PARTIAL_SHARE:
                await self._ask(run, provider, sessions)

    async def _ask(self, run: _Run, provider: DataProvider, sessions: SessionArray) -> bool:
        """Ask one provider for all that is lacking; False when that is nothing or it failed."""
        board = run.board
        symbols, span = None, sessions
        if board is not None:
            lacking = board.lacking()
            if not lacking.any():
                return False
            symbols = [board.symbols[n] for n in np.flatnonzero(lacking.any(axis=0))]
            span = sessions[lacking.any(axis=1)]
        first, last = span[0].astype(object), span[-1].astype(object)
        try:
            result = await provider.fetch(symbols, first, last)
        except DataError as error:
            answered = board is not None and provider.name in board.sources
            if answered and isinstance(error, ProviderRefused):
                # It told of the others and has nothing of these: that is their gap, no failure.
                for symbol in symbols or ():
                    run.reasons.setdefault(symbol, {})[provider.name] = str(error)
            else:
                run.failures[provider.name] = error
            return False
        run.noted(provider.name, result)
        if board is None:
            names = sorted({str(symbol) for symbol in result.bars["symbol"].unique()})
            board = run.board = self._board(sessions, names)
        board.add(result.bars, provider.name)
        return True

    async def _add_actions(self, run: _Run, board: Board) -> None:
        """Add the splits and dividends of a provider whose bars come without them."""
        first, last = board.sessions[0].astype(object), board.sessions[-1].astype(object)
        for provider in self._providers:
            if not isinstance(provider, TellsActions) or provider.name not in board.sources:
                continue
            wanted = (*self._renamed, *board.symbols)
            spelling = {to_polygon(symbol): symbol for symbol in wanted}
            try:
                found = await provider.actions(first, last)
            except DataError as error:
                run.untold.append(f"{provider.name} did not tell splits and dividends: {error}")
                continue
            for action in found:
                if action.symbol in spelling:
                    named = replace(action, symbol=spelling[action.symbol])
                    run.actions.setdefault((named.ex_date, named.symbol, named.type), named)

    async def _cross_check(self, run: _Run, board: Board) -> None:
        """Ask the first backup for some of the primary's symbols too, others every session."""
        count = self._settings.data.providers.cross_checks
        if not count or len(self._providers) < 2:
            return
        last = board.of_source(self.name)[-1]
        session = str(board.sessions[-1])
        held = [board.symbols[n] for n in np.flatnonzero(last)]
        held.sort(key=lambda name: sha256(f"{session} {name}".encode()).digest())
        chosen = held[:count]
        other = self._providers[1]
        failure = run.failures.get(other.name)
        if not chosen or (failure is not None and remedy_of(failure) is Remedy.STOP):
            return
        day = board.sessions[-1].astype(object)
        try:
            result = await other.fetch(sorted(chosen), day, day)
        except DataError as error:
            run.failures.setdefault(other.name, error)
            return
        board.add(result.bars, other.name, fill=False)

    def _result(self, run: _Run, board: Board) -> FetchResult:
        used = [s for s in board.sources if board.of_source(s).any()]
        zone = self._settings.schedule.timezone
        lenient = self._settings.data.model_copy(update={"min_symbols": 1})
        bars, report = clean_bars(
            board.bars(),
            source=" + ".join(used),
            today=today(zone, self._clock.now()),
            settings=self._settings.model_copy(update={"data": lenient}),
        )
        provenance = _beside(board.provenance(), bars)
        missing = self._missing(run, board, bars)
        repeats = run.rows_read - report.rows_read - sum(run.dropped.values())
        dropped = dict(run.dropped)
        for reason, rows in (*report.dropped.items(), ("told_before", repeats)):
            if rows > 0:
                dropped[reason] = dropped.get(reason, 0) + rows
        report = replace(report, rows_read=max(run.rows_read, report.rows_read), dropped=dropped)
        disagreements = tuple(
            sorted(set(board.disagreements), key=lambda d: (d.symbol, d.session, d.other))
        )
        result = FetchResult(
            bars,
            tuple(run.actions[key] for key in sorted(run.actions)),
            report,
            missing=missing,
            disagreements=disagreements,
            provenance=provenance,
        )
        return replace(result, alerts=self._alerts(run, board, result))

    def _missing(self, run: _Run, board: Board, bars: pd.DataFrame) -> tuple[MissingBars, ...]:
        general = [f"{name}: {error}" for name, error in run.failures.items()]
        reasons = {
            symbol: "; ".join([*dict.fromkeys(told.values()), *general])
            for symbol, told in run.reasons.items()
        }
        default = "; ".join(general) or "no provider has it"
        passing = {symbol for told in run.passing.values() for symbol in told}
        soon = {symbol for told in run.soon.values() for symbol in told}
        if any(not settled(error) for error in run.failures.values()):
            passing.update(board.symbols)
        if any(may_pass(error) for error in run.failures.values()):
            soon.update(board.symbols)
        return missing_bars(
            bars, board.symbols, board.sessions, reasons, default, passing=passing, soon=soon
        )

    def _alerts(self, run: _Run, board: Board, result: FetchResult) -> tuple[str, ...]:
        alerts = list(run.untold)
        for name, error in run.failures.items():
            kind = "stopped" if remedy_of(error) is Remedy.STOP else "failed"
            alerts.append(f"{name} {kind}: {error}")
        total = int(np.count_nonzero(~np.isnat(result.bars["date"].to_numpy())))
        for source in board.sources:
            if source != self.name and (given := int(board.of_source(source).sum())):
                alerts.append(f"{given:,} of {total:,} bars came from the backup {source}")
        if result.missing:
            alerts.append(missing_alert(result.missing))
        if result.disagreements:
            apart = result.disagreements[0]
            alerts.append(
                f"{len(result.disagreements):,} closes differ between providers by more than "
                f"{self._settings.data.providers.tolerance:.2%}, first {apart.symbol} on "
                f"{apart.session}: {apart.source} {apart.close:g}, {apart.other} "
                f"{apart.other_close:g}"
            )
        return tuple(alerts)

    def _nothing(self, run: _Run, start: date, end: date) -> ProviderError:
        told = "; ".join(str(error) for error in run.failures.values()) or "all answers were empty"
        stopped = [e for e in run.failures.values() if remedy_of(e) is Remedy.STOP]
        kind = type(stopped[0]) if stopped else ProviderRefused
        text = f"no provider has any bar from {start} to {end}: {told}"
        return kind(text) if issubclass(kind, ProviderError) else ProviderRefused(text)


def missing_alert(missing: Sequence[MissingBars]) -> str:
    """Return what is missing in one sentence."""
    sessions = sum(gap.sessions for gap in missing)
    names = sorted({gap.symbol for gap in missing})
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" * (len(names) > 10))
    return f"{sessions:,} bars of {len(names):,} symbols are missing or incomplete: {shown}"


def _beside(provenance: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `provenance` that belong to `bars`, in their order."""
    if len(provenance) == len(bars):
        return provenance
    kept = bars[["date", "symbol"]].merge(provenance, on=["date", "symbol"], how="left")
    return kept.reset_index(drop=True)
