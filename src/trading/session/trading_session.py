"""A trading session: the one path from bars to orders, on paper and live.

Bar by bar: the broker's market moves (on paper) or has moved (live); the strategies are asked,
their sizers weigh, the limits decide, and what was decided is on the disk before the order manager
sends it. Killed at any moment, a session goes on where it was: a bar that was decided on is not
decided on again, an order that was sent is not sent again, and nothing decided is left out.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trading.backtest.engine import Sleeve
from trading.backtest.feed import BarFeed
from trading.errors import BrokerUnavailable, SessionError
from trading.execution.broker_desk import Patience
from trading.execution.brokers.base import Broker, BrokerEvent
from trading.execution.brokers.paper_market import MarketRow
from trading.execution.costs import Rules
from trading.execution.journal import Journal
from trading.execution.lifecycle import OrderEvent
from trading.execution.money import to_micros
from trading.execution.order_manager import OrderManager
from trading.execution.orders import OrderStatus
from trading.market.calendar import DEFAULT_EXCHANGE
from trading.risk.checks import Limits
from trading.risk.circuit_breaker import BreakerState, CircuitBreaker
from trading.risk.sizing import Targets
from trading.session.clock import Clock
from trading.session.decision import Decider, Decision
from trading.session.dispatch import ApprovedOrders, carry_out
from trading.session.event_log import EventLog
from trading.session.home import SessionHome
from trading.session.intake import BarProblem, changed_history, gaps, inferred_splits
from trading.session.log_lines import (
    Line,
    activity_line,
    decision_lines,
    line,
    order_lines,
    point_line,
    problem_line,
    wish_lines,
)
from trading.session.market import SessionMarket
from trading.session.settings import SessionSettings
from trading.session.sources import BarSource
from trading.session.state import SessionState
from trading.session.store import CurvePoint, SessionStore
from trading.session.wishes import Wishes, ask_strategies
from trading.strategy.runner import StrategyRunner

RETRY_SECONDS = 1.0


@runtime_checkable
class BarDriven(Protocol):
    """A broker whose market is the session's bars."""

    async def on_row(self, row: MarketRow) -> None:
        """Let a bar trade."""

    async def on_auction(self, row: MarketRow) -> None:
        """Fill fresh market orders at the bar's close."""

    def pending_events(self) -> list[BrokerEvent]:
        """Return, and forget, the events that nobody has taken yet."""


@dataclass(frozen=True)
class SessionSummary:
    """What a run of a session did.

    Attributes
    ----------
    bars : worked through in this run
    last_bar : the last one ever; None where there was none
    equity : USD after it; None where there was none
    """

    bars: int
    last_bar: datetime | None
    equity: float | None


