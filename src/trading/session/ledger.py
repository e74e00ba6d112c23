"""What a session has done, read from its home: the tables that a backtest's result has, too."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from trading.errors import ConflictError, SessionError
from trading.execution.journal import Journal
from trading.execution.lifecycle import OrderRecord
from trading.execution.order_state import OrderState
from trading.execution.orders import OrderStatus
from trading.session.decision import PlannedOrder
from trading.session.home import SessionHome
from trading.session.state import SessionState
from trading.session.store import SessionStore

ORDER_COLUMNS = (
    "order_number",
    "client_order_id",
    "timestamp",
    "symbol",
    "strategy_id",
    "side",
    "quantity",
    "type",
    "time_in_force",
    "limit_price",
    "stop_price",
    "status",
    "filled_quantity",
    "reason",
)
FILL_COLUMNS = (
    "order_number",
    "timestamp",
    "symbol",
    "side",
    "quantity",
    "price",
    "commission",
    "slippage_charge",
)


class SessionLedger:
    """The orders, fills and account of a session, as far as they are on the disk.

    Attributes
    ----------
    state : where the session stands
    commands : of operators, that wait for the session
    books : the order manager's records and account; its account is None before the first start

    Raises
    ------
    SessionError
        No session was ever started here.
    StoreError
        The journal is damaged.
    """

    def __init__(self, home: SessionHome) -> None:
        if not home.exists:
            raise SessionError(
                f"no session was ever started in {home.path}; start one with `trading run`"
            )
        with closing(SessionStore(home.state_file)) as store:
            self.state: SessionState = store.state()
            self.session: dict[str, Any] = store.fact("session", {})
            self._planned = store.planned_orders()
            self._curve = store.curve()
            self._events = store.risk_events()
            self.commands = tuple(kind for _, kind in store.commands())
        self.books = OrderState.recovered(_entries(home.journal_file))

    @property
    def curve(self) -> pd.DataFrame:
        """The account after every bar: timestamp, session, and USD as integers of micro-dollars."""
        return pd.DataFrame(
            [{name: getattr(one, name) for name in one.__slots__} for one in self._curve],
            columns=["timestamp", "session", "equity", "cash", "gross", "net"],
        )

    @property
    def orders(self) -> pd.DataFrame:
        """Every order, in the order of acceptance or rejection; the columns of a backtest's."""
        rows = [
            _order(one, self.books.records.get(one.order.client_order_id)) for one in self._planned
        ]
        return pd.DataFrame(rows, columns=list(ORDER_COLUMNS))

    @property
    def fills(self) -> pd.DataFrame:
        """Every fill, by order; the columns of a backtest's, as far as a broker tells them."""
        numbers = {one.order.client_order_id: one.number for one in self._planned}
        rows = [
            {
                "order_number": numbers[record.client_order_id],
                "timestamp": fill.timestamp,
                "symbol": fill.symbol,
                "side": fill.side.value,
                "quantity": float(fill.quantity),
                "price": float(fill.price),
                "commission": float(fill.commission),
                "slippage_charge": float(fill.slippage_charge),
            }
            for record in self.books.records.values()
            for fill in record.fills
        ]
        return pd.DataFrame(rows, columns=list(FILL_COLUMNS))

    @property
    def risk_events(self) -> pd.DataFrame:
        """Every limit that tripped; the columns of a backtest's."""
        names = (
            "symbol",
            "limit",
            "outcome",
            "value",
            "limit_value",
            "quantity_before",
            "quantity_after",
        )
        rows = [
            {"timestamp": stamp} | {name: getattr(event, name) for name in names}
            for stamp, event in self._events
        ]
        return pd.DataFrame(rows, columns=["timestamp", *names])


def _order(planned: PlannedOrder, record: OrderRecord | None) -> dict[str, Any]:
    """Return an order's row; one that was never sent stands as it was decided."""
    order = planned.order if record is None else record.order
    status, filled, reason = planned.status, 0.0, planned.reason
    if record is not None:
        status, filled = record.status, float(record.filled_quantity)
        reason = record.reason if record.status is not OrderStatus.FILLED else ""
        reason = reason or planned.reason
    return {
        "order_number": planned.number,
        "client_order_id": order.client_order_id,
        "timestamp": order.submitted_at,
        "symbol": order.symbol,
        "strategy_id": order.strategy_id,
        "side": order.side.value,
        "quantity": float(order.quantity),
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "limit_price": None if order.limit_price is None else float(order.limit_price),
        "stop_price": None if order.stop_price is None else float(order.stop_price),
        "status": status.value,
        "filled_quantity": filled,
        "reason": reason,
    }


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of the order manager's journal, which a session may be writing to."""
    try:
        with Journal(path) as journal:
            return list(journal.entries)
    except ConflictError:
        # The writer holds the file; a line that it has not finished has no line end.
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        return [json.loads(line)["entry"] for line in whole.splitlines()]


def known_symbols(home: SessionHome) -> tuple[str, ...]:
    """Return the symbols that a session began with; none where it has not begun."""
    if not home.exists:
        return ()
    with closing(SessionStore(home.state_file)) as store:
        return tuple(store.fact("session", {}).get("symbols", ()))
