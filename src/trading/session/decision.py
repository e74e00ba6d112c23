"""The decision of one bar: the account as the compiled functions see it, and what they made of it.

`risk.decision.decide_row` is the function that the backtest calls; the arrays that it works on are
made here from the order manager's books, whichever broker stands behind them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.instructions import CANCEL, TARGET
from trading.execution.account import Account
from trading.execution.book import (
    ACCEPTED,
    CANCELLED,
    NEXT_CLOSE,
    OUTCOMES,
    REASONS,
    Book,
    Records,
    ledger,
    new_book,
)
from trading.execution.brokers.paper_exchange import order_record
from trading.execution.brokers.paper_market import DELISTING, SPLIT, MarketRow
from trading.execution.costs import Rules
from trading.execution.lifecycle import OrderRecord
from trading.execution.matching import equity_of
from trading.execution.money import from_micros, to_micros, to_price
from trading.execution.orders import (
    SIDE_CODES,
    STATUS_CODES,
    TIME_CODES,
    TYPE_CODES,
    Order,
    OrderStatus,
    client_order_id,
)
from trading.risk.decision import ASKED, Bar, decide_row
from trading.risk.order_limits import Limits, Moment
from trading.risk.sizing import Targets
from trading.session.state import SessionState, gather, spread

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SIDES = {code: side for side, code in SIDE_CODES.items()}
_TYPES = {code: kind for kind, code in TYPE_CODES.items()}
_TIMES = {code: time for time, code in TIME_CODES.items()}
_STATUSES = {code: status for status, code in STATUS_CODES.items()}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order as it was decided; only an ACCEPTED one is sent.

    Attributes
    ----------
    number : in the order of acceptance and rejection, from 0
    reason : the limit that cut or rejected it, or the exit that made it
    """

    number: int
    order: Order
    status: OrderStatus
    reason: str


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """A limit that tripped; see `BacktestResult.risk_events`. An empty symbol is the portfolio."""

    symbol: str
    limit: str
    outcome: str
    value: float
    limit_value: float
    quantity_before: float
    quantity_after: float


@dataclass(frozen=True)
class Decision:
    """What is to be done on the close of one bar.

    Attributes
    ----------
    cancels : client order ids and reasons
    state : after the decision
    equity : before it, micro-dollars
    """

    timestamp: datetime
    orders: tuple[PlannedOrder, ...]
    cancels: tuple[tuple[str, str], ...]
    events: tuple[RiskEvent, ...]
    state: SessionState
    equity: int


