"""What an order may become: the table of legal transitions, and the record that follows it.

The states and events are those of FIX 4.4, appendix D ("Order state changes"), with three of our
own: UNKNOWN (a request timed out and nobody knows what became of it), the event LOSE that leads
there, and ABSENT (the broker is certain that it never had the order) that leads out of it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.errors import OrderError, TransitionError
from trading.execution.money import EXACT
from trading.execution.orders import Fill, Order, OrderStatus


class OrderEventKind(StrEnum):
    """What can happen to an order."""

    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    FILL = "FILL"
    CANCEL_REQUEST = "CANCEL_REQUEST"
    CANCEL = "CANCEL"
    CANCEL_REJECT = "CANCEL_REJECT"
    REPLACE_REQUEST = "REPLACE_REQUEST"
    REPLACE = "REPLACE"
    REPLACE_REJECT = "REPLACE_REJECT"
    RESTATE = "RESTATE"
    EXPIRE = "EXPIRE"
    LOSE = "LOSE"
    ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order.

    Attributes
    ----------
    client_order_id : the order that it happened to
    kind : what happened
    timestamp : aware, UTC
    fill : the execution, of FILL only
    broker_order_id : the broker's name of the order, where it gave one
    reason : a word or a sentence, of REJECT, CANCEL, EXPIRE, LOSE, ...
    replaced_by : the client order id of the replacement, of REPLACE_REQUEST and REPLACE
    restated : the order after a split, of RESTATE only; its quantity is the new original quantity
    remaining_quantity, filled_quantity : shares after a split, of RESTATE only
    """

    client_order_id: str
    kind: OrderEventKind
    timestamp: datetime
    fill: Fill | None = None
    broker_order_id: str = ""
    reason: str = ""
    replaced_by: str = ""
    restated: Order | None = None
    remaining_quantity: Decimal | None = None
    filled_quantity: Decimal | None = None


_S = OrderStatus
_E = OrderEventKind

FINAL = frozenset({_S.FILLED, _S.CANCELLED, _S.REPLACED, _S.EXPIRED, _S.REJECTED})
WORKING = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.PENDING_REPLACE})
# Where the broker may have the order, and so where money may move.
OPEN = WORKING | {_S.SUBMITTED, _S.UNKNOWN}

_RESUMES = (_S.ACCEPTED, _S.PARTIALLY_FILLED)
_FILLS = (_S.PARTIALLY_FILLED, _S.FILLED)

