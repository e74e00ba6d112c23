"""What every broker is: the paper broker, and those of the live market.

docs/execution.md shows how to write one. An adapter turns every failure of its client into one of
the four classes of `trading.errors` that say what to do (`recovery_of`); a class that is not mapped
leaves the order manager without a choice, so a test of the adapter maps them all.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Self

from trading.errors import (
    BrokerRefused,
    BrokerStopped,
    BrokerUnavailable,
)
from trading.execution.activities import Activity
from trading.execution.lifecycle import OrderEvent
from trading.execution.orders import Fill, Order, OrderStatus, OrderType, TimeInForce
from trading.execution.settings import CommissionSettings, SlippageSettings

BrokerEvent = OrderEvent | Activity


class Recovery(StrEnum):
    """What to do after a request failed."""

    RETRY = "retry"
    REFUSED = "refused"
    STOP = "stop"
    RECONCILE = "reconcile"


def recovery_of(error: BaseException) -> Recovery:
    """Return what to do after a request to a broker raised `error`.

    RETRY: the request did not arrive. REFUSED: it was refused, and would be again. STOP: none will
    succeed until the operator acts. RECONCILE: everything else, timeouts and lost connections
    included, because the broker may have acted on the request.
    """
    if isinstance(error, BrokerUnavailable):
        return Recovery.RETRY
    if isinstance(error, BrokerRefused):
        return Recovery.REFUSED
    if isinstance(error, BrokerStopped):
        return Recovery.STOP
    return Recovery.RECONCILE


@dataclass(frozen=True)
class Capabilities:
    """What a broker takes, and what it costs.

    Attributes
    ----------
    order_types, times_in_force : what it understands
    fractional : quantities to a millionth of a share; else whole shares
    short : whether a sale may go beyond what is held
    replace : whether a working order can be replaced
    symbols : those that it trades; None: any
    commission, slippage : what a trade is expected to cost; the router compares them
    max_id_length : the longest client order id
    """

    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    fractional: bool = False
    short: bool = False
    replace: bool = True
    symbols: frozenset[str] | None = None
    commission: CommissionSettings = field(default_factory=CommissionSettings)
    slippage: SlippageSettings = field(default_factory=SlippageSettings)
    max_id_length: int = 48


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker sees it.

    Attributes
    ----------
    order : as the broker has it; restated after a split
    status : ACCEPTED, PARTIALLY_FILLED, PENDING_CANCEL, PENDING_REPLACE or a final one
    filled_quantity, remaining_quantity : shares
    reason : why it was rejected, cancelled or expired
    replaced_by : the client order id of its replacement
    """

    order: Order
    broker_order_id: str
    status: OrderStatus
    filled_quantity: Decimal
    remaining_quantity: Decimal
    updated_at: datetime
    reason: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A position: shares (negative: short) and what was paid for them, USD a share."""

    symbol: str
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True)
class BrokerAccount:
    """The account as the broker sees it at `as_of`; USD."""

    account_id: str
    as_of: datetime
    cash: Decimal
    equity: Decimal
    positions: Mapping[str, BrokerPosition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """How a broker is doing.

    Attributes
    ----------
    connected : whether requests can be sent
    latency : seconds that a recent request took; 0.0 where none was made yet
    error_rate : share of the recent requests that failed, 0..1
    """

    connected: bool
    latency: float = 0.0
    error_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class MarketHours:
    """One session: when the market opens and closes, aware, UTC."""

    opens: datetime
    closes: datetime


class Broker(ABC):
    """A broker.

    Every request may raise a `BrokerError`; `recovery_of` says what to do. Requests may run side by
    side. Client order ids are the only names of orders that callers use.

    Attributes
    ----------
    name : unique among the brokers of a session; shown in every choice, error and log line
    """

    name: ClassVar[str] = "broker"

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the broker takes, and what it costs."""

    @abstractmethod
    async def connect(self) -> None:
        """Open the connection; doing so again changes nothing."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection; orders go on working. Doing so again changes nothing."""

    @abstractmethod
    async def submit(self, order: Order) -> BrokerOrder:
        """Hand an order in and return it as the broker has it.

        Idempotent by client order id: the same order again returns what became of it; another
        order under the same id raises `BrokerRefused`.
        """

    @abstractmethod
    async def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel; the outcome comes as an event (CANCEL or CANCEL_REJECT)."""

    @abstractmethod
    async def replace(self, client_order_id: str, replacement: Order) -> BrokerOrder:
        """Replace a working order by another of the same symbol and side, in one step.

        The replacement's quantity is what is to be traded from now on. The original ends as
        REPLACED; where it is no longer working, nothing is submitted and `BrokerRefused` is raised.
        """

    @abstractmethod
    async def orders(self) -> tuple[BrokerOrder, ...]:
        """Return the orders that work, in the order of their acceptance."""

    @abstractmethod
    async def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return one order, working or not; None: the broker is certain that it has none."""

    @abstractmethod
    async def fills(self, since: datetime | None = None) -> tuple[Fill, ...]:
        """Return the fills at or after `since` (None: all), in the order in which they happened."""

    @abstractmethod
    async def activities(self, since: datetime | None = None) -> tuple[Activity, ...]:
        """Return what else changed the account at or after `since` (None: all), in order."""

    @abstractmethod
    async def account(self) -> BrokerAccount:
        """Return cash, equity and positions."""

    async def positions(self) -> Mapping[str, BrokerPosition]:
        """Return the positions by symbol."""
        return (await self.account()).positions

    @abstractmethod
    async def health(self) -> Health:
        """Return how the broker is doing; never raises."""

    @abstractmethod
    async def hours(self, day: date) -> MarketHours | None:
        """Return the session of `day`, None where the market stays closed."""

    @abstractmethod
    def events(self) -> AsyncIterator[BrokerEvent]:
        """Return everything that happens from now on, each order's events in their order.

        One consumer. The iterator ends when the broker is closed. An event may be repeated after a
        reconnect; fills and activities are recognised by their ids.
        """

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()
