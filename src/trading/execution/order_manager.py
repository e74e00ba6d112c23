"""The one way to the broker: check, journal, send, and follow what becomes of every order.

What is sent is journalled first. An order whose fate is unknown (a timeout, a lost connection, a
killed process) is UNKNOWN until the broker was asked; it is never assumed and never sent again
before. At the start the journal is read, and our books and the broker's are brought together; where
that fails, nothing is traded.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from weakref import WeakValueDictionary

from trading.errors import BrokerError, NotFoundError, OrderError, ReconciliationError
from trading.execution.account import Account, Position
from trading.execution.broker_desk import BrokerDesk, Patience
from trading.execution.brokers.base import Broker, BrokerEvent, Recovery, recovery_of
from trading.execution.journal import Journal
from trading.execution.lifecycle import OrderEvent, OrderEventKind, OrderRecord
from trading.execution.money import MICRO, from_micros
from trading.execution.order_book import OrderBook
from trading.execution.order_state import entry_of, event_entry, open_entry, order_entry
from trading.execution.orders import Order, OrderStatus
from trading.execution.pre_trade import PreTradeCheck, Review
from trading.execution.reconciliation import Reconciliation, reconcile
from trading.execution.validator import validate


class OrderManager:
    """Submits, cancels and replaces orders at one broker, and keeps the books.

    Parameters
    ----------
    broker : where orders go
    journal : what survives; it belongs to this manager alone
    check : the risk check; None: every well-formed order is sent
    symbols : those that may be traded; None: any that the broker trades
    clock : the time, aware, UTC; a replay gives its own

    Calls may run side by side in one event loop; those about one order wait for each other.
    """

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        *,
        check: PreTradeCheck | None = None,
        symbols: Collection[str] | None = None,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.broker = broker
        self.journal = journal
        self.check = check
        self.symbols = symbols
        self._desk = BrokerDesk(broker, journal, patience or Patience(), clock)
        self._state = self._desk.state
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def account(self) -> Account:
        """Cash and positions by our books."""
        return self._state.opened()

    @property
    def records(self) -> Mapping[str, OrderRecord]:
        """Every order by client order id, in the order in which they were made."""
        return MappingProxyType(self._state.records)

    @property
    def working(self) -> OrderBook:
        """The open orders."""
        return self._state.book

    def record(self, client_order_id: str) -> OrderRecord:
        """Return what became of an order, or raise `NotFoundError`."""
        try:
            return self._state.records[client_order_id]
        except KeyError:
            raise NotFoundError(f"there is no order {client_order_id!r}") from None

    async def start(self) -> Reconciliation:
        """Connect, recover, reconcile; only then orders are taken.

        An empty journal takes over the broker's cash and positions; it must have no open orders.

        Raises
        ------
        ReconciliationError
            Our books and the broker's disagree; the sentence lists every difference.
        """
        await self._desk.asked(self.broker.connect)
        if self._state.account is None:
            await self._open()
        elif self._state.broker != self.broker.name:
            raise ReconciliationError(
                f"the journal {self.journal.path} belongs to broker {self._state.broker!r}, "
                f"not to {self.broker.name!r}; give each broker its own home"
            )
        return await self.reconcile(at_start=True)

    async def submit(self, order: Order) -> OrderRecord:
        """Send an order once and return what became of it.

        The same order again returns its record; it is sent again only where the broker is certain
        that it never had it. What risk or the broker refuses comes back as REJECTED, what may have
        been received as UNKNOWN.

        Raises
        ------
        OrderError
            The order is malformed, or its id stands for another order.
        BrokerUnavailable, BrokerStopped
            It did not reach the broker, for certain; its record is NEW.
        ReconciliationError
            The books are not trusted: call `reconcile`.
        """
        if not isinstance(order, Order):
            raise OrderError(f"submit takes an Order, got {order!r}")
        async with self._holding(order.client_order_id):
            self._require_trust()
            record = self._known(order)
            if record is not None and record.status is not OrderStatus.NEW:
                return record
            record = await self._admit(order, record)
            if record.status is not OrderStatus.SUBMITTED:
                return record
            return await self._send(record.order)

    async def cancel(self, client_order_id: str, reason: str = "cancelled") -> OrderRecord:
        """Ask for a cancel; the outcome comes from the broker. A final order stays as it is."""
        async with self._holding(client_order_id):
            record = self.record(client_order_id)
            if record.status is OrderStatus.UNKNOWN:
                record = await self._desk.settle(client_order_id)
            if record.status is OrderStatus.NEW:
                return self._desk.happens(client_order_id, OrderEventKind.CANCEL, reason)
            if not record.allows(OrderEventKind.CANCEL_REQUEST):
                return record
            self._desk.happens(client_order_id, OrderEventKind.CANCEL_REQUEST, reason)
            try:
                await self._desk.asked(lambda: self.broker.cancel(client_order_id))
            except (BrokerError, OSError) as error:
                return await self._cancel_failed(client_order_id, error)
            except BaseException as error:
                self._desk.happens(client_order_id, OrderEventKind.LOSE, repr(error))
                raise
            return self.record(client_order_id)

    def withdraw(self, client_order_id: str, reason: str) -> OrderRecord:
        """Give up an order that the broker certainly does not have; it is never sent any more."""
        record = self.record(client_order_id)
        if record.status is not OrderStatus.NEW:
            raise OrderError(
                f"order {client_order_id} is {record.status}: the broker may have it; cancel it"
            )
        return self._desk.happens(client_order_id, OrderEventKind.CANCEL, reason)

    async def cancel_all(self, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Cancel all open orders, or a symbol's; every one is tried before an error is raised."""
        names = [r.client_order_id for r in self.working if symbol in (None, r.order.symbol)]
        outcomes = await asyncio.gather(
            *(self.cancel(name) for name in names), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return tuple(self.record(name) for name in names)

    async def replace(self, client_order_id: str, replacement: Order) -> OrderRecord:
        """Replace a working order in one step and return the record of the replacement.

        Where that is refused, the replacement is REJECTED and the original works on.

        Raises
        ------
        OrderError
            The replacement is malformed or of another symbol or side, the broker cannot replace,
            or the original does not work.
        """
        new_id = replacement.client_order_id
        async with self._holding(client_order_id, new_id):
            self._require_trust()
            known = self._known(replacement)
            if known is not None:
                return known
            original = self.record(client_order_id)
            self._require_replaceable(original, replacement)
            record = await self._admit(replacement, None, original)
            if record.status is not OrderStatus.SUBMITTED:
                return record
            try:
                view = await self._desk.asked(
                    lambda: self.broker.replace(client_order_id, record.order)
                )
            except (BrokerError, OSError) as error:
                return await self._replace_failed(client_order_id, new_id, error)
            except BaseException as error:
                for name in (client_order_id, new_id):
                    self._desk.happens(name, OrderEventKind.LOSE, repr(error))
                raise
            original = self.record(client_order_id)
            if original.allows(OrderEventKind.REPLACE):
                self._desk.happens(client_order_id, OrderEventKind.REPLACE, replaced_by=new_id)
            return self._desk.answered(view)

    async def listen(self) -> None:
        """Follow the broker's events until it is closed."""
        async for event in self.broker.events():
            self.handle(event)

    def handle(self, event: BrokerEvent) -> None:
        """Journal and count one event of the broker; one that is known changes nothing.

        Raises
        ------
        ReconciliationError
            The event contradicts our books; no order is taken until `reconcile` succeeded.
        """
        if isinstance(event, OrderEvent) and event.client_order_id not in self._state.records:
            raise self._desk.distrusting(
                f"the broker reports {event.kind} of order {event.client_order_id!r}, "
                "which is not ours"
            )
        try:
            entries = self._state.entries_of(event)
        except OrderError as error:
            raise self._desk.distrusting(str(error)) from error
        self._desk.write(entries)

    async def reconcile(self, *, at_start: bool = False) -> Reconciliation:
        """Ask the broker for everything, count what was missed, and trust the books again.

        Raises
        ------
        ReconciliationError
            Something cannot be explained, three times over; nothing was counted.
        """
        for attempt in range(3):
            if attempt:
                await asyncio.sleep(self._desk.patience.settle)
            busy = () if at_start else tuple(n for n, lock in self._locks.items() if lock.locked())
            state = await self._desk.ask_everything(busy)
            found = reconcile(self._state.records, self.account, state, at_start=at_start)
            if not found.problems:
                self._desk.write(entry_of(entry) for entry in found.missed)
                self._desk.distrust = ""
                return found
        raise self._desk.distrusting("; ".join(found.problems))

    def _known(self, order: Order) -> OrderRecord | None:
        """Return the record of an order that was given before, None for a new one."""
        asked = self._state.asked.get(order.client_order_id)
        if asked is not None and asked != order:
            raise OrderError(
                f"order id {order.client_order_id!r} is taken by another order: {asked}; "
                "an id stands for one order only"
            )
        return self._state.records.get(order.client_order_id)

    async def _admit(
        self, order: Order, known: OrderRecord | None, replaced: OrderRecord | None = None
    ) -> OrderRecord:
        """Validate, check and journal an order; its record is then SUBMITTED or REJECTED."""
        capabilities, asked = self.broker.capabilities, order
        order = order if known is None else known.order
        validate(order, capabilities, symbols=self.symbols)
        review = Review(order.quantity) if self.check is None else await self.check.review(order)
        refused = review.quantity <= 0
        if known is not None:
            # What was journalled cannot be resized any more.
            refused = review.quantity < order.quantity
        elif not refused and review.quantity < order.quantity:
            order = dataclasses.replace(order, quantity=review.quantity)
            validate(order, capabilities, symbols=self.symbols)
        name, now = order.client_order_id, self._desk.clock()
        kind = OrderEventKind.REJECT if refused else OrderEventKind.SUBMIT
        entries = [event_entry(OrderEvent(name, kind, now, reason=review.reason))]
        if known is None:
            entries.insert(0, order_entry(order, asked))
        if replaced is not None and not refused:
            request = OrderEventKind.REPLACE_REQUEST
            entries.append(
                event_entry(OrderEvent(replaced.client_order_id, request, now, replaced_by=name))
            )
        self._desk.write(entries)
        return self.record(name)

    async def _send(self, order: Order) -> OrderRecord:
        name = order.client_order_id
        try:
            view = await self._desk.asked(lambda: self.broker.submit(order))
        except (BrokerError, OSError) as error:
            return await self._failed(name, error)
        except BaseException as error:
            self._desk.happens(name, OrderEventKind.LOSE, repr(error))
            raise
        return self._desk.answered(view)

    async def _failed(self, name: str, error: Exception) -> OrderRecord:
        match recovery_of(error):
            case Recovery.REFUSED:
                return self._desk.happens(name, OrderEventKind.REJECT, str(error))
            case Recovery.RECONCILE:
                self._desk.happens(name, OrderEventKind.LOSE, str(error))
                return await self._desk.settle(name)
            case _:
                self._desk.happens(name, OrderEventKind.ABSENT, str(error))
                raise error

    async def _cancel_failed(self, name: str, error: Exception) -> OrderRecord:
        recovery = recovery_of(error)
        if recovery is Recovery.RECONCILE:
            self._desk.happens(name, OrderEventKind.LOSE, str(error))
            return await self._desk.settle(name)
        record = self._desk.happens(name, OrderEventKind.CANCEL_REJECT, str(error))
        if recovery is Recovery.REFUSED:
            return record
        raise error

    async def _replace_failed(self, name: str, new_id: str, error: Exception) -> OrderRecord:
        recovery = recovery_of(error)
        if recovery is Recovery.RECONCILE:
            for unknown in (name, new_id):
                self._desk.happens(unknown, OrderEventKind.LOSE, str(error))
            await self._desk.settle(name)
            return await self._desk.settle(new_id)
        self._desk.happens(name, OrderEventKind.REPLACE_REJECT, str(error))
        record = self._desk.happens(new_id, OrderEventKind.REJECT, str(error))
        if recovery is Recovery.REFUSED:
            return record
        raise error

    def _require_replaceable(self, original: OrderRecord, replacement: Order) -> None:
        order = original.order
        if not self.broker.capabilities.replace:
            raise OrderError(f"{self.broker.name} cannot replace orders; cancel, then submit")
        if (order.symbol, order.side) != (replacement.symbol, replacement.side):
            raise OrderError(
                f"a {order.side} of {order.symbol} cannot be replaced by a {replacement.side} of "
                f"{replacement.symbol}; cancel it, then submit the other"
            )
        if not original.allows(OrderEventKind.REPLACE_REQUEST):
            raise OrderError(
                f"order {order.client_order_id} is {original.status}; only an order that works "
                "can be replaced"
            )

    async def _open(self) -> None:
        """Begin the journal with the broker's account as it is."""
        broker = self.broker
        working = await self._desk.asked(broker.orders)
        if working:
            raise ReconciliationError(
                f"{broker.name} works {len(working)} order(s) that are not in the journal "
                f"{self.journal.path}; cancel them, or bring the journal back"
            )
        counted = (
            *await self._desk.asked(broker.fills),
            *await self._desk.asked(broker.activities),
        )
        theirs = await self._desk.asked(broker.account)
        positions = [
            Position(p.symbol, p.quantity, from_micros(round(p.quantity * p.average_cost * MICRO)))
            for p in theirs.positions.values()
        ]
        account = Account.opening(theirs.cash, positions, counted)
        self._desk.write([open_entry(account, broker.name)])

    def _require_trust(self) -> None:
        if self._desk.distrust:
            raise ReconciliationError(
                f"no order is sent to {self.broker.name}: {self._desk.distrust}"
            )

    @asynccontextmanager
    async def _holding(self, *names: str) -> AsyncIterator[None]:
        """Hold the locks of orders, always in the same order."""
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):
                lock = self._locks.setdefault(name, asyncio.Lock())
                await stack.enter_async_context(lock)
            yield
