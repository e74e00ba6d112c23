"""A durable queue of deliveries: what the cloud has promised to do, but has not yet done.

An accepted event (a mail's Send event, `PutEvents`, an asynchronous invocation) is written here
before its request is answered, and leaves only after its delivery succeeded or was given up. A
killed cloud therefore delivers it at its next start: at least once, never silently not at all.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    due REAL NOT NULL,
    error TEXT
)
"""
INDEX = "CREATE INDEX IF NOT EXISTS outbox_due ON outbox (state, due)"


@dataclass(frozen=True)
class Delivery:
    """One thing to deliver.

    Attributes
    ----------
    kind
        Which deliverer handles it, such as `lambda` or `ses`.
    body
        What it needs, JSON values only.
    """

    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Pending:
    """A delivery that is due, as it lies in the outbox.

    Attributes
    ----------
    id
        Row of the outbox.
    delivery
        What is to be delivered.
    attempts
        Tries that failed so far.
    created
        When it was accepted, Unix seconds.
    """

    id: int
    delivery: Delivery
    attempts: int
    created: float


def prepare(connection: sqlite3.Connection) -> None:
    """Create the outbox's table in a database, which may be another journal's."""
    connection.execute(SCHEMA)
    connection.execute(INDEX)


def append(connection: sqlite3.Connection, delivery: Delivery, *, delay: float = 0.0) -> None:
    """Add a delivery inside the caller's open transaction, due after `delay` seconds.

    A service that journals in the same database so makes its record and its event one atomic step.
    """
    now = time.time()
    connection.execute(
        "INSERT INTO outbox (kind, body, created, due) VALUES (?, ?, ?, ?)",
        (delivery.kind, json.dumps(delivery.body), now, now + delay),
    )


class Outbox:
    """The deliveries of one cloud, in an SQLite file.

    Parameters
    ----------
    path
        Database file; created with its table when absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._changed = threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        with self._transaction() as connection:
            prepare(connection)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    def close(self) -> None:
        """Close the database; nothing may be enqueued afterwards."""
        _OPEN.pop(self._path, None)
        with self._lock:
            self._connection.close()

    def enqueue(self, *deliveries: Delivery, delay: float = 0.0) -> None:
        """Accept deliveries durably, all or none, due after `delay` seconds."""
        with self._transaction() as connection:
            for delivery in deliveries:
                append(connection, delivery, delay=delay)
        self.wake()

    def due(self, *, excluding: frozenset[int] = frozenset()) -> list[Pending]:
        """Return the pending deliveries whose time has come, oldest first, but `excluding`."""
        rows = self._read(
            "SELECT id, kind, body, attempts, created FROM outbox "
            "WHERE state = 'pending' AND due <= ? ORDER BY id",
            (time.time(),),
        )
        return [
            Pending(row[0], Delivery(row[1], json.loads(row[2])), row[3], row[4])
            for row in rows
            if row[0] not in excluding
        ]

    def seconds_to_next(self, *, excluding: frozenset[int] = frozenset()) -> float | None:
        """Return how long until the next delivery is due; None when nothing is pending."""
        rows = self._read("SELECT id, due FROM outbox WHERE state = 'pending'", ())
        waits = [due for identity, due in rows if identity not in excluding]
        return max(0.0, min(waits) - time.time()) if waits else None

    def finish(self, pending: Pending, *follow_ups: Delivery) -> None:
        """Take a delivered row out and put what follows from it in, as one step."""
        with self._transaction() as connection:
            for delivery in follow_ups:
                append(connection, delivery)
            connection.execute("DELETE FROM outbox WHERE id = ?", (pending.id,))
        self.wake()

    def retry(self, pending: Pending, error: str, *, delay: float, counted: bool = True) -> None:
        """Keep a row for another try after `delay` seconds; `counted` adds to its attempts."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE outbox SET attempts = attempts + ?, due = ?, error = ? WHERE id = ?",
                (int(counted), time.time() + delay, error, pending.id),
            )
        self.wake()

    def give_up(self, pending: Pending, error: str, *follow_ups: Delivery) -> None:
        """Keep a row for the record only, with the reason; `follow_ups` go to dead letters."""
        with self._transaction() as connection:
            for delivery in follow_ups:
                append(connection, delivery)
            connection.execute(
                "UPDATE outbox SET state = 'dead', attempts = attempts + 1, error = ? WHERE id = ?",
                (error, pending.id),
            )
        self.wake()

    def counts(self) -> dict[str, int]:
        """Return how many rows are `pending` and `dead`."""
        found = dict.fromkeys(("pending", "dead"), 0)
        found.update(self._read("SELECT state, COUNT(*) FROM outbox GROUP BY state", ()))
        return found

    def failures(self) -> list[tuple[str, str]]:
        """Return `(kind, error)` of every delivery that was given up, oldest first."""
        rows = self._read("SELECT kind, error FROM outbox WHERE state = 'dead' ORDER BY id", ())
        return [(kind, error) for kind, error in rows]

    def wake(self) -> None:
        """Tell the dispatcher that something changed."""
        self._changed.set()

    def wait(self, seconds: float) -> None:
        """Wait for a change since the last wait, at most `seconds`; for the one dispatcher."""
        self._changed.wait(seconds)
        self._changed.clear()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection:
            yield self._connection

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock, closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()


_OPEN: dict[Path, Outbox] = {}
_OPENING = threading.Lock()


def open_outbox(path: Path) -> Outbox:
    """Return this process's one outbox on a database file, so that writers wake its dispatcher."""
    with _OPENING:
        if path not in _OPEN:
            _OPEN[path] = Outbox(path)
        return _OPEN[path]
