"""The smart router: who gets an order, why, and that nobody gets it twice."""

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from scripted_broker import Clock, ScriptedBroker, an_order

from trading.errors import BrokerUnavailable, ConfigurationError, OrderError
from trading.execution.broker_desk import Patience
from trading.execution.brokers.base import Capabilities, Health
from trading.execution.journal import Journal
from trading.execution.order_manager import OrderManager
from trading.execution.orders import OrderStatus, OrderType, Side
from trading.execution.router import (
    CircuitState,
    Quote,
    RouterSettings,
    SmartRouter,
    expected_cost,
)
from trading.execution.settings import CommissionSettings, SlippageSettings
from trading.execution.slippage import CostModel

QUOTE = Quote(10.0, bar_volume=1e6, volatility=0.02, dollar_volume=1e7)
JOURNALS: list[Journal] = []


@pytest.fixture(autouse=True)
def _closed_journals() -> Iterator[None]:
    yield
    while JOURNALS:
        JOURNALS.pop().close()


def offering(bps: float, **changes: Any) -> Capabilities:
    return Capabilities(
        commission=CommissionSettings(model="bps", rate=bps),
        slippage=SlippageSettings(model="fixed", bps=1.0),
        short=True,
        **changes,
    )


async def venue(path: Path, clock: Clock, name: str, offered: Capabilities) -> OrderManager:
    journal = Journal(path / f"{name}.jsonl", durable=False)
    JOURNALS.append(journal)
    broker = ScriptedBroker(clock, name=name, capabilities=offered)
    manager = OrderManager(
        broker,
        journal,
        patience=Patience(timeout=1.0, settle=0.0, retries=0, retry_delay=0.0),
        clock=clock,
    )
    await manager.start()
    return manager


def scripted(manager: OrderManager) -> ScriptedBroker:
    assert isinstance(manager.broker, ScriptedBroker)
    return manager.broker


