"""Between the journal and the broker: what is known is written down, what is not known is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog

from trading.errors import (
    BrokerError,
    BrokerUnavailable,
    OrderError,
    ReconciliationError,
    UnknownOutcome,
)
from trading.execution.brokers.base import Broker, BrokerOrder
from trading.execution.journal import Journal
from trading.execution.lifecycle import FINAL, OPEN, OrderEvent, OrderEventKind, OrderRecord
from trading.execution.order_state import OrderState, entry_of, event_entry, is_news
from trading.execution.orders import OrderStatus
from trading.execution.reconciliation import BrokerState, catch_up, missed_entries

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how often to try.

    Attributes
    ----------
    timeout : for an answer, before the outcome counts as unknown
    settle : before an order that the broker does not know is looked up again; only then it counts
        as never received
    retries, retry_delay : of a request that did not reach the broker; the delay doubles
    """

    timeout: float = 10.0
    settle: float = 1.0
    retries: int = 2
    retry_delay: float = 0.2


class BrokerDesk:
    """The state of an order manager, its journal and its broker.

    Attributes
    ----------
    state : changed by `write` only, after the journal
    distrust : why the books are not trusted, empty where they are
    """

    def __init__(
        self, broker: Broker, journal: Journal, patience: Patience, clock: Callable[[], datetime]
    ) -> None:
        self.broker = broker
        self.journal = journal
        self.patience = patience
        self.clock = clock
        self.state = OrderState.recovered(journal.entries)
        self.distrust = "the manager has not started; start it first"

    def write(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Bring entries to the journal, then into the state."""
        batch = list(entries)
        self.journal.append(batch)
        for entry in batch:
            self.state.apply(entry)

    def happens(
        self,
        client_order_id: str,
        kind: OrderEventKind,
        reason: str = "",
        *,
        broker_order_id: str = "",
        replaced_by: str = "",
    ) -> OrderRecord:
        """Journal and apply what we did, or what the broker answered.

        Where the broker's events have led the order on meanwhile, so that the table does not know
        `kind` any more, they are right and nothing changes.
        """
        record = self.state.records[client_order_id]
        if not record.allows(kind):
            return record
        event = OrderEvent(
            client_order_id,
            kind,
            self.clock(),
            broker_order_id=broker_order_id,
            reason=reason,
            replaced_by=replaced_by,
        )
        try:
            if is_news(record, event):
                self.write([event_entry(event)])
        except OrderError as error:
            raise self.distrusting(str(error)) from error
        return self.state.records[client_order_id]

    def answered(self, view: BrokerOrder) -> OrderRecord:
        """Take in the broker's answer to a submission; fills and ends come as events."""
        refused = view.status is OrderStatus.REJECTED
        return self.happens(
            view.order.client_order_id,
            OrderEventKind.REJECT if refused else OrderEventKind.ACCEPT,
            view.reason if refused else "",
            broker_order_id=view.broker_order_id,
        )

    def distrusting(self, why: str) -> ReconciliationError:
        """Stop trusting the books and return the error to raise."""
        self.distrust = why
        log.error("books_not_trusted", broker=self.broker.name, why=why)
        return ReconciliationError(
            f"our books and those of {self.broker.name} disagree, so no order is sent: {why}"
        )

    async def asked(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the broker's answer; try again what did not reach it.

        Raises
        ------
        UnknownOutcome
            No answer came in time.
        BrokerError
            As the broker raised it.
        """
        delay = self.patience.retry_delay
        for attempt in range(self.patience.retries + 1):
            try:
                async with asyncio.timeout(self.patience.timeout):
                    return await request()
            except BrokerUnavailable:
                if attempt == self.patience.retries:
                    raise
            except TimeoutError as error:
                raise UnknownOutcome(
                    f"{self.broker.name} did not answer within {self.patience.timeout} s"
                ) from error
            await asyncio.sleep(delay)
            delay *= 2
        raise AssertionError("unreachable")

    async def settle(self, client_order_id: str) -> OrderRecord:
        """Ask what became of an UNKNOWN order; it stays UNKNOWN where no answer can be had."""
        try:
            view = await self._looked_up(client_order_id)
            fills = await self.asked(self.broker.fills)
            activities = await self.asked(self.broker.activities)
        except (BrokerError, OSError) as error:
            log.warning("order_unknown", order=client_order_id, error=str(error))
            return self.state.records[client_order_id]
        money = missed_entries(self.state.records, self.state.opened(), fills, activities)
        if money.problems:
            raise self.distrusting("; ".join(money.problems))
        self.write(entry_of(entry) for entry in money.missed)
        record = self.state.records[client_order_id]
        if record.status not in FINAL:
            try:
                events = catch_up(record, view, self.clock(), at_start=True)
                self.write(event_entry(event) for event in events)
            except OrderError as error:
                raise self.distrusting(str(error)) from error
        return self.state.records[client_order_id]

    async def ask_everything(self, busy: Collection[str] = ()) -> BrokerState:
        """Return all that the broker knows; orders with a request on its way are left out."""
        views = await self.asked(self.broker.orders)
        working = {view.order.client_order_id for view in views}
        looked_up: dict[str, BrokerOrder | None] = {}
        for name, record in tuple(self.state.records.items()):
            if record.status in OPEN and name not in working and name not in busy:
                looked_up[name] = await self._looked_up(name)
        return BrokerState(
            asked_at=self.clock(),
            open_orders=tuple(v for v in views if v.order.client_order_id not in busy),
            looked_up=looked_up,
            fills=await self.asked(self.broker.fills),
            activities=await self.asked(self.broker.activities),
            account=await self.asked(self.broker.account),
        )

    async def _looked_up(self, client_order_id: str) -> BrokerOrder | None:
        view = await self.asked(lambda: self.broker.order(client_order_id))
        if view is None:
            # It may be on its way: only a second look says that it never arrived.
            await asyncio.sleep(self.patience.settle)
            view = await self.asked(lambda: self.broker.order(client_order_id))
        return view
