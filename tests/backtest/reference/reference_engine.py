"""The rules of docs/backtesting.md as an event loop in plain Python: slow, and there to be read.

Nothing here is shared with the compiled engine but the names of settings, sides and statuses.
"""

from collections.abc import Sequence

from tests.backtest.reference.reference_account import Account
from tests.backtest.reference.reference_instructions import (
    Cancel,
    Instruction,
    OrderRequest,
    Target,
)
from tests.backtest.reference.reference_ledger import (
    ClosingEntry,
    OrderEntry,
    ReferenceLedger,
)
from tests.backtest.reference.reference_market import Action, Market
from tests.backtest.reference.reference_matching import Exchange
from tests.backtest.reference.reference_risk import RiskDesk
from tests.backtest.reference.reference_units import MICRO, floor_lot, truncated, value
from trading.backtest.feed import BarFeed
from trading.execution.orders import OrderStatus, OrderType, Side, TimeInForce
from trading.execution.settings import ExecutionSettings
from trading.market.bars import CorporateActionType
from trading.risk.settings import RiskSettings


def reference_replay(
    feed: BarFeed,
    instructions: Sequence[Instruction],
    execution: ExecutionSettings,
    risk: RiskSettings,
    resets: Sequence[int] = (),
) -> ReferenceLedger:
    """Run the instructions over the feed, one row after the other."""
    engine = ReferenceEngine(feed, instructions, execution, risk, resets)
    for row in range(len(engine.market.dates)):
        engine.step(row)
    return engine.finished()


