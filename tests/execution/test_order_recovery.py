"""The order manager at events, contradictions and restarts."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from managed_orders import a_manager, again, close_journals, run, started
from scripted_broker import START, Clock, ScriptedBroker, an_order

from trading.errors import (
    ReconciliationError,
)
from trading.execution.activities import Dividend, Split
from trading.execution.lifecycle import OrderEvent, OrderEventKind
from trading.execution.orders import Fill, OrderStatus, Side, TimeInForce

E = OrderEventKind


@pytest.fixture(autouse=True)
def _closed_journals() -> Iterator[None]:
    yield
    close_journals()


def test_repeated_events_change_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order())
        broker.fill("o1", "100", "10")
        broker.act(Dividend("d1", "AAA", broker.clock(), Decimal("0.5")))
        events = list(broker.outbox)
        for event in events * 3:
            manager.handle(event)
        assert manager.account.cash == Decimal("1000000") - 1000 - 1 + 50
        assert manager.account.cash == broker.ledger.cash

    run(work())


def test_a_contradiction_stops_orders_until_it_is_explained(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order())
        fill = Fill(
            "x1", "o1", "AAA", Side.BUY, Decimal(101), Decimal(10), Decimal(0), broker.clock()
        )
        with pytest.raises(ReconciliationError, match="overfills order o1"):
            manager.handle(OrderEvent("o1", E.FILL, fill.timestamp, fill=fill))
        with pytest.raises(ReconciliationError, match="overfills"):
            await manager.submit(an_order("o2"))
        await manager.reconcile()
        assert (await manager.submit(an_order("o2"))).status is OrderStatus.ACCEPTED
        with pytest.raises(ReconciliationError, match="'zz', which is not ours"):
            manager.handle(OrderEvent("zz", E.ACCEPT, START))

    run(work())


def test_a_restart_hears_what_happened_meanwhile(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        for name in ("a", "b", "c", "d"):
            await manager.submit(an_order(name, limit="20"))
        broker, path = again(manager)
        broker.fill("a", "100", "10")
        broker.act(Split("s1", "AAA", broker.clock(), Decimal(2), Decimal(10)))
        broker.fill("b", "150", "5")
        broker.act(Dividend("d1", "AAA", broker.clock(), Decimal("0.1")))
        broker.say("c", E.EXPIRE, "end_of_session")
        manager = await started(broker, path)
        statuses = {name: record.status.value for name, record in manager.records.items()}
        assert statuses == {
            "a": "FILLED",
            "b": "PARTIALLY_FILLED",
            "c": "EXPIRED",
            "d": "ACCEPTED",
        }
        assert manager.record("b").remaining_quantity == 50
        assert manager.record("d").order.limit_price == 10
        assert manager.account.quantity("AAA") == 350
        assert manager.account.cash == broker.ledger.cash

    run(work())


def test_it_does_not_start_where_the_books_disagree(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order())
        broker, path = again(manager)
        await broker.submit(an_order("by-hand"))
        broker.fill("by-hand", "100", "10")
        manager = a_manager(broker, path)
        with pytest.raises(ReconciliationError) as raised:
            await manager.start()
        for part in ("'by-hand', which is not ours", "0 AAA by our books, 100", "cash is 1000000"):
            assert part in str(raised.value)
        with pytest.raises(ReconciliationError):
            await manager.submit(an_order("o2"))

    run(work())


def test_an_empty_journal_takes_positions_over_but_no_orders(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        await broker.submit(an_order("old"))
        with pytest.raises(ReconciliationError, match="works 1 order"):
            await started(broker, tmp_path / "a")
        broker.fill("old", "100", "10")
        manager = await started(broker, tmp_path / "b")
        assert manager.account.quantity("AAA") == 100
        assert manager.account.cash == broker.ledger.cash
        manager.account.check()

    run(work())


def test_a_journal_belongs_to_one_broker(tmp_path: Path) -> None:
    async def work() -> None:
        manager = await started(ScriptedBroker(Clock()), tmp_path)
        _, path = again(manager)
        with pytest.raises(ReconciliationError, match="belongs to broker 'scripted'"):
            await started(ScriptedBroker(Clock(), name="other"), path)

    run(work())


def test_listening_follows_the_brokers_stream(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order(in_force=TimeInForce.DAY))
        broker.say("o1", E.EXPIRE, "end_of_session")
        for event in broker.outbox:
            broker.queue.put_nowait(event)
        await broker.close()
        await manager.listen()
        record = manager.record("o1")
        assert (record.status, record.reason) == (OrderStatus.EXPIRED, "end_of_session")

    run(work())
