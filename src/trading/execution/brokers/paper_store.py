"""The file of the paper broker: one SQLite database, changed in whole transactions only."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from trading.errors import BrokerStopped
from trading.execution.activities import Activity, BorrowFee, Closing, Dividend, Split, Transfer
from trading.execution.book import Records
from trading.execution.database_file import DatabaseFile
from trading.execution.encoding import from_plain, to_plain
from trading.execution.orders import Fill, Order, OrderStatus

_SCHEMA = """
CREATE TABLE IF NOT EXISTS arrays
    (name TEXT PRIMARY KEY, type TEXT NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders
    (number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, working INTEGER NOT NULL,
     submitted TEXT NOT NULL, present TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS orders_working ON orders (number) WHERE working;
CREATE TABLE IF NOT EXISTS entries
    (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, second INTEGER NOT NULL,
     kind TEXT NOT NULL, entry TEXT NOT NULL) STRICT;
"""
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Fill, Split, Dividend, BorrowFee, Closing, Transfer)
}


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is stored.

    Attributes
    ----------
    number : in the order of submission, from 0
    submitted : as it came; the same order again is recognised by it
    order : as it works now, restated after splits
    filled_micros, remaining_micros : micro-shares
    triggered, looked_at : state of the matching, see `execution.book.Orders`
    arrives_at : when it can fill from; None: at once
    row : the bar after which it came, counted by the broker
    volatility, dollar_volume : known of the symbol when it came; NaN where unknown
    """

    number: int
    submitted: Order
    order: Order
    status: OrderStatus
    filled_micros: int
    remaining_micros: int
    reason: str
    replaced_by: str
    updated_at: datetime
    triggered: int
    looked_at: int
    arrives_at: datetime | None
    row: int
    volatility: float
    dollar_volume: float

    @property
    def working(self) -> bool:
        """Whether it may still fill."""
        return self.status in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


class PaperStore(DatabaseFile):
    """The database of one paper account; see `DatabaseFile` for its errors."""

    what = "the paper account"
    error = BrokerStopped
    schema = _SCHEMA

    def book(
        self, account: np.dtype[Any], symbols: np.dtype[Any]
    ) -> tuple[Records, Records] | None:
        """Return the account's record `(1,)` and those of the symbols `(N,)`; None in a new file.

        Raises
        ------
        BrokerStopped
            They were written by a version of the program whose records are others.
        """
        found = []
        for name, kind in (("account", account), ("symbols", symbols)):
            rows = self._read("SELECT type, value FROM arrays WHERE name = ?", name)
            if not rows:
                return None
            if rows[0][0] != str(kind):
                raise BrokerStopped(
                    f"the paper account {self._path} was written by another version of this "
                    "program; go on with that one, or start a new account in another home"
                )
            found.append(np.frombuffer(rows[0][1], dtype=kind).copy())
        return found[0], found[1]

    def keep_book(self, account: Records, symbols: Records) -> None:
        """Keep the account's record and those of the symbols."""
        rows = [
            (name, str(records.dtype), records.tobytes())
            for name, records in (("account", account), ("symbols", symbols))
        ]
        self._database.executemany("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?)", rows)

    def keep_orders(self, orders: Iterable[OrderRow]) -> None:
        """Keep orders, new or changed."""
        rows = [
            (
                row.number,
                row.submitted.client_order_id,
                int(row.working),
                json.dumps(to_plain(row.submitted)),
                json.dumps(_present(row)),
            )
            for row in orders
        ]
        self._database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", rows)

    def working_orders(self) -> list[OrderRow]:
        """Return the orders that may still fill, by number."""
        rows = self._read(
            "SELECT number, submitted, present FROM orders WHERE working ORDER BY number"
        )
        return [_order_row(*row) for row in rows]

    def order(self, client_order_id: str) -> OrderRow | None:
        """Return one order; None where there is none."""
        rows = self._read(
            "SELECT number, submitted, present FROM orders WHERE client_order_id = ?",
            client_order_id,
        )
        return _order_row(*rows[0]) if rows else None

    def order_count(self) -> int:
        """Return how many orders ever came."""
        return int(self._read("SELECT COALESCE(MAX(number) + 1, 0) FROM orders")[0][0])

    def keep_entries(self, entries: Iterable[Fill | Activity]) -> None:
        """Add fills and activities, in their order."""
        rows = [
            (
                entry.fill_id if isinstance(entry, Fill) else entry.activity_id,
                int(entry.timestamp.timestamp()),
                type(entry).__name__,
                json.dumps(to_plain(entry)),
            )
            for entry in entries
        ]
        self._database.executemany(
            "INSERT INTO entries (id, second, kind, entry) VALUES (?, ?, ?, ?)", rows
        )

    def entries(self, since: datetime | None = None) -> list[Fill | Activity]:
        """Return fills and activities from `since` on (None: all), in their order."""
        second = -(2**62) if since is None else int(since.timestamp())
        rows = self._read(
            "SELECT kind, entry FROM entries WHERE second >= ? ORDER BY sequence", second
        )
        return [from_plain(_KINDS[kind], json.loads(text)) for kind, text in rows]


def _present(row: OrderRow) -> dict[str, Any]:
    return {
        "order": to_plain(row.order),
        "status": row.status,
        "filled_micros": row.filled_micros,
        "remaining_micros": row.remaining_micros,
        "reason": row.reason,
        "replaced_by": row.replaced_by,
        "updated_at": row.updated_at.isoformat(),
        "triggered": row.triggered,
        "looked_at": row.looked_at,
        "arrives_at": None if row.arrives_at is None else row.arrives_at.isoformat(),
        "row": row.row,
        "volatility": row.volatility,
        "dollar_volume": row.dollar_volume,
    }


def _order_row(number: int, submitted: str, present: str) -> OrderRow:
    plain = json.loads(present)
    arrives = plain["arrives_at"]
    plain |= {
        "order": from_plain(Order, plain["order"]),
        "status": OrderStatus(plain["status"]),
        "updated_at": datetime.fromisoformat(plain["updated_at"]),
        "arrives_at": None if arrives is None else datetime.fromisoformat(arrives),
    }
    return OrderRow(number=number, submitted=from_plain(Order, json.loads(submitted)), **plain)
