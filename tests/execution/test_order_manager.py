"""The order manager at work and at failures."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from managed_orders import Cap, a_manager, again, close_journals, deliver, run, started
from scripted_broker import Clock, ScriptedBroker, an_order

from trading.errors import (
    BrokerStopped,
    BrokerUnavailable,
    NotFoundError,
    OrderError,
    ReconciliationError,
)
from trading.execution.brokers.base import Capabilities
from trading.execution.lifecycle import OrderEventKind
from trading.execution.orders import OrderStatus, Side

E = OrderEventKind


@pytest.fixture(autouse=True)
def _closed_journals() -> Iterator[None]:
    yield
    close_journals()


@pytest.mark.parametrize("given", [None, "o1", 5])
def test_what_is_no_order_is_refused(tmp_path: Path, given: object) -> None:
    async def work() -> None:
        manager = await started(ScriptedBroker(Clock()), tmp_path)
        with pytest.raises(OrderError, match="submit takes an Order"):
            await manager.submit(given)  # type: ignore[arg-type]

    run(work())


def test_an_order_is_sent_filled_and_counted(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        record = await manager.submit(an_order())
        assert (record.status, record.broker_order_id) == (OrderStatus.ACCEPTED, "b-o1")
        assert "o1" in manager.working
        broker.fill("o1", "40", "10.5")
        broker.fill("o1", "60", "11")
        deliver(manager, broker)
        record = manager.record("o1")
        assert record.status is OrderStatus.FILLED
        assert record.average_price == Decimal("10.8")
        assert len(manager.working) == 0
        assert manager.account.cash == Decimal("1000000") - 420 - 660 - 2
        assert manager.account.quantity("AAA") == 100

    run(work())


def test_nothing_is_sent_before_the_start(tmp_path: Path) -> None:
    manager = a_manager(ScriptedBroker(Clock()), tmp_path)
    with pytest.raises(ReconciliationError, match="has not started"):
        asyncio.run(manager.submit(an_order()))


def test_the_same_order_twice_is_sent_once(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        records = await asyncio.gather(*(manager.submit(an_order()) for _ in range(20)))
        assert {record.status for record in records} == {OrderStatus.ACCEPTED}
        assert broker.submissions == ["o1"]
        with pytest.raises(OrderError, match="taken by another order"):
            await manager.submit(an_order(quantity="7"))

    run(work())


def test_two_hundred_orders_side_by_side_are_all_sent_once(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        names = [f"n{number}" for number in range(200)]
        await asyncio.gather(*(manager.submit(an_order(name)) for name in names * 2))
        assert sorted(broker.submissions) == sorted(names)
        assert len(manager.working) == 200

    run(work())


def test_risk_resizes_and_rejects(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path, Cap("30"))
        record = await manager.submit(an_order())
        assert (record.order.quantity, record.reason) == (Decimal(30), "max_position")
        assert await manager.submit(an_order()) == record, "the same decision is the same order"
        manager.check = Cap("0")
        refused = await manager.submit(an_order("o2"))
        assert (refused.status, refused.reason) == (OrderStatus.REJECTED, "halted")
        assert broker.submissions == ["o1"]
        broker, path = again(manager)
        manager = await started(broker, path)
        assert manager.record("o2").status is OrderStatus.REJECTED
        assert (await manager.submit(an_order())).order.quantity == 30

    run(work())


def test_a_malformed_order_is_named_and_not_recorded(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        with pytest.raises(OrderError, match=r"unknown symbol 'ZZZ'.*quantity must be > 0"):
            await manager.submit(an_order(symbol="ZZZ", quantity="0"))
        assert not manager.records
        assert not broker.submissions

    run(work())


def test_a_request_that_did_not_arrive_is_tried_again(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["unavailable"]
        assert (await manager.submit(an_order())).status is OrderStatus.ACCEPTED
        broker.script = ["unavailable", "unavailable"]
        with pytest.raises(BrokerUnavailable):
            await manager.submit(an_order("o2"))
        assert manager.record("o2").status is OrderStatus.NEW
        assert (await manager.submit(an_order("o2"))).status is OrderStatus.ACCEPTED

    run(work())


def test_refused_and_stopped(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["refused"]
        record = await manager.submit(an_order())
        assert (record.status, record.reason) == (OrderStatus.REJECTED, "not today")
        broker.script = ["stopped"]
        with pytest.raises(BrokerStopped):
            await manager.submit(an_order("o2"))
        assert manager.record("o2").status is OrderStatus.NEW

    run(work())


@pytest.mark.parametrize("failure", ["silent", "hang"])
def test_an_order_that_arrived_without_an_answer_is_found(tmp_path: Path, failure: str) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = [failure]
        record = await manager.submit(an_order())
        assert record.status is OrderStatus.ACCEPTED
        assert [event.kind for event in record.history] == [E.SUBMIT, E.LOSE, E.ACCEPT]
        assert broker.submissions == ["o1"]

    run(work())


def test_an_order_that_never_arrived_may_be_sent_again_after_asking(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["lost"]
        assert (await manager.submit(an_order())).status is OrderStatus.NEW
        assert (await manager.submit(an_order())).status is OrderStatus.ACCEPTED
        assert broker.submissions == ["o1", "o1"]

    run(work())


def test_an_unknown_order_is_not_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["silent", "lost"]
        assert (await manager.submit(an_order())).status is OrderStatus.UNKNOWN
        assert (await manager.submit(an_order())).status is OrderStatus.UNKNOWN
        assert broker.submissions == ["o1"]
        broker.fill("o1", "40", "10")
        broker.outbox.clear()
        await manager.reconcile()
        assert manager.record("o1").status is OrderStatus.PARTIALLY_FILLED
        assert manager.account.quantity("AAA") == 40

    run(work())


def test_an_error_that_nobody_mapped_leaves_the_order_unknown_and_is_raised(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["bug"]
        with pytest.raises(KeyError):
            await manager.submit(an_order())
        assert manager.record("o1").status is OrderStatus.UNKNOWN
        await manager.reconcile()
        assert manager.record("o1").status is OrderStatus.NEW

    run(work())


def test_a_submission_that_is_cancelled_in_flight_is_unknown(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        broker.script = ["hang"]
        task = asyncio.create_task(manager.submit(an_order()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert manager.record("o1").status is OrderStatus.UNKNOWN

    run(work())


def test_cancel_and_the_fill_that_came_first(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order())
        assert (await manager.cancel("o1")).status is OrderStatus.PENDING_CANCEL
        broker.fill("o1", "30", "10")
        broker.say("o1", E.CANCEL, "asked")
        deliver(manager, broker)
        record = manager.record("o1")
        assert (record.status, record.filled_quantity) == (OrderStatus.CANCELLED, Decimal(30))
        assert (await manager.cancel("o1")) == record
        with pytest.raises(NotFoundError):
            await manager.cancel("nobody")

    run(work())


def test_a_cancel_that_is_refused_leaves_the_order_working(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order())
        broker.script = ["refused"]
        assert (await manager.cancel("o1")).status is OrderStatus.ACCEPTED
        broker.script = ["silent"]
        record = await manager.cancel("o1")
        assert record.status is OrderStatus.PENDING_CANCEL
        broker.say("o1", E.CANCEL)
        deliver(manager, broker)
        assert manager.record("o1").status is OrderStatus.CANCELLED

    run(work())


def test_cancel_all_of_a_symbol(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        for name, symbol in (("a", "AAA"), ("b", "BBB"), ("c", "AAA")):
            await manager.submit(an_order(name, symbol=symbol))
        cancelled = await manager.cancel_all("AAA")
        assert [record.client_order_id for record in cancelled] == ["a", "c"]
        assert manager.record("b").status is OrderStatus.ACCEPTED

    run(work())


def test_replace(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order(limit="10"))
        broker.fill("o1", "30", "10")
        deliver(manager, broker)
        record = await manager.replace("o1", an_order("o2", quantity="70", limit="11"))
        assert record.status is OrderStatus.ACCEPTED
        original = manager.record("o1")
        assert (original.status, original.replaced_by) == (OrderStatus.REPLACED, "o2")
        assert [r.client_order_id for r in manager.working] == ["o2"]
        deliver(manager, broker)
        with pytest.raises(OrderError, match="is REPLACED; only an order that works"):
            await manager.replace("o1", an_order("o3", limit="12"))
        with pytest.raises(OrderError, match="cannot be replaced by a SELL"):
            await manager.replace("o2", an_order("o3", Side.SELL, limit="12"))

    run(work())


@pytest.mark.parametrize(
    ("failure", "original", "replacement"),
    [
        ("refused", OrderStatus.ACCEPTED, OrderStatus.REJECTED),
        ("silent", OrderStatus.REPLACED, OrderStatus.ACCEPTED),
        ("lost", OrderStatus.ACCEPTED, OrderStatus.NEW),
    ],
)
def test_a_replace_that_fails(
    tmp_path: Path, failure: str, original: OrderStatus, replacement: OrderStatus
) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock())
        manager = await started(broker, tmp_path)
        await manager.submit(an_order(limit="10"))
        broker.script = [failure]
        await manager.replace("o1", an_order("o2", limit="11"))
        assert manager.record("o1").status is original
        assert manager.record("o2").status is replacement

    run(work())


def test_a_broker_that_cannot_replace(tmp_path: Path) -> None:
    async def work() -> None:
        broker = ScriptedBroker(Clock(), capabilities=Capabilities(replace=False))
        manager = await started(broker, tmp_path)
        await manager.submit(an_order(limit="10"))
        with pytest.raises(OrderError, match="cannot replace orders; cancel, then submit"):
            await manager.replace("o1", an_order("o2", limit="11"))

    run(work())