async def market(
    path: Path, settings: RouterSettings | None = None
) -> tuple[SmartRouter, OrderManager, OrderManager, Clock]:
    clock = Clock()
    cheap = await venue(path, clock, "cheap", offering(1.0))
    dear = await venue(path, clock, "dear", offering(9.0))
    return SmartRouter([dear, cheap], settings, clock), cheap, dear, clock


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_the_cheapest_that_can_take_it_and_the_reasons(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, _ = await market(tmp_path)
        record, route = await router.submit(an_order(), QUOTE)
        assert record.status is OrderStatus.ACCEPTED
        assert route.brokers == ("cheap", "dear")
        assert route.explanation == (
            "chose cheap; cheap: 0.2000 USD (commission 0.1000, slippage 0.1000, health 0.0000); "
            "dear: 1.0000 USD (commission 0.9000, slippage 0.1000, health 0.0000)"
        )
        assert "o1" in cheap.records
        assert not dear.records
        assert await router.choose(an_order("o2"), QUOTE) == await router.choose(
            an_order("o2"), QUOTE
        )

    run(work())


def test_who_is_out_and_why(tmp_path: Path) -> None:
    async def work() -> None:
        clock = Clock()
        offers = {
            "types": offering(1.0, order_types=frozenset({OrderType.MARKET})),
            "symbols": offering(1.0, symbols=frozenset({"BBB"})),
            "shares": Capabilities(),
            "gone": offering(1.0),
            "slow": offering(1.0),
            "shaky": offering(1.0),
            "takes": offering(30.0),
        }
        venues = [await venue(tmp_path, clock, name, offer) for name, offer in offers.items()]
        router = SmartRouter(venues, clock=clock)
        brokers = {v.broker.name: scripted(v) for v in venues}
        brokers["gone"].state = Health(connected=False)
        brokers["slow"].state = Health(connected=True, latency=9.0)
        brokers["shaky"].state = Health(connected=True, error_rate=0.75)
        route = await router.choose(an_order(side=Side.SELL, limit="10"), QUOTE)
        assert route.brokers == ("takes",)
        reasons = {c.broker: c.excluded for c in route.candidates if c.excluded}
        assert reasons == {
            "gone": "it is not connected",
            "shaky": "75% of its requests fail",
            "shares": "it holds 0 of the 100 shares and takes no short sales",
            "slow": "its latency is 9.00 s",
            "symbols": "the broker does not trade 'AAA'",
            "types": "the broker takes no LIMIT orders; it takes MARKET",
        }
        brokers["takes"].state = Health(connected=False)
        with pytest.raises(OrderError, match="no broker can take o1: chose nobody; gone: out, it"):
            await router.submit(an_order(side=Side.SELL, limit="10"), QUOTE)

    run(work())


def test_health_is_worth_money(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, _, _ = await market(tmp_path)
        scripted(cheap).state = Health(connected=True, latency=2.0, error_rate=0.0)
        route = await router.choose(an_order(), QUOTE)
        assert route.candidates[0].health_penalty == pytest.approx(1000 * 2 * 0.5e-4)
        scripted(cheap).state = Health(connected=True, latency=4.0, error_rate=0.5)
        assert (await router.choose(an_order(), QUOTE)).brokers[0] == "cheap"
        settings = RouterSettings(error_bps=20.0)
        strict = SmartRouter(list(router._venues.values()), settings)
        assert (await strict.choose(an_order(), QUOTE)).brokers[0] == "dear"

    run(work())


def test_failover_only_where_nothing_arrived(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, _ = await market(tmp_path)
        scripted(cheap).script = ["unavailable"]
        record, _ = await router.submit(an_order(), QUOTE)
        assert record.status is OrderStatus.ACCEPTED
        assert cheap.record("o1").status is OrderStatus.CANCELLED
        assert router.home("o1") is dear
        again, _ = await router.submit(an_order(), QUOTE)
        assert again == record
        assert scripted(dear).submissions == ["o1"]
        assert not scripted(cheap).records

    run(work())


@pytest.mark.slow
def test_an_unknown_order_never_leaves(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, _ = await market(tmp_path)
        scripted(cheap).script = ["silent", "lost"]
        record, _ = await router.submit(an_order(), QUOTE)
        assert record.status is OrderStatus.UNKNOWN
        scripted(cheap).state = Health(connected=False)
        again, _ = await router.submit(an_order(), QUOTE)
        assert again.status is OrderStatus.UNKNOWN
        assert not dear.records
        assert scripted(cheap).submissions == ["o1"]

    run(work())


def test_a_new_router_finds_an_orders_home_again(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, clock = await market(tmp_path)
        await router.submit(an_order(), QUOTE)
        scripted(cheap).state = Health(connected=False)
        fresh = SmartRouter([cheap, dear], clock=clock)
        record, _ = await fresh.submit(an_order(), QUOTE)
        assert record.status is OrderStatus.ACCEPTED
        assert not dear.records

    run(work())


def test_side_by_side_the_same_order_goes_out_once(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, _ = await market(tmp_path)
        await asyncio.gather(*(router.submit(an_order(), QUOTE) for _ in range(10)))
        assert scripted(cheap).submissions + scripted(dear).submissions == ["o1"]

    run(work())


def test_the_circuit_opens_half_opens_and_closes(tmp_path: Path) -> None:
    async def work() -> None:
        settings = RouterSettings(max_failures=2, cooldown_seconds=3600)
        router, cheap, _, clock = await market(tmp_path, settings)
        for number in range(2):
            scripted(cheap).script = ["unavailable"]
            await router.submit(an_order(f"f{number}"), QUOTE)
        assert router.circuit("cheap") is CircuitState.OPEN
        route = await router.choose(an_order("x"), QUOTE)
        assert route.candidates[1].excluded == "its circuit is open after 2 failures"
        clock.now += timedelta(hours=1)
        assert router.circuit("cheap") is CircuitState.HALF_OPEN
        scripted(cheap).script = ["unavailable"]
        await router.submit(an_order("g"), QUOTE)
        assert router.circuit("cheap") is CircuitState.OPEN
        clock.now += timedelta(hours=1)
        await router.submit(an_order("h"), QUOTE)
        assert router.circuit("cheap") is CircuitState.CLOSED

    run(work())


def test_all_fail(tmp_path: Path) -> None:
    async def work() -> None:
        router, cheap, dear, _ = await market(tmp_path)
        scripted(cheap).script = scripted(dear).script = ["unavailable"]
        scripted(dear).script = ["unavailable"]
        with pytest.raises(BrokerUnavailable):
            await router.submit(an_order(), QUOTE)
        record, route = await router.submit(an_order(), QUOTE)
        assert record.status is OrderStatus.ACCEPTED
        assert route.brokers == ("dear",)

    run(work())


def test_costs_are_the_backtests_formulas() -> None:
    offered = Capabilities(
        commission=CommissionSettings(model="per_share", rate=0.005, minimum=1.0),
        slippage=SlippageSettings(model="square_root", bps=5.0, coefficient=0.1),
    )
    commission, slippage, value = expected_cost(an_order(quantity="1000"), QUOTE, offered)
    model = CostModel(0.0, 5.0, 0.1, 1.0)
    assert (commission, value) == (5.0, 10_000.0)
    assert slippage == pytest.approx(float(model.rate(10_000.0, 1e7, 0.02)) * 10_000.0)
    assert expected_cost(an_order(limit="10"), QUOTE, offered)[1] == 0.0


def test_routers_that_cannot_be(tmp_path: Path) -> None:
    async def work() -> None:
        clock = Clock()
        one = await venue(tmp_path / "a", clock, "same", offering(1.0))
        two = await venue(tmp_path / "b", clock, "same", offering(1.0))
        for venues in ([], [one, two]):
            with pytest.raises(ConfigurationError, match="at least one venue"):
                SmartRouter(venues)
        for price in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(OrderError, match="needs a finite price > 0"):
                await SmartRouter([one]).choose(an_order(), Quote(price))
        assert one.account.cash == Decimal(1_000_000)

    run(work())
