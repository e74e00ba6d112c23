"""What a session decided and recorded: one SQLite file, changed in whole transactions only."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from trading.errors import SessionError
from trading.execution.database_file import DatabaseFile
from trading.execution.encoding import from_plain, to_plain
from trading.execution.orders import Order, OrderStatus
from trading.session.decision import Decision, PlannedOrder, RiskEvent
from trading.session.state import SessionState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions
    (decision INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, cancels TEXT NOT NULL,
     carried_out INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders
    (number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE,
     decision INTEGER NOT NULL, planned TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS orders_decision ON orders (decision);
CREATE TABLE IF NOT EXISTS risk_events
    (sequence INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, event TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS curve
    (timestamp TEXT PRIMARY KEY, session TEXT NOT NULL, equity INTEGER NOT NULL,
     cash INTEGER NOT NULL, gross INTEGER NOT NULL, net INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS commands
    (command INTEGER PRIMARY KEY, kind TEXT NOT NULL, asked_at TEXT NOT NULL,
     done_at TEXT) STRICT;
CREATE TABLE IF NOT EXISTS logged (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS log_lines (sequence INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The account after one bar, micro-dollars; `session` is the exchange's date, ISO 8601."""

    timestamp: datetime
    session: str
    equity: int
    cash: int
    gross: int
    net: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that may not have been carried out to the end."""

    decision: int
    timestamp: datetime
    orders: tuple[PlannedOrder, ...]
    cancels: tuple[tuple[str, str], ...]


class SessionStore(DatabaseFile):
    """The database of one session; see `DatabaseFile` for its errors."""

    what = "the session's file"
    error = SessionError
    schema = _SCHEMA

    def state(self) -> SessionState:
        """Return the state after the last decision; a new one before the first."""
        plain = self.fact("state")
        return SessionState() if plain is None else SessionState.from_json(plain)

    def keep_state(self, state: SessionState) -> None:
        """Keep the state."""
        self.keep_facts(state=state.to_json())

    def keep_decision(self, decision: Decision) -> None:
        """Keep a decision, its orders, its risk events and the state after it."""
        number, stamp = decision.state.decisions, decision.timestamp.isoformat()
        self._database.execute(
            "INSERT INTO decisions VALUES (?, ?, ?, 0)",
            (number, stamp, json.dumps(decision.cancels)),
        )
        self._database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            [
                (
                    one.number,
                    one.order.client_order_id,
                    number,
                    json.dumps(
                        {
                            "order": to_plain(one.order),
                            "status": one.status,
                            "reason": one.reason,
                        }
                    ),
                )
                for one in decision.orders
            ],
        )
        self._database.executemany(
            "INSERT INTO risk_events (timestamp, event) VALUES (?, ?)",
            [(stamp, json.dumps(asdict(event))) for event in decision.events],
        )
        self.keep_state(decision.state)

    def pending(self) -> Pending | None:
        """Return the decision that may not have been carried out; None where all were."""
        rows = self._read(
            "SELECT decision, timestamp, cancels FROM decisions WHERE NOT carried_out"
        )
        if not rows:
            return None
        number, stamp, cancels = rows[0]
        planned = self._read(
            "SELECT number, planned FROM orders WHERE decision = ? ORDER BY number", number
        )
        return Pending(
            number,
            datetime.fromisoformat(stamp),
            tuple(_planned(*row) for row in planned),
            tuple((name, reason) for name, reason in json.loads(cancels)),
        )

    def carried_out(self, decision: int) -> None:
        """Note that a decision was carried out."""
        self._database.execute(
            "UPDATE decisions SET carried_out = 1 WHERE decision = ?", (decision,)
        )

    def planned_orders(self) -> list[PlannedOrder]:
        """Return every order that was accepted or rejected, by number."""
        return [
            _planned(*row)
            for row in self._read("SELECT number, planned FROM orders ORDER BY number")
        ]

    def numbers(self, client_order_ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers of orders."""
        query = "SELECT number FROM orders WHERE client_order_id = ?"
        rows = {name: self._read(query, name) for name in client_order_ids}
        return {name: int(found[0][0]) for name, found in rows.items() if found}

    def risk_events(self) -> list[tuple[datetime, RiskEvent]]:
        """Return every limit that tripped, in order."""
        rows = self._read("SELECT timestamp, event FROM risk_events ORDER BY sequence")
        return [
            (datetime.fromisoformat(stamp), RiskEvent(**json.loads(text))) for stamp, text in rows
        ]

    def keep_point(self, point: CurvePoint) -> None:
        """Keep the account after a bar."""
        self._database.execute(
            "INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?, ?, ?)",
            (
                point.timestamp.isoformat(),
                point.session,
                point.equity,
                point.cash,
                point.gross,
                point.net,
            ),
        )

    def curve(self) -> list[CurvePoint]:
        """Return the account after every bar, in time."""
        rows = self._read("SELECT * FROM curve ORDER BY timestamp")
        return [CurvePoint(datetime.fromisoformat(row[0]), *row[1:]) for row in rows]

    def last_bar(self) -> datetime | None:
        """Return the last bar that was worked through; None before the first."""
        rows = self._read("SELECT MAX(timestamp) FROM curve")
        return None if rows[0][0] is None else datetime.fromisoformat(rows[0][0])

    def ask(self, kind: str) -> None:
        """Leave a command for the session."""
        with self.change():
            self._database.execute(
                "INSERT INTO commands (kind, asked_at) VALUES (?, ?)",
                (kind, datetime.now(UTC).isoformat()),
            )

    def commands(self) -> list[tuple[int, str]]:
        """Return the commands that wait, by number."""
        rows = self._read(
            "SELECT command, kind FROM commands WHERE done_at IS NULL ORDER BY command"
        )
        return [(int(number), str(kind)) for number, kind in rows]

    def command_done(self, command: int, at: datetime) -> None:
        """Note that a command was followed."""
        self._database.execute(
            "UPDATE commands SET done_at = ? WHERE command = ?", (at.isoformat(), command)
        )

    def logged(self, name: str) -> int:
        """Return how many events of an order, or of `activities`, the event log has."""
        rows = self._read("SELECT count FROM logged WHERE name = ?", name)
        return int(rows[0][0]) if rows else 0

    def keep_logged(self, name: str, count: int) -> None:
        """Note how many events of an order, or of `activities`, the event log has."""
        self._database.execute("INSERT OR REPLACE INTO logged VALUES (?, ?)", (name, count))

    def keep_lines(self, lines: Iterable[dict[str, Any]]) -> None:
        """Give lines of the event log their numbers and keep them until they are written there."""
        sequence = int(self.fact("sequence", 0))
        rows = []
        for line in lines:
            sequence += 1
            rows.append((sequence, json.dumps({"sequence": sequence} | line, allow_nan=False)))
        if rows:
            self._database.executemany("INSERT INTO log_lines VALUES (?, ?)", rows)
            self.keep_facts(sequence=sequence)

    def lines(self) -> list[tuple[int, str]]:
        """Return the lines that may not have been written to the event log."""
        rows = self._read("SELECT sequence, line FROM log_lines ORDER BY sequence")
        return [(int(number), str(line)) for number, line in rows]

    def forget_lines(self, upto: int) -> None:
        """Forget lines that the event log has."""
        self._database.execute("DELETE FROM log_lines WHERE sequence <= ?", (upto,))


def _planned(number: int, text: str) -> PlannedOrder:
    plain = json.loads(text)
    order = from_plain(Order, plain["order"])
    return PlannedOrder(number, order, OrderStatus(plain["status"]), plain["reason"])
