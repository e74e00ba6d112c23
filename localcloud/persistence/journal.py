"""The SQLite file that holds what the cloud has acknowledged.

WAL with `synchronous=NORMAL`: a commit is in the page cache when the call is answered, so that no
kill of the process can lose it. (A power cut may lose the last commits, but never tears one.)
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.errors import JournalError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS definitions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL, resource TEXT NOT NULL, operation TEXT NOT NULL, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, properties TEXT NOT NULL, body BLOB, file TEXT,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    name TEXT NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (name, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mails (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE, sender TEXT NOT NULL, recipients TEXT NOT NULL,
    configuration_set TEXT, tags TEXT NOT NULL, raw BLOB NOT NULL, accepted TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, arn TEXT NOT NULL);
"""
_VERSION = 1


class Journal:
    """One connection to the journal, shared by threads; every `transaction` is all or nothing.

    Raises `JournalError` when the file is not a journal of this version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=30.0, check_same_thread=False, isolation_level=None
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{path} cannot be used as the cloud's journal ({error}); move the folder "
                f"{path.parent} away to start with an empty cloud"
            ) from error

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, expected {_VERSION}")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version={_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a write transaction, committed at the end of the block."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
