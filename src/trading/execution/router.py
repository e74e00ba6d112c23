"""Which broker gets an order: one that can take it, works, and is expected to cost least.

A venue is a broker with its order manager, journal and account. The home of an order is written in
the journal of the venue that it was first given to, before it is sent; a failover happens only
where that broker certainly has nothing of it, and an order whose fate is unknown never leaves.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from weakref import WeakValueDictionary

from pydantic import Field

from trading.config import Section
from trading.errors import (
    BrokerError,
    BrokerStopped,
    BrokerUnavailable,
    ConfigurationError,
    OrderError,
)
from trading.execution.brokers.base import Capabilities, Health
from trading.execution.costs import Rules, commission_of, slippage_of, value_of
from trading.execution.lifecycle import OrderRecord
from trading.execution.money import MICRO, to_micros
from trading.execution.order_manager import OrderManager
from trading.execution.orders import Order, OrderStatus, OrderType, Side
from trading.execution.settings import ExecutionSettings
from trading.execution.validator import order_problems

REROUTED = "rerouted"
_BASIS_POINT = 1e-4


class RouterSettings(Section):
    """What makes a broker unfit, and what slowness and failures are worth."""

    max_failures: int = Field(3, gt=0, description="Failures in a row that open the circuit.")
    cooldown_seconds: float = Field(
        60.0, ge=0.0, description="An open circuit lets one order try again after this long."
    )
    max_latency_seconds: float = Field(5.0, gt=0.0, description="A slower broker gets no order.")
    max_error_rate: float = Field(
        0.5, gt=0.0, le=1.0, description="A broker that fails more often gets no order."
    )
    latency_bps_per_second: float = Field(
        0.5, ge=0.0, description="What a second of latency costs, basis points of the value."
    )
    error_bps: float = Field(
        5.0, ge=0.0, description="What an error rate of 1 costs, basis points of the value."
    )


@dataclass(frozen=True, slots=True)
class Quote:
    """What is known of a symbol's market; it prices the expected cost.

    Attributes
    ----------
    price : USD a share
    bar_volume : shares that a bar trades
    volatility : daily, a fraction; NaN where it is not known
    dollar_volume : USD a day; NaN where it is not known
    month_shares : shares traded so far this calendar month, for tiered commissions
    """

    price: float
    bar_volume: float = float("nan")
    volatility: float = float("nan")
    dollar_volume: float = float("nan")
    month_shares: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A venue as it was weighed: what it would cost (USD), or why it is out.

    Attributes
    ----------
    commission, slippage : USD expected by the broker's cost model
    health_penalty : USD that its latency and error rate are worth
    excluded : the reason, empty for a venue that can take the order
    """

    broker: str
    commission: float = 0.0
    slippage: float = 0.0
    health_penalty: float = 0.0
    excluded: str = ""

    @property
    def cost(self) -> float:
        """USD, all together."""
        return self.commission + self.slippage + self.health_penalty

    def __str__(self) -> str:
        if self.excluded:
            return f"{self.broker}: out, {self.excluded}"
        return (
            f"{self.broker}: {self.cost:.4f} USD (commission {self.commission:.4f}, slippage "
            f"{self.slippage:.4f}, health {self.health_penalty:.4f})"
        )


@dataclass(frozen=True)
class Route:
    """A choice with its reasons: those that can take the order, best first, then those out."""

    candidates: tuple[Candidate, ...]

    @property
    def brokers(self) -> tuple[str, ...]:
        """The names of those that can take the order, best first."""
        return tuple(c.broker for c in self.candidates if not c.excluded)

    @property
    def explanation(self) -> str:
        """One sentence with every venue's cost or reason."""
        chosen = self.brokers[0] if self.brokers else "nobody"
        return f"chose {chosen}; {'; '.join(map(str, self.candidates))}"


