"""A trading session: the one path from bars to orders, on paper and live.

Bar by bar: the broker's market moves (on paper) or has moved (live); the strategies are asked,
their sizers weigh, the limits decide, and what was decided is on the disk before the order manager
sends it. Killed at any moment, a session goes on where it was: a bar that was decided on is not
decided on again, an order that was sent is not sent again, and nothing decided is left out.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime

from trading.backtest.engine import Sleeve
from trading.backtest.feed import BarFeed
from trading.errors import BrokerUnavailable, SessionError
from trading.execution.broker_desk import Patience
from trading.execution.brokers.base import Broker
from trading.execution.brokers.paper_market import MarketRow
from trading.execution.costs import Rules
from trading.execution.journal import Journal
from trading.execution.lifecycle import OrderEvent
from trading.execution.money import to_micros
from trading.execution.order_manager import OrderManager
from trading.execution.orders import OrderStatus
from trading.market.calendar import DEFAULT_EXCHANGE
from trading.risk.order_limits import Limits
from trading.risk.sizing import Targets
from trading.session.bar_driven import BarDriven
from trading.session.clock import Clock
from trading.session.decision import Decider, Decision
from trading.session.dispatch import ApprovedOrders, carry_out
from trading.session.home import SessionHome
from trading.session.identity import describe, require_same
from trading.session.intake import BarProblem, changed_history, gaps, inferred_splits
from trading.session.log_lines import decision_lines, point_line, wish_lines
from trading.session.market import SessionMarket
from trading.session.recorder import Recorder
from trading.session.settings import SessionSettings
from trading.session.sources import BarSource
from trading.session.state import SessionState
from trading.session.store import CurvePoint, Pending
from trading.session.switches import (
    commanded,
    flat_targets,
    is_halted,
    session_breaker,
    settle,
)
from trading.session.wishes import ask_strategies
from trading.strategy.runner import StrategyRunner

RETRY_SECONDS = 1.0


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
        self._state = SessionState()
        self._feed: BarFeed | None = None
        self._bars = 0

    async def run(self) -> SessionSummary:
        """Work through the bars until the source has no more; return what was done.

        Raises
        ------
        SessionError, BrokerError, DataError, StoreError
            The session cannot start or go on; run it again to continue where it stopped.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            await self._finish_what_was_begun()
            while True:
                await self._work_off()
                if not await self._source.wait():
                    return self._summary()
                await self._load()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        stack.callback(self._runner.close)
        self._recorder = Recorder(self._home, self._strategy_id, power_safe=settings.power_safe)
        stack.callback(self._recorder.close)
        self._store = self._recorder.store
        self._state = self._store.state()
        await self._load()
        symbols = self._market.symbols
        require_same(self._home, self._store, describe(self._sleeves, settings, symbols))
        self._broker = self._broker_for(symbols)
        stack.push_async_callback(self._broker.close)
        journal = Journal(self._home.journal_file)
        stack.callback(journal.close)
        self._manager = OrderManager(
            self._broker,
            journal,
            check=self._check,
            symbols=frozenset(symbols),
            patience=self._patience,
            clock=lambda: self._state.decided_at or self._clock.now(),
        )
        await self._manager.start()
        if not isinstance(self._broker, BarDriven):
            listener = asyncio.create_task(self._manager.listen())
            stack.callback(listener.cancel)
        sectors = self._market.feed.sector_codes
        self._decider = Decider(self._strategy_id, symbols, sectors, self._rules, self._limits)
        self._breaker = session_breaker(self._home.path, settings, self._clock)
        self._settle_breaker()
        at = self._state.decided_at
        kind = "started" if at is None else "resumed"
        self._recorder.tell(kind, at, bars=self._source.name, simulated=self._source.simulated)
        self._recorder.touch(self._manager.records)
        await self._recorder.ask_activities(self._broker)
        with self._recorder.change(self._manager.records):
            pass

    async def _load(self) -> None:
        """Take in what the source knows by now, and name what is wrong with it."""
        feed, problems = await self._source.load()
        before, decided = self._feed, self._state.decided_at
        if before is not None and decided is not None:
            problems = problems + changed_history(before.data, feed.data, decided)
        market = self._market_of(feed)
        row = None if decided is None else market.row_of(decided)
        following = market.rows_after(decided)
        if row is not None and len(following):
            ex_date = feed.data.sessions[following[0]].astype("datetime64[D]").item()
            splits = inferred_splits(self._state.last, feed.data, row, ex_date)
            if splits:
                names = [f"{one.symbol} {one.value:g} for 1" for one in splits]
                problems = [*problems, BarProblem("split_inferred", len(splits), tuple(names))]
                feed = replace(feed, actions=(*feed.actions, *splits))
                market = self._market_of(feed)
        self._feed, self._market = feed, market
        self._recorder.tell_problems(problems, decided)

    def _market_of(self, feed: BarFeed) -> SessionMarket:
        return SessionMarket(
            feed,
            self._rules,
            self._limits,
            exchange=self._exchange,
            growing=self._source.growing,
        )

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
        await self._trade(row)
        await self._finish(row)

    async def _work_off(self) -> None:
        """Work through the bars that have not been, and follow the operator's commands."""
        await self._obey()
        for index in self._market.rows_after(self._store.last_bar()):
            day = self._market.feed.data.sessions[index].astype("datetime64[D]").item()
            if self._start is not None and day < self._start:
                continue
            if self._end is not None and day > self._end:
                break
            await self._clock.reach(self._market.stamp(index))
            row = self._market.row(index)
            await self._trade(row)
            if self._state.decided_at != row.timestamp:
                self._keep(await self._decide(index, row))
            await self._finish(row)
            self._bars += 1
            await self._obey()

    async def _trade(self, row: MarketRow) -> None:
        """Let the broker's market move, and take in what it has to tell."""
        if isinstance(self._broker, BarDriven):
            await self._broker.on_row(row)
        self._drain()
        if any(one.status is OrderStatus.UNKNOWN for one in self._manager.working):
            await self._manager.reconcile()

    async def _decide(self, index: int, row: MarketRow) -> Decision:
        data = self._market.data(index)
        few = self._settings.missing_symbols_warning * len(data.symbols)
        found = gaps(data, index, exchange=self._exchange)
        problems = [one for one in found if one.kind != "missing" or one.count > few]
        self._recorder.tell_problems(problems, row.timestamp)
        state = self._decider.seen(self._state, row)
        targets = Targets.none()
        if state.flatten:
            targets = flat_targets(self._manager.account, data.columns, row)
        elif not state.killed:
            wishes = await ask_strategies(
                self._sleeves,
                self._runner,
                data,
                state,
                max_failures=self._settings.max_failures,
            )
            at = self._recorder.correlation(row.timestamp)
            self._recorder.add(wish_lines(wishes, row.timestamp, at))
            state, targets = wishes.state, wishes.targets
        return self._judge(state, index, row, targets)

    def _judge(
        self,
        state: SessionState,
        index: int,
        row: MarketRow,
        targets: Targets,
        cancel_symbols: Sequence[str] = (),
    ) -> Decision:
        """Apply limits and exits to targets and cancels."""
        numbers = self._store.numbers([one.client_order_id for one in self._manager.working])
        return self._decider.decide(
            state,
            row,
            self._manager.account,
            sorted(self._manager.working, key=lambda one: numbers[one.client_order_id]),
            targets,
            self._market.history(index),
            cancel_symbols=cancel_symbols,
            halted=is_halted(self._breaker, state),
        )

    def _keep(self, decision: Decision, *, command: int | None = None) -> None:
        """Bring a decision to the disk before anything of it is sent."""
        if decision.state.halted and not self._state.halted:
            why = ", ".join(sorted({one.limit for one in decision.events}))
            decision = replace(decision, state=replace(decision.state, breaker_due=why))
        at = self._recorder.correlation(decision.timestamp)
        self._recorder.add(decision_lines(decision, at))
        with self._recorder.change(self._manager.records) as store:
            store.keep_decision(decision)
            if command is not None:
                store.command_done(command, self._clock.now())
        self._state = decision.state
        self._settle_breaker()

    async def _finish(self, row: MarketRow) -> None:
        """Carry out the decision on the disk, and record the account after the bar."""
        pending = self._store.pending()
        if pending is not None:
            await self._carry_out(pending)
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
        await self._recorder.ask_activities(self._broker)
        self._recorder.add([point_line(point, self._recorder.correlation(row.timestamp))])
        with self._recorder.change(self._manager.records) as store:
            if pending is not None:
                store.carried_out(pending.decision)
            store.keep_point(point)
        if self._on_bar is not None:
            self._on_bar(point)

    async def _carry_out(self, pending: Pending) -> None:
        for attempt in range(self._settings.broker_failures + 1):
            try:
                touched = await carry_out(self._manager, self._check, pending, self._drain)
            except BrokerUnavailable as error:
                self._breaker.record_failure(str(error))
                if attempt == self._settings.broker_failures:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._breaker.record_success()
                self._recorder.touch(touched)
                return

    async def _obey(self) -> None:
        """Follow the commands that operators left."""
        for command, kind in self._store.commands():
            decided = self._state.decided_at
            self._recorder.tell("command", decided, command=kind)
            state = commanded(self._state, kind)
            index = None if decided is None else self._market.row_of(decided)
            if state.killed and index is not None:
                await self._stop_orders(state, index, command)
                continue
            with self._recorder.change(self._manager.records) as store:
                store.keep_state(state)
                store.command_done(command, self._clock.now())
            self._state = state
            self._settle_breaker()

    async def _stop_orders(self, state: SessionState, index: int, command: int) -> None:
        """Cancel every order at once, and close the positions if that is asked for."""
        row = self._market.row(index)
        targets = Targets.none()
        if state.flatten:
            columns = self._market.data(index).columns
            targets = flat_targets(self._manager.account, columns, row)
        symbols = sorted({one.order.symbol for one in self._manager.working})
        self._keep(self._judge(state, index, row, targets, symbols), command=command)
        await self._finish(row)

    def _settle_breaker(self) -> None:
        if not self._state.breaker_due:
            return
        reason = self._state.breaker_due
        self._state = settle(self._breaker, self._state)
        at, now = self._state.decided_at, self._breaker.state.value
        self._recorder.tell("breaker", at, state=now, reason=reason)
        with self._recorder.change(self._manager.records) as store:
            store.keep_state(self._state)

    def _drain(self) -> None:
        """Take in what a broker on bars has to tell."""
        if not isinstance(self._broker, BarDriven):
            return
        for event in self._broker.pending_events():
            self._manager.handle(event)
            if isinstance(event, OrderEvent):
                self._recorder.touch([event.client_order_id])

    def _summary(self) -> SessionSummary:
        curve = self._store.curve()
        last = curve[-1] if curve else None
        return SessionSummary(
            self._bars,
            None if last is None else last.timestamp,
            None if last is None else last.equity / 1e6,
        )
