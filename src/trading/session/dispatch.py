"""Carrying a decision out: cancels first, then orders by their numbers, each exactly once."""

from collections.abc import Callable
from decimal import Decimal

from trading.execution.lifecycle import FINAL
from trading.execution.order_manager import OrderManager
from trading.execution.orders import Order, OrderStatus
from trading.execution.pre_trade import Review
from trading.session.store import Pending


class ApprovedOrders:
    """The last check before the broker: an order goes out as a decision approved it, or not at all.

    The limits were applied by `risk.decision.decide_row` when the decision was made; this holds
    whoever calls the order manager to it.
    """

    def __init__(self) -> None:
        self._approved: dict[str, Order] = {}

    def approve(self, pending: Pending) -> None:
        """Let the accepted orders of a decision pass, and no others."""
        self._approved = {
            one.order.client_order_id: one.order
            for one in pending.orders
            if one.status is OrderStatus.ACCEPTED
        }

    async def review(self, order: Order) -> Review:
        """Return the whole quantity of an approved order, 0 of any other."""
        if self._approved.get(order.client_order_id) == order:
            return Review(order.quantity)
        return Review(Decimal(0), "no decision approved this order")


async def carry_out(
    manager: OrderManager, check: ApprovedOrders, pending: Pending, drain: Callable[[], None]
) -> set[str]:
    """Send what a decision asks for, and return the ids of the orders that it touched.

    Parameters
    ----------
    drain : takes the broker's events in, so that a cancel is known before an order follows it

    May be called again after it was interrupted: what was sent is not sent twice.
    """
    check.approve(pending)
    touched: set[str] = set()
    for name, reason in pending.cancels:
        if manager.record(name).status not in FINAL:
            await manager.cancel(name, reason)
        touched.add(name)
    drain()
    for one in pending.orders:
        if one.status is OrderStatus.ACCEPTED:
            await manager.submit(one.order)
            touched.add(one.order.client_order_id)
    drain()
    return touched