TRANSITIONS: dict[OrderStatus, dict[OrderEventKind, tuple[OrderStatus, ...]]] = {
    _S.NEW: {
        _E.SUBMIT: (_S.SUBMITTED,),
        _E.REJECT: (_S.REJECTED,),
        _E.CANCEL: (_S.CANCELLED,),
    },
    _S.SUBMITTED: {
        _E.ACCEPT: (_S.ACCEPTED,),
        _E.REJECT: (_S.REJECTED,),
        _E.FILL: _FILLS,
        _E.CANCEL_REQUEST: (_S.PENDING_CANCEL,),
        _E.CANCEL: (_S.CANCELLED,),
        _E.RESTATE: (_S.SUBMITTED,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
        _E.ABSENT: (_S.NEW,),
    },
    _S.ACCEPTED: {
        _E.ACCEPT: (_S.ACCEPTED,),
        _E.REJECT: (_S.REJECTED,),
        _E.FILL: _FILLS,
        _E.CANCEL_REQUEST: (_S.PENDING_CANCEL,),
        _E.CANCEL: (_S.CANCELLED,),
        _E.CANCEL_REJECT: (_S.ACCEPTED,),
        _E.REPLACE_REQUEST: (_S.PENDING_REPLACE,),
        _E.REPLACE: (_S.REPLACED,),
        _E.REPLACE_REJECT: (_S.ACCEPTED,),
        _E.RESTATE: (_S.ACCEPTED,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
    },
    _S.PARTIALLY_FILLED: {
        _E.ACCEPT: (_S.PARTIALLY_FILLED,),
        _E.FILL: _FILLS,
        _E.CANCEL_REQUEST: (_S.PENDING_CANCEL,),
        _E.CANCEL: (_S.CANCELLED,),
        _E.CANCEL_REJECT: (_S.PARTIALLY_FILLED,),
        _E.REPLACE_REQUEST: (_S.PENDING_REPLACE,),
        _E.REPLACE: (_S.REPLACED,),
        _E.REPLACE_REJECT: (_S.PARTIALLY_FILLED,),
        _E.RESTATE: (_S.PARTIALLY_FILLED,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
    },
    _S.PENDING_CANCEL: {
        _E.ACCEPT: (_S.PENDING_CANCEL,),
        _E.REJECT: (_S.REJECTED,),
        _E.FILL: (_S.PENDING_CANCEL, _S.FILLED),
        _E.CANCEL: (_S.CANCELLED,),
        _E.CANCEL_REJECT: _RESUMES,
        _E.REPLACE: (_S.REPLACED,),
        _E.RESTATE: (_S.PENDING_CANCEL,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
    },
    _S.PENDING_REPLACE: {
        _E.ACCEPT: (_S.PENDING_REPLACE,),
        _E.FILL: (_S.PENDING_REPLACE, _S.FILLED),
        _E.CANCEL: (_S.CANCELLED,),
        _E.REPLACE: (_S.REPLACED,),
        _E.REPLACE_REJECT: _RESUMES,
        _E.RESTATE: (_S.PENDING_REPLACE,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
    },
    # A fill shows that the broker has the order, but not what became of a cancel or a replacement.
    _S.UNKNOWN: {
        _E.ACCEPT: _RESUMES,
        _E.REJECT: (_S.REJECTED,),
        _E.FILL: (_S.UNKNOWN, _S.FILLED),
        _E.CANCEL: (_S.CANCELLED,),
        _E.CANCEL_REJECT: (_S.UNKNOWN,),
        _E.REPLACE: (_S.REPLACED,),
        _E.REPLACE_REJECT: (_S.UNKNOWN,),
        _E.RESTATE: (_S.UNKNOWN,),
        _E.EXPIRE: (_S.EXPIRED,),
        _E.LOSE: (_S.UNKNOWN,),
        _E.ABSENT: (_S.NEW,),
    },
    # A final order still hears late and repeated news. Late fills move money and are never lost;
    # one that completes the order shows that the cancel or the expiry came too late.
    _S.FILLED: {
        _E.RESTATE: (_S.FILLED,),
        _E.ACCEPT: (_S.FILLED,),
        _E.CANCEL_REJECT: (_S.FILLED,),
        _E.REPLACE_REJECT: (_S.FILLED,),
    },
    _S.CANCELLED: {
        _E.RESTATE: (_S.CANCELLED,),
        _E.ACCEPT: (_S.CANCELLED,),
        _E.FILL: (_S.CANCELLED, _S.FILLED),
        _E.CANCEL: (_S.CANCELLED,),
        _E.CANCEL_REJECT: (_S.CANCELLED,),
        _E.REPLACE_REJECT: (_S.CANCELLED,),
    },
    _S.EXPIRED: {
        _E.RESTATE: (_S.EXPIRED,),
        _E.ACCEPT: (_S.EXPIRED,),
        _E.FILL: (_S.EXPIRED, _S.FILLED),
        _E.CANCEL_REJECT: (_S.EXPIRED,),
        _E.REPLACE_REJECT: (_S.EXPIRED,),
        _E.EXPIRE: (_S.EXPIRED,),
    },
    _S.REPLACED: {
        _E.RESTATE: (_S.REPLACED,),
        _E.ACCEPT: (_S.REPLACED,),
        _E.FILL: (_S.REPLACED,),
        _E.CANCEL_REJECT: (_S.REPLACED,),
        _E.REPLACE: (_S.REPLACED,),
    },
    _S.REJECTED: {
        _E.RESTATE: (_S.REJECTED,),
        _E.ACCEPT: (_S.REJECTED,),
        _E.REJECT: (_S.REJECTED,),
        _E.CANCEL_REJECT: (_S.REJECTED,),
        _E.REPLACE_REJECT: (_S.REJECTED,),
    },
}


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order and what has become of it; `apply` returns the next record.

    Attributes
    ----------
    order : as it was meant, or restated by a split
    status : where it stands
    filled_quantity, remaining_quantity : shares; they add up to the order's quantity, except that
        a split rounds each of the three by itself
    broker_order_id : the broker's name of it, empty until the broker gave one
    reason : why it was rejected, cancelled, expired or lost
    replaced_by : the client order id of the order that replaces it
    history : every event that was applied, oldest first
    """

    order: Order
    status: OrderStatus = OrderStatus.NEW
    filled_quantity: Decimal = Decimal(0)
    remaining_quantity: Decimal = Decimal(-1)
    broker_order_id: str = ""
    reason: str = ""
    replaced_by: str = ""
    history: tuple[OrderEvent, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.remaining_quantity < 0:
            object.__setattr__(self, "remaining_quantity", self.order.quantity)

    @property
    def client_order_id(self) -> str:
        """The order's id."""
        return self.order.client_order_id

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The executions, in the order in which they became known."""
        return tuple(event.fill for event in self.history if event.fill is not None)

    @property
    def was_restated(self) -> bool:
        """Whether a split has changed it."""
        return any(event.kind is OrderEventKind.RESTATE for event in self.history)

    @property
    def sent_at(self) -> datetime | None:
        """When it was last sent to the broker; None where it never was."""
        times = [e.timestamp for e in self.history if e.kind is OrderEventKind.SUBMIT]
        return times[-1] if times else None

    def was_sent_before(self, moment: datetime) -> bool:
        """Tell whether the broker had it before `moment`, so that a split of then concerns it."""
        return self.sent_at is not None and self.sent_at < moment

    @property
    def average_price(self) -> Decimal | None:
        """USD a share over all fills as they were reported, to 28 digits; None without a fill."""
        fills = self.fills
        if not fills:
            return None
        value = sum((EXACT.multiply(f.quantity, f.price) for f in fills), Decimal(0))
        return value / sum((f.quantity for f in fills), Decimal(0))

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected of the order."""
        return self.status in FINAL

    def allows(self, kind: OrderEventKind) -> bool:
        """Tell whether the table knows `kind` in this state."""
        return kind in TRANSITIONS[self.status]

    def apply(self, event: OrderEvent) -> "OrderRecord":
        """Return the record after `event`; a fill or restatement that is known changes nothing.

        Raises
        ------
        TransitionError
            The table does not allow the event in this state.
        OrderError
            The event belongs to another order, or its fill contradicts the order: another symbol
            or side, more than remains, a known fill id with other content.
        """
        if event.client_order_id != self.client_order_id:
            raise OrderError(
                f"an event of order {event.client_order_id!r} was applied to "
                f"{self.client_order_id!r}; look the record up by the event's id"
            )
        if event.timestamp.tzinfo is None:
            raise OrderError(f"{event.kind} of {self.client_order_id} has a naive timestamp")
        if (event.kind is OrderEventKind.FILL) != (event.fill is not None):
            raise OrderError(f"{event.kind} of {self.client_order_id}: a FILL, and only a FILL, "
                             "carries a fill")  # fmt: skip
        if event.fill is not None and self._knows(event.fill):
            return self
        if event.kind is OrderEventKind.RESTATE and self._restated_since(event):
            return self
        allowed = TRANSITIONS[self.status].get(event.kind)
        if allowed is None:
            legal = ", ".join(TRANSITIONS[self.status])
            raise TransitionError(
                f"order {self.client_order_id} is {self.status}: {event.kind} is not possible "
                f"(possible: {legal})"
            )
        return self._next(event, allowed)

    def _next(self, event: OrderEvent, allowed: tuple[OrderStatus, ...]) -> "OrderRecord":
        changed = self
        if event.fill is not None:
            changed = self._filled(event.fill)
        elif event.kind is OrderEventKind.RESTATE:
            changed = self._restated(event)
        elif event.kind is OrderEventKind.REJECT and self.filled_quantity:
            raise TransitionError(
                f"order {self.client_order_id} has filled {self.filled_quantity} shares; "
                "it cannot be rejected any more"
            )
        elif event.kind is OrderEventKind.ABSENT and self.filled_quantity:
            raise TransitionError(
                f"order {self.client_order_id} has filled {self.filled_quantity} shares; "
                "the broker cannot be without it"
            )
        return replace(
            changed,
            status=changed._target(event, allowed),
            broker_order_id=event.broker_order_id or self.broker_order_id,
            reason=event.reason or self.reason,
            replaced_by=event.replaced_by or self.replaced_by,
            history=(*self.history, event),
        )

    def _target(self, event: OrderEvent, allowed: tuple[OrderStatus, ...]) -> OrderStatus:
        if len(allowed) == 1:
            return allowed[0]
        incomplete, complete = allowed
        if event.kind is OrderEventKind.FILL:
            return incomplete if self.remaining_quantity else complete
        return complete if self.filled_quantity else incomplete

    def _knows(self, fill: Fill) -> bool:
        for known in self.fills:
            if known.fill_id == fill.fill_id:
                if known != fill:
                    raise OrderError(
                        f"fill {fill.fill_id!r} of order {self.client_order_id} came twice with "
                        f"different content: {known} and {fill}"
                    )
                return True
        return False

    def _restated_since(self, event: OrderEvent) -> bool:
        """Tell whether a restatement is known, is in a later one, or comes after the end."""
        return self.is_final or any(
            known.kind is OrderEventKind.RESTATE and known.timestamp >= event.timestamp
            for known in self.history
        )

    def _filled(self, fill: Fill) -> "OrderRecord":
        order = self.order
        if (fill.client_order_id, fill.symbol, fill.side) != (
            order.client_order_id,
            order.symbol,
            order.side,
        ):
            raise OrderError(
                f"fill {fill.fill_id!r} is a {fill.side} of {fill.symbol} for order "
                f"{fill.client_order_id!r}; expected a {order.side} of {order.symbol} for "
                f"{order.client_order_id!r}"
            )
        if not (fill.quantity.is_finite() and fill.quantity > 0):
            raise OrderError(f"fill {fill.fill_id!r} has the quantity {fill.quantity}, not > 0")
        if fill.quantity > self.remaining_quantity:
            raise OrderError(
                f"fill {fill.fill_id!r} of {fill.quantity} shares overfills order "
                f"{order.client_order_id}: {self.remaining_quantity} of {order.quantity} remain"
            )
        return replace(
            self,
            filled_quantity=self.filled_quantity + fill.quantity,
            remaining_quantity=self.remaining_quantity - fill.quantity,
        )

    def _restated(self, event: OrderEvent) -> "OrderRecord":
        restated, remaining, filled = (
            event.restated,
            event.remaining_quantity,
            event.filled_quantity,
        )
        if restated is None or remaining is None or filled is None or remaining <= 0 or filled < 0:
            raise OrderError(
                f"RESTATE of {self.client_order_id} needs the restated order, what remains (> 0) "
                "and what is filled (>= 0); an order of which nothing remains is cancelled"
            )
        if (restated.client_order_id, restated.symbol, restated.side) != (
            self.order.client_order_id,
            self.order.symbol,
            self.order.side,
        ):
            raise OrderError(f"RESTATE of {self.client_order_id} holds another order: {restated}")
        return replace(self, order=restated, remaining_quantity=remaining, filled_quantity=filled)
