"""One run of an intake: blocks of sessions, asked, judged and stored one after the other."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from trading.config import Settings
from trading.data.actions.symbols import SymbolMap
from trading.data.intake.block import Block
from trading.data.intake.chain import Chain, open_chain
from trading.data.intake.commit import Place, commit_session
from trading.data.intake.followed import FollowedShares, strike_out
from trading.data.intake.judged import JudgedSession, judge_sessions
from trading.data.intake.kept import clear_parts
from trading.data.intake.outcome import (
    IntakeProgress,
    IntakeResult,
    SessionOutcome,
    SessionStatus,
)
from trading.data.intake.proofs import note_proof, settle_proof
from trading.data.intake.pulse import IntakeStopped, Pulse
from trading.data.intake.record import SessionRecord
from trading.data.intake.splits import settle_splits
from trading.data.intake.symbols import (
    follow_shares,
    settle_shares,
    wanted_names,
    without_other_names,
)
from trading.data.intake.todo import ToDo
from trading.data.lake import Lake
from trading.data.late_repairs import LateRepair
from trading.data.providers.base import DataProvider, FetchResult, MissingBars
from trading.data.providers.clock import Clock
from trading.data.providers.fallback import missing_alert
from trading.data.providers.vendor import NetworkProvider
from trading.data.providers.vendor_bars import finished_sessions
from trading.data.quality import QualityVerdict
from trading.data.store.base import ObjectStore
from trading.errors import DataError, ProviderStopped
from trading.market.calendar import today as exchange_today

# After this many blocks in a row of which nothing came, the rest is not asked.
FAILURES_IN_A_ROW = 2
# No exchange was ever closed for as many days.
LONGEST_CLOSURE = 30


@dataclass
class IntakeRun:
    """What a run works with, and what became of its sessions so far.

    Attributes
    ----------
    place, settings : where to, and by which rules
    providers : the primary and its backups
    symbols : who is wanted, None for whoever comes
    clock, pulse : the time, and whether to go on
    report : told of the progress
    """

    place: Place
    settings: Settings
    providers: tuple[DataProvider, ...]
    symbols: tuple[str, ...] | None
    clock: Clock
    pulse: Pulse
    report: Callable[[IntakeProgress], None] | None
    _outcomes: dict[date, SessionOutcome] = field(default_factory=dict)
    _alerts: list[str] = field(default_factory=list)
    _records: Mapping[date, SessionRecord] = field(default_factory=dict)
    _followed: FollowedShares = field(default_factory=lambda: FollowedShares(SymbolMap()))
    _renamed: tuple[str, ...] = ()
    _total: int = 0

    @property
    def store(self) -> ObjectStore:
        """The objects of the lake."""
        return self.place.store

    @property
    def lake(self) -> Lake:
        """The lake."""
        return self.place.lake

    @property
    def simulated(self) -> bool:
        """Whether the market is invented."""
        return self.place.simulated

    @property
    def today(self) -> date:
        """The exchange's date."""
        return exchange_today(self.settings.schedule.timezone, self.clock.now())

    @property
    def through(self) -> date:
        """The last session that is over: vendors have adjusted their bars through it."""
        now, exchange = self.clock.now(), self.settings.data.exchange
        since = now.date() - timedelta(days=LONGEST_CLOSURE)
        last: date = finished_sessions(since, now.date(), exchange, now)[-1].astype(object)
        return last

    @property
    def given_up(self) -> tuple[str, ...]:
        """The symbols that shares gave up for another one since the sessions before."""
        return tuple(change.before for change in self._followed.changes if change.before)

    async def follow_shares(self, todo: ToDo) -> bool:
        """Ask which symbols shares bear on new sessions; tell whether others are wanted now."""
        if self.simulated:
            return False
        self._followed = await follow_shares(
            self.providers,
            self.store,
            self.lake,
            todo.new,
            self.symbols,
            through=self.through,
            pulse=self.pulse,
        )
        before = self.symbols
        if todo.ask:
            known = self._followed.symbols
            self.symbols = wanted_names(self.symbols, known, todo.ask[0], todo.ask[-1])
        return self.symbols != before

    async def work(self, todo: ToDo) -> None:
        """Ask and store what there is to do; what time does not allow is left."""
        self._total = len(todo.ask)
        self._records = todo.records
        try:
            if todo.new:
                await self._group(todo.new, self.symbols, None)
            if todo.partial:
                wanted = {symbol for names in todo.partial.values() for symbol in names}
                asked = tuple(s for s in self.symbols or () if s in wanted)
                await self._group(tuple(sorted(todo.partial)), asked, todo.partial)
        except IntakeStopped as stopped:
            reason = (str(stopped),)
            for day in todo.ask:
                left = SessionOutcome(day, SessionStatus.LEFT, reasons=reason)
                self._outcomes.setdefault(day, left)
        self._renamed = settle_shares(self._followed, self.lake, self.symbols, through=self.through)
        unfinished = (SessionStatus.LEFT, SessionStatus.FAILED)
        if any(o.status in unfinished for o in self._outcomes.values()):
            return
        if self._followed.day is not None:
            strike_out(self.store)
        days = [*todo.ask, *todo.held]
        if days:
            clear_parts(self.store, min(days), max(days), self.through)

    def result(self, todo: ToDo) -> IntakeResult:
        """Return the fate of every day."""
        for day in todo.held:
            record = todo.records.get(day)
            self._outcomes.setdefault(day, _held(day, record))
        for day in todo.holidays:
            self._outcomes[day] = SessionOutcome(day, SessionStatus.HOLIDAY)
        for day in todo.unfinished:
            reason = f"the bars of {day} are not final yet; fetch it after its close"
            self._outcomes[day] = SessionOutcome(
                day, SessionStatus.FAILED, reasons=(reason,), may_pass=True
            )
        outcomes = tuple(
            self._without_unlisted([self._outcomes[day] for day in sorted(self._outcomes)])
        )
        news = [
            o for o in outcomes if o.session in todo.new and o.status is not SessionStatus.FAILED
        ]
        gaps = [gap for outcome in news for gap in outcome.missing]
        if gaps and len(todo.new) > 1:
            self._alerts.append(missing_alert(gaps))
        return IntakeResult(
            outcomes,
            tuple(dict.fromkeys(self._alerts)),
            {p.name: p.client.calls for p in self._network()},
            self.providers[0].name,
            (*self._followed.told, *self._renamed),
        )

    async def _group(
        self,
        sessions: tuple[date, ...],
        symbols: tuple[str, ...] | None,
        lacking: Mapping[date, tuple[str, ...]] | None,
    ) -> None:
        """Ask and store sessions block by block."""
        chain = open_chain(self, sessions, symbols)
        failures = 0
        for days in chain.blocks():
            self.pulse.check()
            block = Block(days, symbols, lacking)
            if failures == FAILURES_IN_A_ROW or chain.stopped is not None:
                told = "not asked: nothing came of the sessions before"
                self._nothing(block, chain.stopped or told, may_pass=chain.stopped is None)
                continue
            stored = await self._block(chain, block)
            failures = 0 if stored else failures + 1

    async def _block(self, chain: Chain, block: Block) -> bool:
        """Ask and store one block; False when nothing came."""
        try:
            async with asyncio.timeout(self.pulse.seconds()) as limit:
                answer = await chain.fetch(block.symbols, block.sessions)
        except TimeoutError:
            if not limit.expired():
                raise
            raise IntakeStopped(
                "the time ran short while providers were asked; the next run continues"
            ) from None
        except DataError as error:
            if isinstance(error, ProviderStopped):
                chain.stopped = str(error)
            self._nothing(block, str(error), may_pass=chain.stopped is None)
            return False
        # Gaps are told by session and symbol: who is gone for good is not told every day.
        named = missing_alert(answer.missing) if answer.missing else None
        answer = replace(answer, alerts=tuple(a for a in answer.alerts if a != named))
        answer = without_other_names(answer, self._followed.symbols, block.sessions)
        wanted = block.part_of(answer)
        doubts: tuple[str, ...] = ()
        if not self.simulated:
            doubts = await settle_splits(chain, self.lake, wanted.actions, block.sessions)
        try:
            judged, older = judge_sessions(
                wanted,
                self.lake,
                self.settings,
                simulated=self.simulated,
                through=chain.through,
                today=self.today,
            )
        except DataError as error:
            self._nothing(block, f"refused: {error}")
            return False
        answer = replace(answer, alerts=(*answer.alerts, *doubts, *older.told))
        if len(block.sessions) > 1:
            first, last = block.sessions[0], block.sessions[-1]
            self._alerts += [f"{first} to {last}: {alert}" for alert in answer.alerts]
        proof = self._noted(judged, older.repairs)
        self._store(block, judged, answer, chain)
        if proof and not settle_proof(self.place, proof):
            self._alerts.append(
                "stored bars are not mended after all: another run stored what proves them wrong, "
                "and it failed its check"
            )
        return bool(judged)

    def _noted(self, judged: Sequence[JudgedSession], repairs: Sequence[LateRepair]) -> str | None:
        """Write down what the sessions that pass prove of older ones; None where it is nothing."""
        if not repairs:
            return None
        passed = [x.session for x in judged if x.quality.verdict is not QualityVerdict.FAIL]
        return note_proof(self.place, {day: self._rounds(day) for day in passed}, repairs)

    def _rounds(self, day: date) -> int:
        known = self._records.get(day)
        return 0 if known is None else known.rounds

    def _store(
        self,
        block: Block,
        judged: Sequence[JudgedSession],
        answer: FetchResult,
        chain: Chain,
    ) -> None:
        alerts = answer.alerts if len(block.sessions) == 1 else ()
        by_day = {each.session: each for each in judged}
        for day in block.sessions:
            self.pulse.check()
            each = by_day.get(day)
            if each is None:
                gaps = block.gaps_of(day, answer)
                reason = gaps[0].reason if gaps else "no provider has a bar of it"
                self._nothing(replace(block, sessions=(day,)), reason, gaps)
                continue
            record = commit_session(
                self.place,
                each,
                rounds=self._rounds(day),
                whole=block.lacking is None,
                through=chain.through,
                by_symbol=chain.by_symbol,
                alerts=alerts,
            )
            self._outcomes[day] = record.outcome()
            self.tell("storing", len(self._outcomes), self._total)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Report the progress."""
        if self.report is None:
            return
        calls = [p.client.calls for p in self._network()]
        self.report(
            IntakeProgress(
                stage,
                done,
                total,
                len(self._outcomes),
                self._total,
                sum(count.attempts for count in calls),
                sum(count.waited for count in calls),
            )
        )

    def _network(self) -> Iterator[NetworkProvider]:
        return (p for p in self.providers if isinstance(p, NetworkProvider))

    def _nothing(
        self,
        block: Block,
        reason: str,
        missing: tuple[MissingBars, ...] = (),
        *,
        may_pass: bool = True,
    ) -> None:
        """Note sessions of which nothing came: new ones failed, held ones lack what they lacked."""
        for day in block.sessions:
            if block.lacking is None:
                self._outcomes[day] = SessionOutcome(
                    day,
                    SessionStatus.FAILED,
                    missing=missing,
                    reasons=(reason,),
                    may_pass=may_pass,
                )
                continue
            gaps = missing or tuple(
                MissingBars(symbol, day, day, 1, (), reason, may_pass, may_pass)
                for symbol in block.lacking[day]
            )
            held = _held(day, self._records.get(day))
            self._outcomes[day] = replace(held, missing=gaps)
        first, last = block.sessions[0], block.sessions[-1]
        span = f"{first}" if first == last else f"{first} to {last}"
        what = "could not be fetched" if block.lacking is None else "could not be completed"
        self._alerts.append(f"{span} {what}: {reason}")

    def _without_unlisted(self, outcomes: Sequence[SessionOutcome]) -> Iterator[SessionOutcome]:
        """Count symbols whose first bar came later as not listed yet, instead of as missing."""
        lacking = [o for o in outcomes if o.missing and o.status is not SessionStatus.FAILED]
        first = {}
        if len(outcomes) > 1 and lacking:
            first = self._first_bars(lacking[0].session)
        for outcome in outcomes:
            if outcome.status is SessionStatus.FAILED:
                yield outcome
                continue
            kept = tuple(
                gap
                for gap in outcome.missing
                if gap.may_pass or first.get(gap.symbol, date.min) <= outcome.session
            )
            status = outcome.status
            if not kept and status is SessionStatus.PARTIAL:
                status = SessionStatus.COMPLETE
            unlisted = len(outcome.missing) - len(kept)
            yield replace(outcome, missing=kept, status=status, unlisted=unlisted)

    def _first_bars(self, since: date) -> dict[str, date]:
        """Return the first session of each symbol that the lake serves, if after `since`."""
        after = self.today + timedelta(days=1)
        try:
            sessions, names, close = self.lake.field("close", before=after, start=since)
        except DataError:
            # Every session since then is quarantined: nobody can tell.
            return {}
        known = ~np.isnan(close)
        begins = np.argmax(known, axis=0)
        return {
            name: sessions[begins[n]].astype(object) for n, name in enumerate(names) if begins[n]
        }


def _held(day: date, record: SessionRecord | None) -> SessionOutcome:
    """Return the fate of a session that had nothing left to do."""
    if record is None:
        return SessionOutcome(day, SessionStatus.HELD)
    return replace(record.outcome(), status=SessionStatus.HELD, alerts=())
