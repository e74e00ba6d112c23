"""Orders, manager and account as a state machine, against a broker that fails as it likes.

250 runs of up to 60 steps: some 14,000 steps. After every step no order has left the
table, what we hold equals the broker's books once everything was heard, and cash plus positions is
equity.
"""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scripted_broker import Clock, ScriptedBroker, an_order, restarted

from trading.errors import BrokerError, OrderError
from trading.execution.activities import Dividend, Split, Transfer
from trading.execution.broker_desk import Patience
from trading.execution.journal import Journal
from trading.execution.lifecycle import (
    FINAL,
    OPEN,
    TRANSITIONS,
    OrderEventKind,
    OrderRecord,
)
from trading.execution.order_manager import OrderManager
from trading.execution.orders import OrderStatus, Side

E = OrderEventKind
FAILURES = ["unavailable", "refused", "stopped", "lost", "silent", "bug"]
SYMBOLS = ("AAA", "BBB")
PRICES = st.decimals("0.01", "900", places=4)


def states_of(record: OrderRecord) -> list[OrderStatus]:
    """Every state that the record has been in, by applying its history anew."""
    first = record.history[0] if record.history else None
    states, step = [OrderStatus.NEW], OrderRecord(original(record))
    assert first is None or first.kind in (E.SUBMIT, E.REJECT)
    for event in record.history:
        step = step.apply(event)
        states.append(step.status)
    assert step == record, "the history says what the record says"
    return states


def original(record: OrderRecord) -> Any:
    """The order as it was before splits, which no event repeats, is in the machine's own list."""
    return MADE[record.client_order_id]