@dataclass(frozen=True, eq=False)
class Decider:
    """Rules and limits of a session, and the names of its columns.

    Attributes
    ----------
    strategy_id : in whose name orders are made; part of their ids
    sectors : (N,) codes from 0
    """

    strategy_id: str
    symbols: tuple[str, ...]
    sectors: IntArray
    rules: Rules
    limits: Limits

    def seen(self, state: SessionState, row: MarketRow) -> SessionState:
        """Return the state with what a bar shows: the session, splits, delistings and closes."""
        last = spread(state.last, {s: at for at, s in enumerate(self.symbols)}, np.nan)
        dead = set(state.dead)
        for action in row.actions:
            symbol = self.symbols[action.column]
            if symbol in dead:
                continue
            if action.kind == SPLIT:
                last[action.column] /= action.value
            elif action.kind == DELISTING:
                dead.add(symbol)
        known = np.isfinite(row.open + row.high + row.low + row.close)
        last[known] = row.close[known]
        new_session = row.session != state.session
        return replace(
            state,
            decided_at=row.timestamp,
            session=row.session,
            trades_today=0 if new_session else state.trades_today,
            last=gather(last, self.symbols, np.isfinite(last)),
            dead=frozenset(dead),
        )

    def decide(
        self,
        state: SessionState,
        row: MarketRow,
        account: Account,
        working: Sequence[OrderRecord],
        targets: Targets,
        history: FloatArray,
        *,
        cancel_symbols: Sequence[str] = (),
        halted: bool = False,
    ) -> Decision:
        """Carry out step 5 of docs/backtesting.md on the close of `row`.

        Parameters
        ----------
        state : that of `seen`
        account, working : by our books; working orders by their numbers
        targets : what is wanted, every row 0
        history : (H, N) adjusted closes up to the bar; empty where no limit needs them
        cancel_symbols : whose working orders are cancelled
        halted : whether something else than the limits forbids to increase a position
        """
        asked = _asked(targets, [self.symbols.index(symbol) for symbol in cancel_symbols])
        book = self._book(state, account, working, len(asked))
        book.account["halted"] = state.halted or halted
        equity = int(equity_of(book))
        peak = book.account["initial"][0] if state.peak is None else state.peak
        book.account["peak"] = peak
        bar = Bar(
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.volatility,
            row.dollar_volume,
        )
        now = Moment(1, equity, self.sectors, row.close, history)
        # Orders at the same close are matched by the broker, once it has them.
        rules = self.rules._replace(timing=NEXT_CLOSE)
        decide_row(book, rules, self.limits, now, bar, asked, 0, len(asked), state.reset_due)
        tripped = bool(book.account["halted"][0]) and not (state.halted or halted)
        orders = tuple(self._planned(book, len(working), state, row.timestamp))
        after = replace(
            state,
            decisions=state.decisions + 1,
            next_number=state.next_number + len(orders),
            trades_today=int(book.account["trades_today"][0]),
            halted=tripped or (state.halted and not state.reset_due),
            peak=int(book.account["peak"][0]),
            reset_due=False,
        )
        return Decision(
            row.timestamp,
            orders,
            tuple(_cancels(book, working)),
            tuple(self._events(book)),
            after,
            equity,
        )

    def _book(
        self, state: SessionState, account: Account, working: Sequence[OrderRecord], asked: int
    ) -> Book:
        columns = {symbol: column for column, symbol in enumerate(self.symbols)}
        room = 4 * len(working) + 3 * len(self.symbols) + 10 * asked + 16
        groups = int(self.sectors.max(initial=0)) + 1
        book = new_book(len(columns), groups, to_micros(account.initial_cash), room)
        book.account["cash"] = to_micros(account.cash)
        book.account["trades_today"] = state.trades_today
        each = book.symbols
        each["last"] = spread(state.last, columns, np.nan)
        each["dead"] = [symbol in state.dead for symbol in self.symbols]
        for symbol, held in account.positions.items():
            each["position"][columns[symbol]] = to_micros(held.quantity)
            each["basis"][columns[symbol]] = to_micros(held.cost_basis)
        for at, record in enumerate(working):
            column, side = columns[record.order.symbol], SIDE_CODES[record.order.side]
            book.orders[at] = order_record(record.order, column, 0)
            filled, rest = to_micros(record.filled_quantity), to_micros(record.remaining_quantity)
            book.orders["filled"][at] = filled
            book.orders["quantity"][at] = filled + rest
            each["working_buys" if side > 0 else "working_sells"][column] += rest
            book.active[at] = at
        book.account["orders"] = book.account["active"] = len(working)
        return book

    def _planned(
        self, book: Book, first: int, state: SessionState, stamp: datetime
    ) -> list[PlannedOrder]:
        planned = []
        for place, record in enumerate(ledger(book, "orders")[first:]):
            number, symbol = state.next_number + place, self.symbols[int(record["column"])]
            name = client_order_id(self.strategy_id, stamp, symbol, number)
            order = Order(
                client_order_id=name,
                strategy_id=self.strategy_id,
                symbol=symbol,
                side=_SIDES[int(record["side"])],
                quantity=from_micros(int(record["quantity"])),
                type=_TYPES[int(record["type"])],
                time_in_force=_TIMES[int(record["time"])],
                submitted_at=stamp,
                limit_price=_price(record["limit"]),
                stop_price=_price(record["stop"]),
            )
            reason = REASONS[int(record["reason"])]
            planned.append(PlannedOrder(number, order, _STATUSES[int(record["status"])], reason))
        return planned

    def _events(self, book: Book) -> list[RiskEvent]:
        return [
            RiskEvent(
                self.symbols[int(one["column"])] if one["column"] >= 0 else "",
                REASONS[int(one["reason"])],
                OUTCOMES[int(one["outcome"])],
                float(one["value"]),
                float(one["limit"]),
                int(one["before"]) / 1e6,
                int(one["after"]) / 1e6,
            )
            for one in ledger(book, "events")
        ]


def _asked(targets: Targets, cancels: Sequence[int]) -> Records:
    """Return cancels, then targets, as the records that `decide_row` reads."""
    asked = np.zeros(len(cancels) + len(targets), dtype=ASKED)
    asked["kind"] = TARGET
    asked["kind"][: len(cancels)] = CANCEL
    asked["column"] = [*sorted(cancels), *targets.columns.tolist()]
    asked["weight"][len(cancels) :] = targets.weights
    asked["limit"] = asked["stop"] = np.nan
    return asked


def _cancels(book: Book, working: Sequence[OrderRecord]) -> list[tuple[str, str]]:
    found = []
    for record, row in zip(working, ledger(book, "orders")[: len(working)], strict=True):
        if int(row["status"]) == CANCELLED:
            found.append((record.client_order_id, REASONS[int(row["reason"])]))
        else:
            assert int(row["status"]) == ACCEPTED  # noqa: S101 - a decision fills nothing
    return found


def _price(price: Any) -> Any:
    return None if np.isnan(price) else to_price(float(price))