class ReferenceEngine:
    """One run; `step` takes it through one row."""

    def __init__(
        self,
        feed: BarFeed,
        instructions: Sequence[Instruction],
        execution: ExecutionSettings,
        risk: RiskSettings,
        resets: Sequence[int] = (),
    ) -> None:
        self.market = Market(feed)
        self.ledger = ReferenceLedger()
        self._instructions = instructions
        self._execution = execution
        self._limits = risk
        self._resets = set(resets)
        self._initial = int(execution.initial_cash * MICRO)
        self._lot = 1 if execution.fractional else MICRO
        self.account = Account(self._initial, len(self.market.symbols))
        self._exchange = Exchange(self.market, execution, self.account, self.ledger)
        self._risk = RiskDesk(self.market, execution, risk, self.account, self.ledger)
        self._delisted: set[int] = set()
        self._last_bar_session: dict[int, int] = {}

    def step(self, row: int) -> None:
        """Run every step of a row, in the order of the rules."""
        first, last = self.market.is_first(row), self.market.is_last(row)
        self._risk.open_row(row, new_session=first)
        self._exchange.open_row(row)
        if first:
            self._pay_borrow(row)
            for action in self.market.actions:
                if action.row == row:
                    self._apply(action)
        self._exchange.match()
        if last:
            self._expire(row)
        self._mark(row)
        if last:
            self._close_stale(row)
        equity = self.account.equity()
        self._risk.watch_drawdown(equity, reset=row in self._resets)
        exited = self._exit_positions(row)
        self._decide(row, equity, exited)
        if self._execution.fill == "same_close":
            self._exchange.match_at_this_close()
        self._record()

    def finished(self) -> ReferenceLedger:
        """The ledger, with what is held at the end."""
        self.ledger.positions = [position.quantity for position in self.account.positions]
        self.ledger.bases = [position.basis for position in self.account.positions]
        return self.ledger

    # 1. Open

    def _pay_borrow(self, row: int) -> None:
        if row == 0:
            return
        days = (self.market.dates[row] - self.market.dates[row - 1]).days
        for position in self.account.positions:
            if position.quantity < 0:
                lent = value(-position.quantity, position.last)
                cost = round(lent * self._execution.borrow_rate * days / 360)
                self.account.cash -= cost
                self.ledger.borrow_cost += cost

    def _apply(self, action: Action) -> None:
        position = self.account.positions[action.column]
        if action.type is CorporateActionType.SPLIT:
            self._exchange.split(action.column, action.value)
            excess, realized = self.account.split(action.column, action.value, self._lot)
            if excess:
                self._closing(action.row, action.column, excess, position.last, realized, "split")
        elif action.type is CorporateActionType.DIVIDEND:
            paid = value(position.quantity, action.value)
            self.account.cash += paid
            self.ledger.dividends += paid
        else:
            self._end_symbol(action.row, action.column, action.value, "delisted")
            self._delisted.add(action.column)

    def _end_symbol(self, row: int, column: int, final_return: float, reason: str) -> None:
        """Cancel the orders of a symbol that stops trading, and close its position."""
        self._cancel(column, reason)
        position = self.account.positions[column]
        if position.quantity:
            price = position.last * (1.0 + final_return)
            quantity, realized = self.account.close(column, price)
            self._closing(row, column, quantity, price, realized, reason)

    def _closing(
        self, row: int, column: int, quantity: int, price: float, realized: int, reason: str
    ) -> None:
        self.ledger.closings.append(ClosingEntry(row, column, quantity, price, realized, reason))

    # 3. Expire, 4. Mark

    def _expire(self, row: int) -> None:
        for order in self.ledger.orders:
            due = order.last_session <= self.market.session_of[row]
            if order.working and order.time is TimeInForce.DAY and due:
                order.end(OrderStatus.EXPIRED, "end_of_session")

    def _mark(self, row: int) -> None:
        for column, bar in enumerate(self.market.bars[row]):
            if bar is not None:
                self.account.positions[column].last = bar.close
                self._last_bar_session[column] = self.market.session_of[row]

    def _close_stale(self, row: int) -> None:
        for column, position in enumerate(self.account.positions):
            if position.quantity == 0:
                continue
            missed = self.market.session_of[row] - self._last_bar_session[column]
            if missed > self._execution.max_stale_sessions:
                self._end_symbol(row, column, self._execution.delisting_return, "stale")

    # 5. Decide

    def _exit_positions(self, row: int) -> set[int]:
        exited = set()
        for column, bar in enumerate(self.market.bars[row]):
            position = self.account.positions[column]
            if bar is None or position.quantity == 0 or position.basis == 0:
                continue
            cost = position.basis / position.quantity
            gain = (bar.close - cost) / cost * (1.0 if position.quantity > 0 else -1.0)
            stop, take = self._limits.stop_loss, self._limits.take_profit
            if stop is not None and gain <= -stop:
                limit, limit_value = "stop_loss", stop
            elif take is not None and gain >= take:
                limit, limit_value = "take_profit", take
            else:
                continue
            self._cancel(column, "superseded")
            self._risk.record_exit(column, limit, gain, limit_value)
            side = Side.SELL if position.quantity > 0 else Side.BUY
            self._accept(self._new_order(row, column, side, abs(position.quantity)), limit)
            exited.add(column)
        return exited

    def _decide(self, row: int, equity: int, exited: set[int]) -> None:
        given = [i for i in self._instructions if i.row == row and i.column not in exited]
        for one in given:
            if isinstance(one, Cancel):
                self._cancel(one.column, "cancelled")
        base = equity if self._execution.sizing_base == "equity" else self._initial
        wishes = [one for one in given if not isinstance(one, Cancel)]
        # A stable sort: instructions of one side and column keep the order they were given in.
        for one in sorted(wishes, key=lambda w: (not self._sells(w, base), w.column)):
            if isinstance(one, Target):
                self._cancel(one.column, "superseded")
                order = self._order_for_target(one, base)
            else:
                order = self._requested(one)
            if order is not None:
                self._submit(order)

    def _sells(self, one: Instruction, base: int) -> bool:
        if isinstance(one, OrderRequest):
            return one.side is Side.SELL
        assert isinstance(one, Target)
        if not self._tradable(one.row, one.column):
            return one.weight <= 0.0
        return self._change(one, base) < 0

    def _tradable(self, row: int, column: int) -> bool:
        return column not in self._delisted and self.market.bars[row][column] is not None

    def _change(self, target: Target, base: int) -> int:
        """What a target buys (sells: negative); a change that is too small is none."""
        bar = self.market.bars[target.row][target.column]
        assert bar is not None
        weight = target.weight
        if self._execution.account == "cash":
            weight = max(weight, 0.0)
        wanted = truncated(weight * base / bar.close, self._lot)
        delta = wanted - self.account.positions[target.column].quantity
        small = value(abs(delta), bar.close) < self._execution.min_trade_usd * MICRO
        return 0 if small and wanted != 0 else delta

    def _order_for_target(self, target: Target, base: int) -> OrderEntry | None:
        row, column = target.row, target.column
        bar = self.market.bars[row][column]
        if bar is None or column in self._delisted:
            return self._by_policy(row, column, -1 if target.weight <= 0.0 else 1, 0)
        delta = self._change(target, base)
        if delta == 0:
            return None
        order = self._by_policy(row, column, delta, abs(delta))
        policy = self._execution.order
        better = 1.0 - order.sign * (policy.limit_offset_bps * 1e-4)
        if order.type in (OrderType.STOP, OrderType.STOP_LIMIT):
            order.stop = bar.close * (1.0 + order.sign * (policy.stop_offset_bps * 1e-4))
        if order.type is OrderType.LIMIT:
            order.limit = bar.close * better
        if order.type is OrderType.STOP_LIMIT:
            order.limit = order.stop * better
        return order

    def _by_policy(self, row: int, column: int, delta: int, quantity: int) -> OrderEntry:
        policy = self._execution.order
        order = self._new_order(row, column, Side.BUY if delta > 0 else Side.SELL, quantity)
        order.type = OrderType(policy.type.upper())
        order.time = TimeInForce(policy.time_in_force)
        return order

    def _requested(self, one: OrderRequest) -> OrderEntry | None:
        quantity = one.quantity
        if self._tradable(one.row, one.column):
            quantity = floor_lot(quantity, self._lot)
        if quantity == 0:
            return None
        order = self._new_order(one.row, one.column, one.side, quantity)
        order.type, order.time = one.type, one.time
        order.limit, order.stop = one.limit, one.stop
        return order

    def _new_order(self, row: int, column: int, side: Side, quantity: int) -> OrderEntry:
        return OrderEntry(-1, row, column, side, quantity)

    def _submit(self, order: OrderEntry) -> None:
        """Number an order that was accepted or rejected."""
        if not self._tradable(order.row, order.column):
            self._reject(order, "delisted" if order.column in self._delisted else "no_bar")
            return
        proposal = self._risk.propose(order.column, order.side, order.quantity)
        quantity, reason = self._risk.admit(proposal)
        if quantity == 0:
            self._reject(order, reason)
        else:
            order.quantity = quantity
            self._accept(order, reason)

    def _reject(self, order: OrderEntry, reason: str) -> None:
        order.number = len(self.ledger.orders)
        order.end(OrderStatus.REJECTED, reason)
        self.ledger.orders.append(order)

    def _accept(self, order: OrderEntry, reason: str = "") -> None:
        order.number = len(self.ledger.orders)
        order.reason = reason
        order.remaining = order.quantity
        session = self.market.session_of[order.row]
        order.last_session = session + 1 if self.market.is_last(order.row) else session
        order.volatility, order.dollar_volume = self.market.volatility_and_dollar_volume(
            order.row, order.column
        )
        self._risk.count_accepted()
        self.ledger.orders.append(order)

    def _cancel(self, column: int, reason: str) -> None:
        for order in self.ledger.orders:
            if order.working and order.column == column:
                order.end(OrderStatus.CANCELLED, reason)

    # 6. Record

    def _record(self) -> None:
        self.ledger.equity.append(self.account.equity())
        self.ledger.cash.append(self.account.cash)
        self.ledger.gross.append(self.account.gross())
        self.ledger.net.append(self.account.net())