class TradingSession:
    """One session on one home; `run` it once.

    Parameters
    ----------
    home : its folder, which the caller has locked
    sleeves : strategies with their sizers and fractions of the capital
    broker_for : makes the broker of these symbols
    start, end : first and last session that is traded; earlier bars are history
    on_bar : called with the account after every bar

    Raises
    ------
    SessionError
        The home belongs to a session with other strategies, settings or symbols.
    """

    def __init__(
        self,
        home: SessionHome,
        sleeves: Sequence[Sleeve],
        settings: SessionSettings,
        source: BarSource,
        broker_for: Callable[[tuple[str, ...]], Broker],
        clock: Clock,
        *,
        start: date | None = None,
        end: date | None = None,
        exchange: str = DEFAULT_EXCHANGE,
        patience: Patience | None = None,
        on_bar: Callable[[CurvePoint], None] | None = None,
    ) -> None:
        self._home, self._sleeves, self._settings = home, tuple(sleeves), settings
        self._source, self._broker_for, self._clock = source, broker_for, clock
        self._start, self._end, self._exchange = start, end, exchange
        self._patience, self._on_bar = patience or Patience(), on_bar
        ids = [sleeve.strategy.strategy_id for sleeve in self._sleeves]
        if not ids or len(set(ids)) != len(ids):
            raise SessionError(f"a session needs strategies with ids of their own, got {ids}")
        self._strategy_id = ids[0] if len(ids) == 1 else "portfolio"
        self._rules, self._limits = Rules.of(settings.execution), Limits.of(settings.risk)
        self._runner = StrategyRunner(timeout_seconds=settings.strategy_timeout_seconds)
        self._check = ApprovedOrders()
        self._touched: set[str] = set()
        self._lines: list[Line] = []
        self._bars = 0

    async def run(self) -> SessionSummary:
        """Work through the bars until the source has no more; return what was done.

        Raises
        ------
        SessionError, BrokerError, DataError, StoreError
            The session cannot start or go on; run it again to continue where it stopped.
        """
        try:
            await self._open()
            while True:
                await self._work_off()
                if not await self._source.wait():
                    return self._summary()
                await self._load()
        finally:
            await self._close()

    async def _open(self) -> None:
        self._store = SessionStore(self._home.state_file)
        self._log = EventLog(self._home.log_file)
        self._state = self._store.state()
        self._feed: BarFeed | None = None
        await self._load()
        symbols = self._market.symbols
        self._require_same_session(symbols)
        self._broker = self._broker_for(symbols)
        self._manager = OrderManager(
            self._broker,
            Journal(self._home.journal_file),
            check=self._check,
            symbols=frozenset(symbols),
            patience=self._patience,
            clock=lambda: self._state.decided_at or self._clock.now(),
        )
        await self._manager.start()
        self._breaker = CircuitBreaker(
            self._home.path / "breaker.json",
            failure_limit=self._settings.broker_failures,
            cool_down=timedelta(seconds=self._settings.cool_down_seconds),
            clock=self._clock.now,
        )
        self._settle_breaker()
        self._decider = Decider(
            self._strategy_id,
            symbols,
            self._market.feed.sector_codes,
            self._rules,
            self._limits,
        )
        self._listener: asyncio.Task[None] | None = None
        if not isinstance(self._broker, BarDriven):
            self._listener = asyncio.create_task(self._manager.listen())
        kind = "started" if self._state.decided_at is None else "resumed"
        self._tell(kind, bars=self._source.name, simulated=self._source.simulated)
        self._touched |= set(self._manager.records)
        await self._tell_activities()
        self._commit()

    async def _close(self) -> None:
        self._runner.close()
        for name in ("_broker", "_manager", "_log", "_store"):
            if not hasattr(self, name):
                continue
            if name == "_broker":
                await self._broker.close()
            elif name == "_manager":
                self._manager.journal.close()
            else:
                getattr(self, name).close()
        listener = getattr(self, "_listener", None)
        if listener is not None:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _load(self) -> None:
        """Take in what the source knows by now, and name what is wrong with it."""
        feed, problems = await self._source.load()
        before, decided = self._feed, self._state.decided_at
        if before is not None and decided is not None:
            problems = problems + changed_history(before.data, feed.data, decided)
        market = SessionMarket(feed, self._rules, self._limits, exchange=self._exchange)
        row = None if decided is None else market.row_of(decided)
        following = market.rows_after(decided)
        if row is not None and len(following):
            ex_date = feed.data.sessions[following[0]].astype("datetime64[D]").item()
            splits = inferred_splits(self._state.last, feed.data, row, ex_date)
            if splits:
                names = [f"{one.symbol} {one.value:g} for 1" for one in splits]
                problems = [*problems, BarProblem("split_inferred", len(splits), tuple(names))]
                feed = replace(feed, actions=(*feed.actions, *splits))
                market = SessionMarket(feed, self._rules, self._limits, exchange=self._exchange)
        self._feed, self._market = feed, market
        for one in problems:
            self._lines.append(problem_line(one, decided, self._correlation(decided)))

    async def _work_off(self) -> None:
        """Work through the bars that have not been, and follow the operator's commands."""
        await self._finish_what_was_begun()
        await self._obey()
        for index in self._market.rows_after(self._store.last_bar()):
            day = self._market.feed.data.sessions[index].astype("datetime64[D]").item()
            if self._start is not None and day < self._start:
                continue
            if self._end is not None and day > self._end:
                break
            await self._clock.wait_until(self._market.stamp(index))
            await self._step(index)
            await self._obey()

    async def _finish_what_was_begun(self) -> None:
        """Carry out the decision that a killed session left on the disk."""
        pending = self._store.pending()
        if pending is None:
            return
        index = self._market.row_of(pending.timestamp)
        if index is None:
            raise SessionError(
                f"{self._source.name} no longer has the bar of {pending.timestamp.isoformat()}, on "
                "which the session was stopped; bring that bar back, then run the session again"
            )
        row = self._market.row(index)
        if isinstance(self._broker, BarDriven):
            await self._broker.on_row(row)
        self._drain()
        await self._finish(row)

    async def _step(self, index: int) -> None:
        row = self._market.row(index)
        if isinstance(self._broker, BarDriven):
            await self._broker.on_row(row)
        self._drain()
        if any(one.status is OrderStatus.UNKNOWN for one in self._manager.working):
            await self._manager.reconcile()
        if self._state.decided_at != row.timestamp:
            decision = await self._decide(index, row)
            self._keep(decision)
        await self._finish(row)
        self._bars += 1

    async def _decide(self, index: int, row: MarketRow) -> Decision:
        data, name = self._market.data(index), self._correlation(row.timestamp)
        for one in gaps(data, index, exchange=self._exchange):
            many = one.count > self._settings.missing_symbols_warning * len(data.symbols)
            if one.kind != "missing" or many:
                self._lines.append(problem_line(one, row.timestamp, name))
        state = self._decider.seen(self._state, row)
        if state.killed:
            targets = _flat(self._manager, data.columns, row) if state.flatten else Targets.none()
        else:
            wishes: Wishes = await ask_strategies(
                self._sleeves,
                self._runner,
                data,
                state,
                max_failures=self._settings.max_failures,
            )
            self._lines += wish_lines(wishes, row.timestamp, name)
            state, targets = wishes.state, wishes.targets
        return self._judge(state, row, targets, self._market.history(index))

    def _judge(
        self,
        state: SessionState,
        row: MarketRow,
        targets: Targets,
        history: np.ndarray[Any, Any],
        cancel_symbols: Sequence[str] = (),
    ) -> Decision:
        """Apply limits and exits to targets and cancels."""
        numbers = self._store.numbers([one.client_order_id for one in self._manager.working])
        working = sorted(self._manager.working, key=lambda one: numbers[one.client_order_id])
        return self._decider.decide(
            state,
            row,
            self._manager.account,
            working,
            targets,
            history,
            cancel_symbols=cancel_symbols,
            halted=self._breaker.state is BreakerState.OPEN or state.killed,
        )

    def _keep(self, decision: Decision, *, command: int | None = None) -> None:
        """Bring a decision to the disk before anything of it is sent."""
        if decision.state.halted and not self._state.halted:
            why = "; ".join(sorted({one.limit for one in decision.events})) or "a limit"
            decision = replace(decision, state=replace(decision.state, breaker_due=why))
        self._lines += decision_lines(decision, self._correlation(decision.timestamp))
        with self._store.change():
            self._store.keep_decision(decision)
            if command is not None:
                self._store.command_done(command, self._clock.now())
            self._keep_lines()
        self._state = decision.state
        self._write_log()
        self._settle_breaker()

    async def _finish(self, row: MarketRow) -> None:
        """Carry out the decision on the disk, and record the account after the bar."""
        pending = self._store.pending()
        if pending is not None:
            await self._carry_out_with_patience()
        if isinstance(self._broker, BarDriven) and self._settings.execution.fill == "same_close":
            await self._broker.on_auction(row)
            self._drain()
        account, last = self._manager.account, self._state.last
        point = CurvePoint(
            row.timestamp,
            row.session.isoformat(),
            to_micros(account.equity(last)),
            to_micros(account.cash),
            to_micros(account.gross_exposure(last)),
            to_micros(account.market_value(last)),
        )
        await self._tell_activities()
        self._lines.append(point_line(point, self._correlation(row.timestamp)))
        with self._store.change():
            if pending is not None:
                self._store.carried_out(pending.decision)
            self._store.keep_point(point)
            self._keep_lines()
        self._write_log()
        if self._on_bar is not None:
            self._on_bar(point)

    async def _carry_out_with_patience(self) -> None:
        for attempt in range(self._settings.broker_failures + 1):
            pending = self._store.pending()
            assert pending is not None  # noqa: S101 - the caller has looked
            try:
                self._touched |= await carry_out(self._manager, self._check, pending, self._drain)
            except BrokerUnavailable as error:
                self._breaker.record_failure(str(error))
                if attempt == self._settings.broker_failures:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._breaker.record_success()
                return

    async def _obey(self) -> None:
        """Follow the commands that operators left."""
        for command, kind in self._store.commands():
            self._tell("command", command=kind)
            if kind == "reset":
                sleeves = {
                    name: replace(one, failures=0, suspended=False)
                    for name, one in self._state.sleeves.items()
                }
                self._change_state(
                    command,
                    killed=False,
                    flatten=False,
                    reset_due=True,
                    halted=False,
                    breaker_due="reset",
                    sleeves=sleeves,
                )
            elif kind == "halt":
                self._change_state(command, breaker_due="halted by the operator")
            else:
                await self._kill(command, flatten=kind == "flatten")

    async def _kill(self, command: int, *, flatten: bool) -> None:
        """Cancel every order, follow no strategy any more, and close positions if asked to."""
        killed: dict[str, Any] = {"killed": True, "flatten": flatten or self._state.flatten}
        decided = self._state.decided_at
        index = None if decided is None else self._market.row_of(decided)
        if index is None:
            self._change_state(command, **killed)
            return
        row = self._market.row(index)
        state = replace(self._state, **killed)
        targets = _flat(self._manager, self._market.data(index).columns, row)
        symbols = sorted({one.order.symbol for one in self._manager.working})
        decision = self._judge(
            state,
            row,
            targets if flatten else Targets.none(),
            self._market.history(index),
            symbols,
        )
        self._keep(decision, command=command)
        await self._finish(row)

    def _change_state(self, command: int, **changes: Any) -> None:
        state = replace(self._state, **changes)
        with self._store.change():
            self._store.keep_state(state)
            self._store.command_done(command, self._clock.now())
            self._keep_lines()
        self._state = state
        self._write_log()
        self._settle_breaker()

    def _settle_breaker(self) -> None:
        """Bring the circuit breaker to where the session's state says it is."""
        due = self._state.breaker_due
        if not due:
            return
        if due == "reset":
            self._breaker.reset()
        else:
            self._breaker.trip(due)
        self._tell("breaker", state=self._breaker.state.value, reason=due)
        self._state = replace(self._state, breaker_due="")
        with self._store.change():
            self._store.keep_state(self._state)
            self._keep_lines()
        self._write_log()

    def _drain(self) -> None:
        """Take in what the broker has to tell."""
        if not isinstance(self._broker, BarDriven):
            return
        for event in self._broker.pending_events():
            self._manager.handle(event)
            if isinstance(event, OrderEvent):
                self._touched.add(event.client_order_id)

    async def _tell_activities(self) -> None:
        """Note the activities that the event log does not have."""
        known = self._store.logged("activities")
        activities = await self._broker.activities()
        for one in activities[known:]:
            self._lines.append(activity_line(one, self._correlation(one.timestamp)))
        self._activities = len(activities)

    def _keep_lines(self) -> None:
        """Keep lines, and those of orders that moved, in the change that is open."""
        lines = self._lines
        for name in sorted(self._touched):
            record = self._manager.records.get(name)
            known = self._store.logged(name)
            if record is None or len(record.history) == known:
                continue
            at = self._correlation(record.order.submitted_at)
            lines = [*lines, *order_lines(record, known, at)]
            self._store.keep_logged(name, len(record.history))
        self._store.keep_logged("activities", getattr(self, "_activities", 0))
        self._store.keep_lines(lines)
        self._lines, self._touched = [], set()

    def _commit(self) -> None:
        with self._store.change():
            self._keep_lines()
        self._write_log()

    def _write_log(self) -> None:
        self._log.append(self._store.lines())
        with self._store.change():
            self._store.forget_lines(self._log.last)

    def _tell(self, kind: str, **fields: Any) -> None:
        at = self._state.decided_at
        self._lines.append(line(kind, at, self._correlation(at), **fields))

    def _correlation(self, at: datetime | None) -> str:
        return self._strategy_id if at is None else f"{self._strategy_id}@{at:%Y-%m-%dT%H:%M:%S}"

    def _summary(self) -> SessionSummary:
        curve = self._store.curve()
        last = curve[-1] if curve else None
        return SessionSummary(
            self._bars,
            None if last is None else last.timestamp,
            None if last is None else last.equity / 1e6,
        )

    def _require_same_session(self, symbols: tuple[str, ...]) -> None:
        """Hold the home to the strategies, settings and symbols that it began with."""
        now = _description(self._sleeves, self._settings, symbols)
        before = self._store.fact("session", now)
        changed = [name for name in now if now[name] != before.get(name)]
        if changed:
            name = changed[0]
            raise SessionError(
                f"the home {self._home.path} belongs to a session with {name} "
                f"{_short(before.get(name))}; now it is {_short(now[name])}: run it as it was "
                "begun, or start anew in another home"
            )
        with self._store.change():
            self._store.keep_fact("version", 1)
            self._store.keep_fact("session", now)


def _flat(manager: OrderManager, columns: dict[str, int], row: MarketRow) -> Targets:
    """Return targets of 0 for every position that has a bar."""
    known = np.isfinite(row.open + row.high + row.low + row.close)
    held = sorted(columns[symbol] for symbol in manager.account.positions)
    wanted = np.array([column for column in held if known[column]], dtype=np.int64)
    return Targets(np.zeros(len(wanted), dtype=np.int64), wanted, np.zeros(len(wanted)))


def _description(
    sleeves: Iterable[Sleeve], settings: SessionSettings, symbols: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "strategies": [
            {
                "id": one.strategy.strategy_id,
                "name": one.strategy.name,
                "version": one.strategy.version,
                "parameters": one.strategy.get_parameters(),
                "sizer": one.sizer.name,
                "sizer_parameters": one.sizer.parameters.model_dump(mode="json"),
                "fraction": one.fraction,
            }
            for one in sleeves
        ],
        "execution": settings.execution.model_dump(mode="json"),
        "risk": settings.risk.model_dump(mode="json"),
        "symbols": list(symbols),
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
