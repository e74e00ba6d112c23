"""The state of an order manager, rebuilt from its journal: orders, working orders, account.

`OrderState.apply` is the only way in which it changes, at work and at recovery alike, so that what
a restart rebuilds is what was there.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from trading.errors import StoreError
from trading.execution.account import Account
from trading.execution.activities import (
    Activity,
    BorrowFee,
    Closing,
    Dividend,
    Split,
    Transfer,
)
from trading.execution.encoding import from_plain, to_plain
from trading.execution.lifecycle import OPEN, OrderEvent, OrderEventKind, OrderRecord
from trading.execution.order_book import OrderBook, restatements
from trading.execution.orders import Order

JOURNAL_VERSION = 1
_ACTIVITIES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Split, Dividend, BorrowFee, Closing, Transfer)
}


class OrderState:
    """Every order that was ever made, those that work, and the account.

    Attributes
    ----------
    records : by client order id
    asked : each order as it was asked for, before risk resized it, by client order id
    book : the open orders
    account : None until the journal's first entry opened it
    broker : the name of the broker that the journal belongs to
    """

    def __init__(self) -> None:
        self.records: dict[str, OrderRecord] = {}
        self.asked: dict[str, Order] = {}
        self.book = OrderBook()
        self.account: Account | None = None
        self.broker = ""

    @classmethod
    def recovered(cls, entries: Iterable[Mapping[str, Any]]) -> "OrderState":
        """Return the state after the entries of a journal.

        Raises
        ------
        StoreError
            An entry is not one of this version's.
        """
        state = cls()
        for entry in entries:
            state.apply(entry)
        return state

    def opened(self) -> Account:
        """Return the account, or raise `StoreError` where the journal has not opened it."""
        if self.account is None:
            raise StoreError("the journal does not begin with an account; start the manager first")
        return self.account

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Change the state by one entry of the journal."""
        match entry.get("kind"):
            case "open" if entry.get("version") == JOURNAL_VERSION and self.account is None:
                self.account = Account.from_json(entry["account"])
                self.broker = entry["broker"]
            case "order":
                order = from_plain(Order, entry["order"])
                self.records[order.client_order_id] = OrderRecord(order)
                asked = from_plain(Order, entry["asked"]) if "asked" in entry else order
                self.asked[order.client_order_id] = asked
            case "event":
                self._apply_event(from_plain(OrderEvent, entry["event"]))
            case "activity":
                kind = _ACTIVITIES.get(entry["type"])
                if kind is None:
                    raise StoreError(f"the journal holds an unknown activity {entry['type']!r}")
                self.opened().book(from_plain(kind, entry["activity"]))
            case kind:
                raise StoreError(
                    f"the journal holds an entry of kind {kind!r}, version {entry.get('version')}, "
                    f"where none is expected; this program reads version {JOURNAL_VERSION}"
                )

    def entries_of(self, happening: OrderEvent | Activity) -> list[dict[str, Any]]:
        """Return the entries that a broker's event adds to the journal, none where it is no news.

        A split brings the restatement of the orders that it changes.

        Raises
        ------
        OrderError
            The event contradicts what is known: see `OrderRecord.apply` and `Account.book`.
        """
        if isinstance(happening, OrderEvent):
            record = self.records[happening.client_order_id]
            return [event_entry(happening)] if is_news(record, happening) else []
        if self.opened().knows(happening):
            return []
        entries: list[dict[str, Any]] = [entry_of(happening)]
        if isinstance(happening, Split):
            of_symbol = self.book.of_symbol(happening.symbol)
            entries += map(event_entry, restatements(of_symbol, happening))
        return entries

    def _apply_event(self, event: OrderEvent) -> None:
        name = event.client_order_id
        record = self.records[name].apply(event)
        if event.fill is not None:
            self.opened().apply(event.fill)
        self.records[name] = record
        if name in self.book:
            self.book.update(record)
        elif record.status in OPEN:
            self.book.add(record)


def is_news(record: OrderRecord, event: OrderEvent) -> bool:
    """Tell whether an event changes a record; raise `OrderError` where it is not possible."""
    after = record.apply(event)
    if after is record:
        return False
    if event.kind is OrderEventKind.FILL:
        return True
    return (
        after.status,
        after.order,
        after.remaining_quantity,
        after.filled_quantity,
        after.broker_order_id,
        after.replaced_by,
    ) != (
        record.status,
        record.order,
        record.remaining_quantity,
        record.filled_quantity,
        record.broker_order_id,
        record.replaced_by,
    )


def open_entry(account: Account, broker: str) -> dict[str, Any]:
    """Return the first entry of a journal."""
    return {
        "kind": "open",
        "version": JOURNAL_VERSION,
        "broker": broker,
        "account": account.to_json(),
    }


def order_entry(order: Order, asked: Order) -> dict[str, Any]:
    """Return the entry of a new order, and of what was asked for where risk resized it."""
    entry = {"kind": "order", "order": to_plain(order)}
    return entry if asked == order else entry | {"asked": to_plain(asked)}


def event_entry(event: OrderEvent) -> dict[str, Any]:
    """Return the entry of something that happened to an order."""
    return {"kind": "event", "event": to_plain(event)}


def entry_of(happening: OrderEvent | Activity) -> dict[str, Any]:
    """Return the entry of an event or an activity."""
    if isinstance(happening, OrderEvent):
        return event_entry(happening)
    return {
        "kind": "activity",
        "type": type(happening).__name__,
        "activity": to_plain(happening),
    }
