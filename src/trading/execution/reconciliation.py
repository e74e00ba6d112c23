"""Bringing our books and the broker's together: pure functions from both to what was missed.

*Unknown is not rejected*: what we do not know is asked, never assumed. Whatever cannot be explained
by fills, activities and the states of our own orders is a problem, and with a problem nothing is
traded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.errors import OrderError
from trading.execution.account import Account
from trading.execution.activities import Activity, Split
from trading.execution.brokers.base import BrokerAccount, BrokerOrder
from trading.execution.lifecycle import (
    FINAL,
    OPEN,
    OrderEvent,
    OrderEventKind,
    OrderRecord,
)
from trading.execution.order_book import restatements
from trading.execution.orders import Fill, OrderStatus

CENT = Decimal("0.01")

_STATUS_EVENTS = {
    OrderStatus.CANCELLED: OrderEventKind.CANCEL,
    OrderStatus.EXPIRED: OrderEventKind.EXPIRE,
    OrderStatus.REJECTED: OrderEventKind.REJECT,
    OrderStatus.REPLACED: OrderEventKind.REPLACE,
}
_REQUESTS = {
    OrderStatus.PENDING_CANCEL: OrderEventKind.CANCEL_REQUEST,
    OrderStatus.PENDING_REPLACE: OrderEventKind.REPLACE_REQUEST,
}
_REFUSALS = {
    OrderStatus.PENDING_CANCEL: OrderEventKind.CANCEL_REJECT,
    OrderStatus.PENDING_REPLACE: OrderEventKind.REPLACE_REJECT,
}


@dataclass(frozen=True)
class BrokerState:
    """What a broker answered.

    Attributes
    ----------
    asked_at : when, aware, UTC
    open_orders : those that work at the broker
    looked_up : one answer for each of our open orders that is not among `open_orders`
    fills, activities : all of them, in their order
    account : cash and positions, asked for last
    """

    asked_at: datetime
    open_orders: tuple[BrokerOrder, ...]
    looked_up: Mapping[str, BrokerOrder | None]
    fills: tuple[Fill, ...]
    activities: tuple[Activity, ...]
    account: BrokerAccount


@dataclass(frozen=True)
class Reconciliation:
    """What we had missed, in its order, and what cannot be explained (one sentence each)."""

    missed: tuple[OrderEvent | Activity, ...]
    problems: tuple[str, ...]


def reconcile(
    records: Mapping[str, OrderRecord],
    account: Account,
    state: BrokerState,
    *,
    at_start: bool = False,
) -> Reconciliation:
    """Return what the broker knows and we do not; changes nothing.

    Parameters
    ----------
    records : our orders by client order id
    at_start : nobody waits for an answer any more, so a cancel or replacement that the broker does
        not know of did not arrive
    """
    ours = dict(records)
    views = {view.order.client_order_id: view for view in state.open_orders}
    money = missed_entries(records, account, state.fills, state.activities)
    missed, problems = list(money.missed), list(money.problems)
    for entry in missed:
        if isinstance(entry, OrderEvent):
            ours[entry.client_order_id] = ours[entry.client_order_id].apply(entry)
    for name in views:
        if name not in ours:
            problems.append(f"the broker works order {name!r}, which is not ours; cancel it there")
        elif ours[name].status in FINAL:
            problems.append(f"the broker works order {name}, which we hold as {ours[name].status}")
    for name, view in {**state.looked_up, **views}.items():
        record = ours.get(name)
        if record is None or record.status in FINAL:
            continue
        try:
            for event in catch_up(record, view, state.asked_at, at_start=at_start):
                record = record.apply(event)
                missed.append(event)
        except OrderError as error:
            problems.append(str(error))
        ours[name] = record
    problems += _disagreements(account, missed, state.account)
    return Reconciliation(tuple(missed), tuple(problems))


def catch_up(
    record: OrderRecord, view: BrokerOrder | None, at: datetime, *, at_start: bool
) -> tuple[OrderEvent, ...]:
    """Return the events that bring a record, whose fills are known, to the broker's view of it.

    Raises
    ------
    OrderError
        The two contradict each other: the broker lost a working order, or counts other fills.
    """
    name, status = record.client_order_id, record.status
    if view is None:
        if record.filled_quantity or status not in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            raise OrderError(f"the broker does not know order {name}, which we hold as {status}")
        return (OrderEvent(name, OrderEventKind.ABSENT, at, reason="it never reached the broker"),)
    events: list[OrderEvent] = []
    if view.status in OPEN and (view.order, view.remaining_quantity) != (
        record.order,
        record.remaining_quantity,
    ):
        events.append(_restatement(record, view, at))
    elif view.filled_quantity != record.filled_quantity and not (
        view.status is OrderStatus.FILLED or record.was_restated
    ):
        # An order that ended at the broker before a split is in old shares there.
        raise OrderError(
            f"the broker counts {view.filled_quantity} filled shares of order {name}, its fills "
            f"add up to {record.filled_quantity}"
        )
    for kind in _status_events(record, view, at_start=at_start):
        if kind in _STATUS_EVENTS.values() and not record.allows(kind):
            events.append(OrderEvent(name, OrderEventKind.LOSE, at))
        events.append(
            OrderEvent(
                name,
                kind,
                at,
                broker_order_id=view.broker_order_id,
                reason=view.reason,
                replaced_by=view.replaced_by,
            )
        )
    return tuple(events)


def _status_events(
    record: OrderRecord, view: BrokerOrder, *, at_start: bool
) -> tuple[OrderEventKind, ...]:
    if view.status in _STATUS_EVENTS:
        return (_STATUS_EVENTS[view.status],)
    if view.status is OrderStatus.FILLED:
        raise OrderError(
            f"the broker holds order {record.client_order_id} as FILLED, but its fills add up to "
            f"{record.filled_quantity} of {record.order.quantity}"
        )
    if record.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
        request = _REQUESTS.get(view.status)
        return (OrderEventKind.ACCEPT,) if request is None else (OrderEventKind.ACCEPT, request)
    if at_start and record.status in _REFUSALS and view.status is not record.status:
        return (_REFUSALS[record.status],)
    return ()


def _restatement(record: OrderRecord, view: BrokerOrder, at: datetime) -> OrderEvent:
    if view.order.quantity == record.order.quantity:
        raise OrderError(
            f"the broker counts {view.filled_quantity} filled and {view.remaining_quantity} "
            f"remaining shares of order {record.client_order_id}, we {record.filled_quantity} and "
            f"{record.remaining_quantity}"
        )
    return OrderEvent(
        record.client_order_id,
        OrderEventKind.RESTATE,
        at,
        reason="restated by the broker",
        restated=view.order,
        remaining_quantity=view.remaining_quantity,
        filled_quantity=view.filled_quantity,
    )


def missed_entries(
    records: Mapping[str, OrderRecord],
    account: Account,
    fills: Iterable[Fill],
    activities: Iterable[Activity],
) -> Reconciliation:
    """Return what the account has not counted, in the order in which it happened; splits first.

    A split brings the restatement of our orders. Money must be counted in its order: a dividend is
    paid on what was held when it was paid.
    """
    ours = dict(records)
    missed: list[OrderEvent | Activity] = []
    problems: list[str] = []
    entries: Iterable[Fill | Activity] = (*activities, *fills)
    for entry in sorted(entries, key=lambda entry: entry.timestamp):
        try:
            if account.knows(entry):
                continue
            if not isinstance(entry, Fill):
                missed.append(entry)
                events = restatements(ours.values(), entry) if isinstance(entry, Split) else []
            elif entry.client_order_id in ours:
                events = [fill_event(entry)]
            else:
                events = []
                problems.append(
                    f"the broker reports fill {entry.fill_id!r} of {entry.quantity} "
                    f"{entry.symbol} for order {entry.client_order_id!r}, which is not ours"
                )
            for event in events:
                ours[event.client_order_id] = ours[event.client_order_id].apply(event)
                missed.append(event)
        except OrderError as error:
            problems.append(str(error))
    return Reconciliation(tuple(missed), tuple(problems))


def fill_event(fill: Fill) -> OrderEvent:
    """Return a fill as an event of its order."""
    return OrderEvent(fill.client_order_id, OrderEventKind.FILL, fill.timestamp, fill=fill)


def _disagreements(
    account: Account, missed: Iterable[OrderEvent | Activity], theirs: BrokerAccount
) -> list[str]:
    """Return one sentence for each position, and for cash, that still differs."""
    after = Account.from_json(account.to_json())
    try:
        for entry in missed:
            if not isinstance(entry, OrderEvent):
                after.book(entry)
            elif entry.fill is not None:
                after.apply(entry.fill)
    except OrderError as error:
        return [str(error)]
    problems = []
    for symbol in sorted(after.positions.keys() | theirs.positions.keys()):
        ours = after.quantity(symbol)
        held = theirs.positions[symbol].quantity if symbol in theirs.positions else Decimal(0)
        if ours != held:
            problems.append(f"we hold {ours} {symbol} by our books, {held} by the broker's")
    if abs(after.cash - theirs.cash) >= CENT:
        problems.append(f"cash is {after.cash} USD by our books, {theirs.cash} by the broker's")
    return problems
