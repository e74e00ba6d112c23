"""The paper broker: a full broker on bars, that forgets nothing."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from trading.errors import BrokerRefused, BrokerStopped, BrokerUnavailable, UnknownOutcome
from trading.execution.activities import BorrowFee, Closing, Dividend, Split
from trading.execution.brokers.paper import PaperBroker
from trading.execution.brokers.paper_market import (
    DELISTING,
    DIVIDEND,
    SPLIT,
    BarAction,
    MarketRow,
)
from trading.execution.brokers.paper_settings import PaperSettings
from trading.execution.brokers.paper_store import PaperStore
from trading.execution.lifecycle import OrderEvent
from trading.execution.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from trading.execution.settings import ExecutionSettings

R = TypeVar("R")
SYMBOLS = ("AAA", "BBB")
FIRST = date(2021, 3, 1)
NO_COSTS: dict[str, Any] = {
    "initial_cash": 10_000,
    "slippage": {"model": "none"},
    "commission": {"model": "none"},
    "max_volume_share": None,
    "borrow_rate": 0.0,
}


def run(work: Coroutine[Any, Any, R]) -> R:
    return asyncio.run(work)


def broker(
    path: Path,
    paper: dict[str, Any] | None = None,
    symbols: tuple[str, ...] = SYMBOLS,
    **given: Any,
) -> PaperBroker:
    return PaperBroker(
        path / "broker.db",
        symbols,
        ExecutionSettings.model_validate(NO_COSTS | given),
        PaperSettings.model_validate(paper or {}),
        power_safe=False,
    )


def stamp(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


def bar(
    day: int,
    prices: tuple[float, float] = (10.0, 20.0),
    *,
    actions: tuple[BarAction, ...] = (),
    **more: Any,
) -> MarketRow:
    """Return the daily bar of the day after `FIRST` by so many; open, high, low, close alike."""
    when = FIRST + timedelta(days=day)
    values = np.array(prices)
    row = MarketRow(
        timestamp=stamp(when),
        opened_at=datetime(when.year, when.month, when.day, 14, 30, tzinfo=UTC),
        session=when,
        last=True,
        open=values.copy(),
        high=values * 1.1,
        low=values * 0.9,
        close=values.copy(),
        volume=np.array([1000.0, 1000.0]),
        actions=actions,
        volatility=np.empty(0),
        dollar_volume=np.empty(0),
    )
    return replace(row, **more)


def order(name: str, quantity: str = "100", **given: Any) -> Order:
    plain: dict[str, Any] = {
        "client_order_id": name,
        "strategy_id": "test",
        "symbol": "AAA",
        "side": Side.BUY,
        "quantity": Decimal(quantity),
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "submitted_at": stamp(FIRST),
    }
    return Order(**plain | given)


def kinds(events: list[Any]) -> list[str]:
    return [one.kind.value if isinstance(one, OrderEvent) else type(one).__name__ for one in events]


def test_an_order_fills_at_the_next_open_and_the_account_follows(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            view = await paper.submit(order("a"))
            assert view.status is OrderStatus.ACCEPTED
            assert [one.order.client_order_id for one in await paper.orders()] == ["a"]
            await paper.on_row(bar(1, (11.0, 20.0)))
            (fill,) = await paper.fills()
            assert (fill.price, fill.quantity, fill.timestamp) == (
                Decimal("11.0"),
                100,
                stamp(FIRST + timedelta(days=1)),
            )
            account = await paper.account()
            assert account.cash == 10_000 - 1100
            assert account.equity == 10_000
            assert account.positions["AAA"].average_cost == 11
            assert await paper.orders() == ()
            assert kinds(paper.pending_events()) == ["ACCEPT", "FILL"]

    run(trade())


def test_the_same_order_twice_is_one_order(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            first = await paper.submit(order("a"))
            assert await paper.submit(order("a")) == first
            await paper.on_row(bar(1))
            await paper.on_row(bar(1))
            assert (await paper.submit(order("a"))).status is OrderStatus.FILLED
            await paper.on_row(bar(2))
            assert len(await paper.fills()) == 1
            with pytest.raises(BrokerRefused, match="id of another order"):
                await paper.submit(order("a", "5"))

    run(trade())


def test_closed_and_opened_again_it_goes_on(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path, max_volume_share=0.05) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a", "120"))
            await paper.on_row(bar(1))
        async with broker(tmp_path, max_volume_share=0.05) as paper:
            (view,) = await paper.orders()
            assert (view.filled_quantity, view.remaining_quantity) == (50, 70)
            await paper.on_row(bar(2))
        async with broker(tmp_path, max_volume_share=0.05) as paper:
            await paper.on_row(bar(3))
            assert [fill.quantity for fill in await paper.fills()] == [50, 50, 20]
            assert (await paper.account()).cash == 10_000 - 1200

    run(trade())


def test_corporate_actions_are_told_and_counted(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a", "101"))
            await paper.on_row(bar(1))
            limit = {"type": OrderType.LIMIT, "limit_price": Decimal("5")}
            await paper.submit(order("b", "10", **limit))
            actions = (BarAction(0, SPLIT, 0.5), BarAction(0, DIVIDEND, 1.0))
            await paper.on_row(bar(2, (20.0, 20.0), actions=actions))
            (view,) = await paper.orders()
            assert (view.order.quantity, view.order.limit_price) == (5, Decimal("10.0"))
            account = await paper.account()
            # 101 shares become 50.5: half a share is paid at 20, then 50 shares earn 1 each.
            assert account.positions["AAA"].quantity == 50
            assert account.cash == Decimal(10_000 - 1010 + 10 + 50)
            ends = (BarAction(0, DELISTING, -0.5),)
            await paper.on_row(bar(3, (np.nan, 20.0), actions=ends))
            assert (await paper.account()).positions == {}
            assert (await paper.account()).cash == account.cash + 50 * 10
            told = [type(one) for one in await paper.activities()]
            assert told == [Split, Dividend, Closing]
            refused = await paper.submit(order("c"))
            assert (refused.status, refused.reason) == (OrderStatus.REJECTED, "delisted")

    run(trade())


def test_shorts_pay_for_what_they_borrow(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path, account="margin", borrow_rate=0.36) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a", side=Side.SELL))
            await paper.on_row(bar(1))
            await paper.on_row(bar(4))
            (fee,) = await paper.activities()
            assert isinstance(fee, BorrowFee)
            # 1,000 USD for three days at 36 % a year of 360 days.
            assert (await paper.account()).cash == Decimal(10_000 + 1000 - 3)

    run(trade())


def test_cancel_and_replace(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a"))
            await paper.replace("a", order("b", "7"))
            assert (await paper.order("a")).status is OrderStatus.REPLACED  # type: ignore[union-attr]
            await paper.cancel("a")
            await paper.cancel("b")
            await paper.cancel("nobody")
            await paper.on_row(bar(1))
            assert await paper.fills() == ()
            told = kinds(paper.pending_events())
            assert told == [
                "ACCEPT",
                "REPLACE",
                "ACCEPT",
                "CANCEL_REJECT",
                "CANCEL",
                "CANCEL_REJECT",
            ]
            with pytest.raises(BrokerRefused, match="works no more"):
                await paper.replace("b", order("c"))
            await paper.submit(order("d"))
            with pytest.raises(BrokerRefused, match="same symbol and side"):
                await paper.replace("d", order("e", symbol="BBB"))

    run(trade())


def test_latency_lets_an_order_miss_the_bars_that_open_before_it_arrives(tmp_path: Path) -> None:
    async def trade() -> None:
        # Two days and an hour: it misses the bars of the next two days.
        async with broker(tmp_path, {"latency_seconds": 49 * 3600.0}) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a"))
            await paper.on_row(bar(1))
        async with broker(tmp_path, {"latency_seconds": 49 * 3600.0}) as paper:
            await paper.on_row(bar(2))
            assert await paper.fills() == ()
            await paper.on_row(bar(3))
            (fill,) = await paper.fills()
            assert fill.timestamp == stamp(FIRST + timedelta(days=3))

    run(trade())


def test_rejects_by_symbol_and_by_chance_are_the_same_after_a_restart(tmp_path: Path) -> None:
    async def trade(folder: Path) -> list[str]:
        settings = {"reject_symbols": ["BBB"], "reject_probability": 0.4, "seed": 5}
        async with broker(folder, settings) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("b", symbol="BBB"))
            assert (await paper.order("b")).reason == "rejected_by_symbol"  # type: ignore[union-attr]
            views = [await paper.submit(order(f"a{i}", "1")) for i in range(50)]
            return [view.status.value for view in views]

    first, second = run(trade(tmp_path / "1")), run(trade(tmp_path / "2"))
    assert first == second
    assert 10 < first.count("REJECTED") < 30


def test_a_lost_answer_leaves_the_outcome_open(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path, {"timeout_probability": 1.0}) as paper:
            await paper.on_row(bar(0))
            known = []
            for number in range(40):
                with pytest.raises(UnknownOutcome):
                    await paper.submit(order(f"a{number}", "1"))
                known.append(await paper.order(f"a{number}") is not None)
            assert 5 < sum(known) < 35

    run(trade())


def test_market_hours_reject_what_comes_after_the_close(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path, {"market_hours": True}) as paper:
            await paper.on_row(bar(0))
            assert (await paper.submit(order("a"))).reason == "market_closed"
            noon = datetime(2021, 3, 2, 17, tzinfo=UTC)
            await paper.on_row(bar(1, timestamp=noon, last=False))
            assert (await paper.submit(order("b"))).status is OrderStatus.ACCEPTED
            hours = await paper.hours(FIRST)
            assert hours is not None
            assert (hours.opens.hour, hours.closes.hour) == (14, 21)
            assert await paper.hours(date(2021, 3, 6)) is None

    run(trade())


def test_day_orders_of_a_session_whose_last_bar_never_came(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0, last=False))
            limit = {"type": OrderType.LIMIT, "limit_price": Decimal("1")}
            await paper.submit(order("a", time_in_force=TimeInForce.DAY, **limit))
            await paper.on_row(bar(1))
            view = await paper.order("a")
            assert view is not None
            assert (view.status, view.reason) == (OrderStatus.EXPIRED, "end_of_session")

    run(trade())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"symbol": "ZZZ"}, "'ZZZ' is not traded here"),
        ({"quantity": Decimal("0.5")}, "not a positive number of whole shares"),
        ({"quantity": Decimal("-1")}, "not a positive number of whole shares"),
    ],
)
def test_orders_that_cannot_be_taken(tmp_path: Path, given: dict[str, Any], sentence: str) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            with pytest.raises(BrokerRefused, match=sentence):
                await paper.submit(order("a", **given))
            assert await paper.order("a") is None

    run(trade())


def test_what_does_not_fit_the_account_is_refused_at_the_start(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a"))
            await paper.on_row(bar(1))
            with pytest.raises(BrokerStopped, match="older than the account"):
                await paper.on_row(bar(0))
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await paper.orders()
        with pytest.raises(BrokerStopped, match="initial_cash 10000, the settings say 5"):
            await broker(tmp_path, initial_cash=5).connect()
        with pytest.raises(BrokerStopped, match="holds AAA, for which there are no bars"):
            await broker(tmp_path, symbols=("BBB",)).connect()
        # The names decide, not their places; more names may come.
        async with broker(tmp_path, symbols=("CCC", "BBB", "AAA")) as paper:
            assert (await paper.account()).positions["AAA"].quantity == 100

    run(trade())


def test_an_account_that_was_tampered_with_is_not_used(tmp_path: Path) -> None:
    async def trade() -> None:
        async with broker(tmp_path) as paper:
            await paper.on_row(bar(0))
            await paper.submit(order("a"))
            await paper.on_row(bar(1))

    run(trade())
    store = PaperStore(tmp_path / "broker.db", power_safe=False)
    with store.change():
        store._database.execute("DELETE FROM entries")
    store.close()
    with pytest.raises(BrokerStopped, match="disagrees with its own entries"):
        run(broker(tmp_path).connect())


def test_a_file_that_is_no_account(tmp_path: Path) -> None:
    (tmp_path / "broker.db").write_bytes(b"not a database, but long enough to be read as one" * 9)
    with pytest.raises(BrokerStopped, match="cannot be read or written"):
        run(broker(tmp_path).connect())


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    async def trade() -> None:
        paper = broker(tmp_path)
        await paper.connect()
        await paper.on_row(bar(0))
        await paper.submit(order("a"))
        with monkeypatch.context() as patch:
            patch.setattr(PaperStore, "keep_entries", full)
            with pytest.raises(BrokerStopped, match="No space left.*nothing was changed"):
                await paper.on_row(bar(1))
        with pytest.raises(BrokerStopped, match="close the broker and connect it again"):
            await paper.submit(order("b"))
        assert not (await paper.health()).connected
        await paper.close()
        await paper.connect()
        assert await paper.fills() == ()
        await paper.on_row(bar(1))
        assert len(await paper.fills()) == 1
        assert (await paper.health()).connected
        await paper.close()

    run(trade())