MADE: dict[str, Any] = {}


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        MADE.clear()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.broker = ScriptedBroker(self.clock)
        self.count = 0
        self.checked: dict[str, OrderRecord] = {}

    @initialize()
    def start(self) -> None:
        self._start()

    def _start(self) -> None:
        self.manager = OrderManager(
            self.broker,
            Journal(Path(self.folder.name) / "orders.jsonl", durable=False),
            patience=Patience(timeout=5.0, settle=0.0, retries=0, retry_delay=0.0),
            clock=self.clock,
        )
        self.run(self.manager.start())

    def teardown(self) -> None:
        if hasattr(self, "manager"):
            self.manager.journal.close()
        self.loop.close()
        self.folder.cleanup()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def attempt(self, work: Any) -> None:
        """Do what may fail as the broker was told; nothing else may."""
        try:
            self.run(work)
        except (BrokerError, OrderError, KeyError) as error:
            self.failure = error
        self.broker.script.clear()

    def open_at_broker(self) -> list[str]:
        return [n for n, r in self.broker.records.items() if r.status in OPEN]

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 500),
        limit=st.none() | PRICES,
        failures=st.lists(st.sampled_from(FAILURES), max_size=2),
    )
    def submit(
        self, symbol: str, side: Side, quantity: int, limit: Decimal | None, failures: list[str]
    ) -> None:
        name = f"o{self.count}"
        self.count += 1
        order = an_order(
            name,
            side,
            str(quantity),
            symbol=symbol,
            limit=None if limit is None else str(limit),
            at=self.clock(),
        )
        MADE[name] = order
        self.broker.script = list(failures)
        self.attempt(self.manager.submit(order))

    @precondition(lambda self: self.count > 0)
    @rule(data=st.data(), failures=st.lists(st.sampled_from(FAILURES), max_size=1))
    def submit_again(self, data: st.DataObject, failures: list[str]) -> None:
        name = f"o{data.draw(st.integers(0, self.count - 1))}"
        before = self.manager.record(name).status
        sent = self.broker.submissions.count(name)
        self.broker.script = list(failures)
        self.attempt(self.manager.submit(MADE[name]))
        if before is not OrderStatus.NEW:
            assert self.broker.submissions.count(name) == sent, "sent twice"

    @precondition(lambda self: self.count > 0)
    @rule(data=st.data(), failures=st.lists(st.sampled_from(FAILURES), max_size=2))
    def cancel(self, data: st.DataObject, failures: list[str]) -> None:
        name = f"o{data.draw(st.integers(0, self.count - 1))}"
        self.broker.script = list(failures)
        self.attempt(self.manager.cancel(name))

    @precondition(lambda self: len(self.manager.working) > 0)
    @rule(
        data=st.data(),
        quantity=st.integers(1, 500),
        failures=st.lists(st.sampled_from(FAILURES), max_size=2),
    )
    def replace(self, data: st.DataObject, quantity: int, failures: list[str]) -> None:
        record = data.draw(st.sampled_from(list(self.manager.working)))
        name = f"o{self.count}"
        order = an_order(
            name,
            record.order.side,
            str(quantity),
            symbol=record.order.symbol,
            limit="9.5",
            at=self.clock(),
        )
        self.broker.script = list(failures)
        MADE[name] = order
        self.attempt(self.manager.replace(record.client_order_id, order))
        if name in self.manager.records:
            self.count += 1

    @precondition(lambda self: bool(self.open_at_broker()))
    @rule(data=st.data(), part=st.integers(1, 4), price=PRICES)
    def fill(self, data: st.DataObject, part: int, price: Decimal) -> None:
        name = data.draw(st.sampled_from(self.open_at_broker()))
        remaining = self.broker.records[name].remaining_quantity
        quantity = max(remaining // part, Decimal(1))
        self.broker.fill(name, str(quantity), str(price))

    @precondition(lambda self: bool(self.open_at_broker()))
    @rule(data=st.data(), kind=st.sampled_from([E.CANCEL, E.EXPIRE, E.CANCEL_REJECT]))
    def end(self, data: st.DataObject, kind: OrderEventKind) -> None:
        name = data.draw(st.sampled_from(self.open_at_broker()))
        pending = self.broker.records[name].status is OrderStatus.PENDING_CANCEL
        if kind is not E.CANCEL_REJECT or pending:
            self.broker.say(name, kind, "by the broker")

    @rule(symbol=st.sampled_from(SYMBOLS), amount=st.decimals("0.01", "3", places=2))
    def dividend(self, symbol: str, amount: Decimal) -> None:
        number = len(self.broker.made_activities)
        self.broker.act(Dividend(f"a{number}", symbol, self.clock(), amount))

    @rule(symbol=st.sampled_from(SYMBOLS), ratio=st.sampled_from(["2", "3", "0.5", "1.5", "0.1"]))
    def split(self, symbol: str, ratio: str) -> None:
        number = len(self.broker.made_activities)
        self.broker.act(Split(f"a{number}", symbol, self.clock(), Decimal(ratio), Decimal("12.34")))

    @rule(amount=st.decimals("-100", "100", places=2))
    def transfer(self, amount: Decimal) -> None:
        number = len(self.broker.made_activities)
        self.broker.act(Transfer(f"a{number}", self.clock(), amount))

    @rule()
    def hear(self) -> None:
        while self.broker.outbox:
            self.manager.handle(self.broker.outbox.pop(0))

    @precondition(lambda self: bool(self.broker.made_fills))
    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        self.hear()
        fill = data.draw(st.sampled_from(self.broker.made_fills))
        cash = self.manager.account.cash
        record = self.manager.records[fill.client_order_id]
        if not self.manager.account.knows(fill):
            return
        assert self.manager.account.apply(fill) is None
        assert self.manager.account.cash == cash
        assert self.manager.record(fill.client_order_id) == record

    @rule()
    def reconcile(self) -> None:
        self.run(self.manager.reconcile())
        assert not any(r.status is OrderStatus.UNKNOWN for r in self.manager.records.values())
        self.equal_books()

    @rule()
    def kill_and_restart(self) -> None:
        before = dict(self.manager.records), self.manager.account.to_json()
        self.manager.journal.close()
        restarted(self.broker)
        recovered = OrderManager(
            self.broker,
            Journal(Path(self.folder.name) / "orders.jsonl", durable=False),
            patience=self.manager._desk.patience,
            clock=self.clock,
        )
        assert (dict(recovered.records), recovered.account.to_json()) == before
        self.manager = recovered
        self.run(recovered.start())
        self.equal_books()

    def equal_books(self) -> None:
        ours, theirs = self.manager.account, self.broker.ledger
        assert ours.cash == theirs.cash
        assert ours.positions == theirs.positions
        assert ours.realized_pnl == theirs.realized_pnl
        for name, record in self.manager.records.items():
            view = self.broker.records.get(name)
            if view is None:
                assert record.status in (
                    OrderStatus.NEW,
                    OrderStatus.REJECTED,
                    OrderStatus.CANCELLED,
                )
            elif record.order == view.order:
                assert record.filled_quantity == view.filled_quantity
            else:
                # A replaced order hears no more of splits.
                assert record.is_final

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "manager"):
            return
        account = self.manager.account
        account.check()
        prices = {symbol: Decimal("12.34") for symbol in SYMBOLS}
        worth = sum((p.quantity * prices[s] for s, p in account.positions.items()), Decimal(0))
        assert abs(account.equity(prices) - account.cash - worth) < Decimal("0.01")
        net = account.initial_cash + account.transfers + account.net_pnl
        assert account.equity(prices) == net + account.unrealized_pnl(prices)

    @invariant()
    def no_order_leaves_the_table(self) -> None:
        if not hasattr(self, "manager"):
            return
        for name, record in self.manager.records.items():
            if self.checked.get(name) is record:
                continue
            self.checked[name] = record
            states = states_of(record)
            for before, event, after in zip(states, record.history, states[1:], strict=False):
                assert after in TRANSITIONS[before][event.kind]
            assert (record.client_order_id in self.manager.working) == (record.status in OPEN)
            assert record.status in FINAL or record.remaining_quantity > 0


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(
    max_examples=250,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOrderMachine = pytest.mark.slow(TestOrderMachine)
