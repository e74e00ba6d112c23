"""A broker in memory that fails as it is told, and whose books are kept apart from the manager's.

`script` holds the failures of the next requests, the first first: `unavailable`, `refused` and
`stopped` (nothing was done), `lost` (nothing was done, but the caller cannot know), `silent` (it
was done, but the caller cannot know), `hang` (like silent, no answer), `bug` (an error that is
not mapped).
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from trading.errors import BrokerRefused, BrokerStopped, BrokerUnavailable, UnknownOutcome
from trading.execution.account import Account
from trading.execution.activities import Activity, Split
from trading.execution.brokers.base import (
    Broker,
    BrokerAccount,
    BrokerEvent,
    BrokerOrder,
    BrokerPosition,
    Capabilities,
    Health,
    MarketHours,
)
from trading.execution.lifecycle import FINAL, OPEN, OrderEvent, OrderEventKind, OrderRecord
from trading.execution.order_book import split_event
from trading.execution.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce

START = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
ALL_CAPABILITIES = Capabilities(fractional=False, short=True, max_id_length=48)


def an_order(
    name: str = "o1",
    side: Side = Side.BUY,
    quantity: str = "100",
    *,
    symbol: str = "AAA",
    limit: str | None = None,
    stop: str | None = None,
    in_force: TimeInForce = TimeInForce.GTC,
    at: datetime = START,
) -> Order:
    kind = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }[limit is not None, stop is not None]
    return Order(
        name,
        "momentum",
        symbol,
        side,
        Decimal(quantity),
        kind,
        in_force,
        at,
        None if limit is None else Decimal(limit),
        None if stop is None else Decimal(stop),
    )


class Clock:
    """A clock that moves a second with every look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class ScriptedBroker(Broker):
    def __init__(
        self,
        clock: Clock,
        cash: str = "1000000",
        *,
        name: str = "scripted",
        capabilities: Capabilities = ALL_CAPABILITIES,
    ) -> None:
        self.name = name  # type: ignore[misc]
        self.clock = clock
        self.offered = capabilities
        self.ledger = Account(Decimal(cash))
        self.records: dict[str, OrderRecord] = {}
        self.made_fills: list[Fill] = []
        self.made_activities: list[Activity] = []
        self.outbox: list[BrokerEvent] = []
        self.script: list[str] = []
        self.submissions: list[str] = []
        self.state = Health(connected=True)
        self.queue: asyncio.Queue[BrokerEvent | None] = asyncio.Queue()

    # What the market and the broker's people do.

    def fill(self, name: str, quantity: str, price: str, commission: str = "1") -> Fill:
        order = self.records[name].order
        fill = Fill(
            f"f{len(self.made_fills)}",
            name,
            order.symbol,
            order.side,
            Decimal(quantity),
            Decimal(price),
            Decimal(commission),
            self.clock(),
        )
        self.made_fills.append(fill)
        self.ledger.apply(fill)
        self._event(OrderEvent(name, OrderEventKind.FILL, fill.timestamp, fill=fill))
        return fill

    def say(self, name: str, kind: OrderEventKind, reason: str = "") -> None:
        self._event(OrderEvent(name, kind, self.clock(), reason=reason))

    def act(self, activity: Activity) -> None:
        self.made_activities.append(activity)
        self.ledger.book(activity)
        self.outbox.append(activity)
        if isinstance(activity, Split):
            for record in tuple(self.records.values()):
                if record.order.symbol == activity.symbol and record.status in OPEN:
                    self._event(split_event(record, activity.ratio, activity.timestamp))

    def _event(self, event: OrderEvent) -> None:
        name = event.client_order_id
        self.records[name] = self.records[name].apply(event)
        self.outbox.append(event)

    # The interface.

    @property
    def capabilities(self) -> Capabilities:
        return self.offered

    async def connect(self) -> None:
        await self._failing()

    async def close(self) -> None:
        self.queue.put_nowait(None)

    async def submit(self, order: Order) -> BrokerOrder:
        self.submissions.append(order.client_order_id)
        after = await self._failing()
        name = order.client_order_id
        if name not in self.records:
            self.records[name] = OrderRecord(order)
            for kind in (OrderEventKind.SUBMIT, OrderEventKind.ACCEPT):
                event = OrderEvent(name, kind, self.clock(), broker_order_id=f"b-{name}")
                self.records[name] = self.records[name].apply(event)
        elif self.records[name].order != order:
            raise BrokerRefused(f"{name} is taken")
        await self._silent(after)
        return self._view(name)

    async def cancel(self, client_order_id: str) -> None:
        after = await self._failing()
        record = self.records.get(client_order_id)
        if record is None or record.status in FINAL:
            raise BrokerRefused(f"{client_order_id} does not work")
        if record.allows(OrderEventKind.CANCEL_REQUEST):
            event = OrderEvent(client_order_id, OrderEventKind.CANCEL_REQUEST, self.clock())
            self.records[client_order_id] = record.apply(event)
        await self._silent(after)

    async def replace(self, client_order_id: str, replacement: Order) -> BrokerOrder:
        after = await self._failing()
        record = self.records[client_order_id]
        if record.status not in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED):
            raise BrokerRefused(f"{client_order_id} does not work")
        new_id = replacement.client_order_id
        for kind in (OrderEventKind.REPLACE_REQUEST, OrderEventKind.REPLACE):
            event = OrderEvent(client_order_id, kind, self.clock(), replaced_by=new_id)
            self.records[client_order_id] = self.records[client_order_id].apply(event)
        self.outbox.append(event)
        view = await self.submit_quietly(replacement)
        await self._silent(after)
        return view

    async def submit_quietly(self, order: Order) -> BrokerOrder:
        script, self.script = self.script, []
        try:
            return await self.submit(order)
        finally:
            self.script = script

    async def orders(self) -> tuple[BrokerOrder, ...]:
        await self._failing()
        return tuple(self._view(name) for name, r in self.records.items() if r.status in OPEN)

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        await self._failing()
        return self._view(client_order_id) if client_order_id in self.records else None

    async def fills(self, since: datetime | None = None) -> tuple[Fill, ...]:
        return tuple(f for f in self.made_fills if since is None or f.timestamp >= since)

    async def activities(self, since: datetime | None = None) -> tuple[Activity, ...]:
        return tuple(a for a in self.made_activities if since is None or a.timestamp >= since)

    async def account(self) -> BrokerAccount:
        positions = {
            symbol: BrokerPosition(symbol, held.quantity, held.average_cost)
            for symbol, held in self.ledger.positions.items()
        }
        return BrokerAccount("test", self.clock(), self.ledger.cash, self.ledger.cash, positions)

    async def health(self) -> Health:
        return self.state

    async def hours(self, day: date) -> MarketHours | None:
        return None

    async def events(self) -> AsyncIterator[BrokerEvent]:
        while (event := await self.queue.get()) is not None:
            yield event

    def _view(self, name: str) -> BrokerOrder:
        r = self.records[name]
        return BrokerOrder(
            r.order,
            r.broker_order_id,
            r.status,
            r.filled_quantity,
            r.remaining_quantity,
            self.clock(),
            r.reason,
            r.replaced_by,
        )

    async def _failing(self) -> str:
        failure = self.script.pop(0) if self.script else ""
        match failure:
            case "unavailable":
                raise BrokerUnavailable("no route")
            case "refused":
                raise BrokerRefused("not today")
            case "stopped":
                raise BrokerStopped("bad key")
            case "lost":
                raise UnknownOutcome("connection reset")
            case "bug":
                raise KeyError("orderId")
        return failure

    async def _silent(self, failure: str) -> None:
        if failure == "silent":
            raise ConnectionResetError("peer went away")
        if failure == "hang":
            await asyncio.sleep(3600)


def restarted(broker: ScriptedBroker) -> ScriptedBroker:
    """The same broker as a new connection sees it: what was not heard is not said again."""
    broker.outbox.clear()
    broker.script.clear()
    return broker