class CircuitState(StrEnum):
    """CLOSED works, OPEN gets no order, HALF_OPEN gets one to show that it works again."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class Circuit:
    """Failures of a broker in a row, and since when its circuit is open."""

    failures: int = 0
    opened_at: datetime | None = None

    def state(self, now: datetime, settings: RouterSettings) -> CircuitState:
        """Return where the circuit stands at `now`."""
        if self.opened_at is None:
            return CircuitState.CLOSED
        waited = now - self.opened_at >= timedelta(seconds=settings.cooldown_seconds)
        return CircuitState.HALF_OPEN if waited else CircuitState.OPEN

    def failed(self, now: datetime, settings: RouterSettings) -> "Circuit":
        """Return the circuit after a failure; it opens at the limit, or again when half open."""
        failures = self.failures + 1
        opens = self.opened_at is not None or failures >= settings.max_failures
        return Circuit(failures, now if opens else None)


class SmartRouter:
    """Chooses a venue for each order and submits it there.

    Parameters
    ----------
    venues : order managers, each of a broker with a name of its own
    clock : the time, aware, UTC

    The same order, quote, health and circuits give the same choice; ties go by name.
    """

    def __init__(
        self,
        venues: Sequence[OrderManager],
        settings: RouterSettings | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._venues = {venue.broker.name: venue for venue in venues}
        if not venues or len(self._venues) != len(venues):
            raise ConfigurationError(
                "a router needs at least one venue, and brokers with different names; got "
                f"{[venue.broker.name for venue in venues]}"
            )
        self._settings = settings or RouterSettings()
        self._clock = clock
        self._circuits = dict.fromkeys(self._venues, Circuit())
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def home(self, client_order_id: str) -> OrderManager | None:
        """Return the venue that an order was given to, None where it was given to none."""
        for venue in self._venues.values():
            record = venue.records.get(client_order_id)
            if record is not None and record.reason != REROUTED:
                return venue
        return None

    def circuit(self, broker: str) -> CircuitState:
        """Return where a broker's circuit stands."""
        return self._circuits[broker].state(self._clock(), self._settings)

    async def choose(self, order: Order, quote: Quote) -> Route:
        """Weigh every venue for an order; nothing is sent."""
        if not 0.0 < quote.price < float("inf"):
            raise OrderError(
                f"a route for {order.symbol} needs a finite price > 0, got {quote.price}"
            )
        candidates = [
            self._weigh(venue, order, quote, await venue.broker.health())
            for venue in self._venues.values()
        ]
        candidates.sort(key=lambda c: (bool(c.excluded), round(c.cost, 6), c.broker))
        return Route(tuple(candidates))

    async def submit(self, order: Order, quote: Quote) -> tuple[OrderRecord, Route]:
        """Submit an order at the best venue and return its record with the reasons.

        An order that has a home already stays there. Where a broker certainly got nothing, the
        next one is tried; where it may have got something, the record comes back as UNKNOWN.

        Raises
        ------
        OrderError
            No venue can take the order; the sentence has each one's reason.
        BrokerUnavailable, BrokerStopped
            Every venue that could take it failed; this is the last one's error.
        """
        lock = self._locks.setdefault(order.client_order_id, asyncio.Lock())
        async with lock:
            return await self._submit(order, quote)

    async def _submit(self, order: Order, quote: Quote) -> tuple[OrderRecord, Route]:
        home = self.home(order.client_order_id)
        if home is not None and not self._is_free(home, order):
            name = home.broker.name
            return await home.submit(order), Route((Candidate(name),))
        route = await self.choose(order, quote)
        if not route.brokers:
            raise OrderError(f"no broker can take {order.client_order_id}: {route.explanation}")
        error: BrokerError | None = None
        for name in route.brokers:
            self._leave(order, name)
            try:
                record = await self._venues[name].submit(order)
            except (BrokerUnavailable, BrokerStopped) as failure:
                self._failed(name)
                error = failure
                continue
            if record.status is OrderStatus.UNKNOWN:
                self._failed(name)
            else:
                self._circuits[name] = Circuit()
            return record, route
        raise error or AssertionError("unreachable")

    def _weigh(self, venue: OrderManager, order: Order, quote: Quote, health: Health) -> Candidate:
        name, capabilities = venue.broker.name, venue.broker.capabilities
        excluded = self._unfit(venue, order, health)
        if excluded:
            return Candidate(name, excluded=excluded)
        commission, slippage, value = expected_cost(order, quote, capabilities)
        penalty = (
            health.latency * self._settings.latency_bps_per_second
            + health.error_rate * self._settings.error_bps
        )
        return Candidate(name, commission, slippage, value * penalty * _BASIS_POINT)

    def _unfit(self, venue: OrderManager, order: Order, health: Health) -> str:
        settings, name = self._settings, venue.broker.name
        problems = order_problems(order, venue.broker.capabilities, symbols=venue.symbols)
        if problems:
            return "; ".join(problems)
        left = venue.records.get(order.client_order_id)
        if left is not None and left.reason == REROUTED:
            return "it has failed this order before"
        if order.side is Side.SELL and not venue.broker.capabilities.short:
            held = venue.account.quantity(order.symbol)
            if order.quantity > held:
                return f"it holds {held} of the {order.quantity} shares and takes no short sales"
        if not health.connected:
            return "it is not connected"
        if self.circuit(name) is CircuitState.OPEN:
            return f"its circuit is open after {self._circuits[name].failures} failures"
        if health.latency > settings.max_latency_seconds:
            return f"its latency is {health.latency:.2f} s"
        if health.error_rate > settings.max_error_rate:
            return f"{health.error_rate:.0%} of its requests fail"
        return ""

    def _is_free(self, home: OrderManager, order: Order) -> bool:
        """Tell whether an order may still go anywhere: its home's broker certainly has nothing."""
        return home.record(order.client_order_id).status is OrderStatus.NEW

    def _leave(self, order: Order, name: str) -> None:
        """Give up every other home, in its journal, before the order is sent to `name`."""
        for other, venue in self._venues.items():
            record = venue.records.get(order.client_order_id)
            if other != name and record is not None and record.status is OrderStatus.NEW:
                venue.withdraw(order.client_order_id, REROUTED)

    def _failed(self, name: str) -> None:
        self._circuits[name] = self._circuits[name].failed(self._clock(), self._settings)


def expected_cost(
    order: Order, quote: Quote, capabilities: Capabilities
) -> tuple[float, float, float]:
    """Return commission, slippage and value of an order, USD, by the broker's cost model.

    The formulas are those of the backtest. LIMIT and STOP_LIMIT orders do not slip.
    """
    rules = Rules.of(
        ExecutionSettings(commission=capabilities.commission, slippage=capabilities.slippage)
    )
    quantity = to_micros(order.quantity)
    value = value_of(quantity, quote.price)
    commission = commission_of(rules, quantity, value, round(quote.month_shares * MICRO))
    rate = 0.0
    if order.type in (OrderType.MARKET, OrderType.STOP):
        rate = slippage_of(
            rules,
            quantity,
            quote.price,
            quote.bar_volume,
            quote.volatility,
            quote.dollar_volume,
        )
    return commission / MICRO, value * rate / MICRO, value / MICRO
