"""The working orders, by symbol and side, sorted by price and time.

Executable orders (MARKET, LIMIT, triggered stops) stand on one ladder, best price first: the
highest bid, the lowest offer, market orders before both. Orders that wait for their stop stand on
another, the next to trigger first: the lowest buy stop, the highest sell stop. Within a price, the
earlier order comes first. An order keeps its place while it fills; a new price, or a replacement,
takes a new one.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from trading.errors import NotFoundError, OrderError
from trading.execution.activities import Split
from trading.execution.lifecycle import OPEN, OrderEvent, OrderEventKind, OrderRecord
from trading.execution.money import MICRO, from_micros, to_micros, to_price
from trading.execution.orders import Order, OrderType, Side

# (price rank, arrival number, client order id)
_Place = tuple[Decimal, int, str]
_Ladder = tuple[str, Side, bool]

_FIRST = Decimal("-Infinity")


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """What rests at one price; None is the price of market orders."""

    price: Decimal | None
    quantity: Decimal
    orders: int


class OrderBook:
    """Working orders; adding and removing take O(log n) comparisons. Not for several threads."""

    def __init__(self) -> None:
        self._records: dict[str, OrderRecord] = {}
        self._places: dict[str, tuple[_Ladder, _Place]] = {}
        self._ladders: dict[_Ladder, list[_Place]] = {}
        self._triggered: set[str] = set()
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, client_order_id: object) -> bool:
        return client_order_id in self._records

    def __iter__(self) -> Iterator[OrderRecord]:
        """Iterate in order of arrival."""
        return iter(tuple(self._records.values()))

    def get(self, client_order_id: str) -> OrderRecord:
        """Return a working order, or raise `NotFoundError`."""
        try:
            return self._records[client_order_id]
        except KeyError:
            raise NotFoundError(
                f"order {client_order_id!r} is not among the {len(self)} working orders"
            ) from None

    def add(self, record: OrderRecord) -> None:
        """Take a working order in.

        Raises
        ------
        OrderError
            Its id is in the book, or its state is not one in which it can fill.
        """
        name = record.client_order_id
        if name in self._records:
            raise OrderError(f"order {name!r} is in the book already; update it instead")
        if record.status not in OPEN:
            raise OrderError(f"order {name!r} is {record.status}; only open orders are booked")
        self._records[name] = record
        self._arrivals += 1
        self._place(record, self._arrivals)

    def update(self, record: OrderRecord) -> None:
        """Take in what became of an order; a final one leaves the book.

        It keeps its place unless its price changed.
        """
        before = self.get(record.client_order_id)
        if record.status not in OPEN:
            self.remove(record.client_order_id)
            return
        self._records[record.client_order_id] = record
        if _rank(before.order, self._waits(before)) != _rank(record.order, self._waits(record)):
            self._displace(record.client_order_id)
            self._arrivals += 1
            self._place(record, self._arrivals)

    def trigger(self, client_order_id: str) -> None:
        """Move a stop whose price was reached to the executable orders, with a new place."""
        record = self.get(client_order_id)
        if not self._waits(record):
            raise OrderError(f"order {client_order_id!r} does not wait for a stop price")
        self._displace(client_order_id)
        self._triggered.add(client_order_id)
        self._arrivals += 1
        self._place(record, self._arrivals)

    def remove(self, client_order_id: str) -> OrderRecord:
        """Take an order out and return it."""
        record = self.get(client_order_id)
        self._displace(client_order_id)
        del self._records[client_order_id]
        self._triggered.discard(client_order_id)
        return record

    def replace(self, client_order_id: str, replacement: OrderRecord) -> OrderRecord:
        """Take an order out and its replacement in, behind those at its price; return the first."""
        if replacement.client_order_id in self._records or replacement.status not in OPEN:
            raise OrderError(
                f"{replacement.client_order_id!r} cannot replace: it is booked or over"
            )
        record = self.remove(client_order_id)
        self.add(replacement)
        return record

    def executable(self, symbol: str, side: Side) -> tuple[OrderRecord, ...]:
        """Return the orders that can fill, best price first, then time."""
        return self._on((symbol, side, False))

    def waiting(self, symbol: str, side: Side) -> tuple[OrderRecord, ...]:
        """Return the orders that wait for their stop, the next to trigger first."""
        return self._on((symbol, side, True))

    def best(self, symbol: str, side: Side) -> OrderRecord | None:
        """Return the executable order with the best price, None where there is none."""
        ladder = self._ladders.get((symbol, side, False))
        return self._records[ladder[0][2]] if ladder else None

    def depth(self, symbol: str, side: Side) -> tuple[PriceLevel, ...]:
        """Return what remains of the executable orders, by price, best first."""
        levels: dict[Decimal | None, PriceLevel] = {}
        for record in self.executable(symbol, side):
            price = record.order.limit_price
            level = levels.get(price, PriceLevel(price, Decimal(0), 0))
            quantity = level.quantity + record.remaining_quantity
            levels[price] = PriceLevel(price, quantity, level.orders + 1)
        return tuple(levels.values())

    def of_symbol(self, symbol: str) -> tuple[OrderRecord, ...]:
        """Return every working order of a symbol: sells, then buys, each in order of arrival."""
        places = sorted(
            place[1:]
            for side in (Side.SELL, Side.BUY)
            for waits in (False, True)
            for place in self._ladders.get((symbol, side, waits), ())
        )
        records = [self._records[name] for _, name in places]
        return tuple(sorted(records, key=lambda record: record.order.side is Side.BUY))

    def quantity(self, symbol: str, side: Side) -> Decimal:
        """Return the shares that remain to be traded on one side of a symbol."""
        records = (*self.executable(symbol, side), *self.waiting(symbol, side))
        return sum((record.remaining_quantity for record in records), Decimal(0))

    def split(
        self, symbol: str, ratio: Decimal, timestamp: datetime, *, whole_shares: bool = True
    ) -> tuple[OrderEvent, ...]:
        """Adjust the working orders of a symbol to a split and return what happened to each."""
        events: list[OrderEvent] = []
        for record in self.of_symbol(symbol):
            event = split_event(record, ratio, timestamp, whole_shares=whole_shares)
            self.update(record.apply(event))
            events.append(event)
        return tuple(events)

    def _waits(self, record: OrderRecord) -> bool:
        is_stop = record.order.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        return is_stop and record.client_order_id not in self._triggered

    def _place(self, record: OrderRecord, arrival: int) -> None:
        waits = self._waits(record)
        ladder = (record.order.symbol, record.order.side, waits)
        place = (_rank(record.order, waits), arrival, record.client_order_id)
        insort(self._ladders.setdefault(ladder, []), place)
        self._places[record.client_order_id] = (ladder, place)

    def _displace(self, client_order_id: str) -> None:
        ladder, place = self._places.pop(client_order_id)
        places = self._ladders[ladder]
        del places[bisect_left(places, place)]
        if not places:
            del self._ladders[ladder]

    def _on(self, ladder: _Ladder) -> tuple[OrderRecord, ...]:
        return tuple(self._records[name] for _, _, name in self._ladders.get(ladder, ()))


def split_event(
    record: OrderRecord, ratio: Decimal, timestamp: datetime, *, whole_shares: bool = True
) -> OrderEvent:
    """Return what a split does to a working order: RESTATE, or CANCEL where nothing is left.

    The rule is that of docs/backtesting.md: remaining and original quantity become whole lots of
    `rint(quantity * ratio)`, the filled part `rint(filled * ratio)`, prices are divided by `ratio`.

    Raises
    ------
    OrderError
        The ratio is not finite and > 0.
    """
    factor = float(ratio)
    if not 0.0 < factor < float("inf"):
        raise OrderError(f"a split needs a finite ratio > 0, got {ratio}")
    lot = MICRO if whole_shares else 1

    def lots(quantity: Decimal) -> int:
        return round(to_micros(quantity) * factor) // lot * lot

    order, remaining = record.order, lots(record.remaining_quantity)
    if not remaining:
        return OrderEvent(record.client_order_id, OrderEventKind.CANCEL, timestamp, reason="split")
    restated = replace(
        order,
        quantity=from_micros(lots(order.quantity)),
        limit_price=_divided(order.limit_price, factor),
        stop_price=_divided(order.stop_price, factor),
    )
    return OrderEvent(
        record.client_order_id,
        OrderEventKind.RESTATE,
        timestamp,
        restated=restated,
        remaining_quantity=from_micros(remaining),
        filled_quantity=from_micros(round(to_micros(record.filled_quantity) * factor)),
    )


def restatements(records: Iterable[OrderRecord], split: Split) -> list[OrderEvent]:
    """Return the RESTATE events of the open orders that the broker had before a split.

    Where nothing is left of an order, the broker cancels it; it may have ended before, so that is
    heard from the broker and not inferred.
    """
    events = [
        split_event(record, split.ratio, split.timestamp, whole_shares=split.whole_shares)
        for record in records
        if record.order.symbol == split.symbol
        and record.status in OPEN
        and record.was_sent_before(split.timestamp)
    ]
    return [event for event in events if event.kind is OrderEventKind.RESTATE]


def _divided(price: Decimal | None, factor: float) -> Decimal | None:
    return None if price is None else to_price(float(price) / factor)


def _rank(order: Order, waits: bool) -> Decimal:
    """Return what to sort by: smaller is better."""
    if waits and order.stop_price is not None:
        return order.stop_price if order.side is Side.BUY else -order.stop_price
    if order.limit_price is None:
        return _FIRST
    return -order.limit_price if order.side is Side.BUY else order.limit_price
