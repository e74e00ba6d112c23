"""A file that changes in whole transactions only: the ground of paper account and session."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from trading.errors import TradingError

_FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"


class DatabaseFile:
    """A SQLite file of one owner, with single JSON values (facts) and the tables of `schema`.

    Parameters
    ----------
    path : the file; its folder is made
    power_safe : whether a change survives a power cut too, not only a kill

    Attributes
    ----------
    what : the file in the errors' words
    error : the class that is raised when the file cannot be opened, read or written, or is of
        another version
    schema, version : of the tables
    """

    what: ClassVar[str]
    error: ClassVar[type[TradingError]]
    schema: ClassVar[str]
    version: ClassVar[int] = 1

    def __init__(self, path: Path, *, power_safe: bool = True) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(f"PRAGMA synchronous = {'FULL' if power_safe else 'NORMAL'}")
            self._database.executescript(_FACTS + self.schema)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        found = self.fact("version", self.version)
        if found != self.version:
            raise self.error(
                f"{path} is {self.what} of version {found}, this program keeps version "
                f"{self.version}; go on with the program that wrote it, or start anew in another "
                "home"
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make what the block writes one change: all of it, or nothing."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise self._failed(error) from error

    def fact(self, name: str, default: Any = None) -> Any:
        """Return a JSON value that was kept, `default` where none was."""
        rows = self._read("SELECT value FROM facts WHERE name = ?", name)
        return json.loads(rows[0][0]) if rows else default

    def facts(self) -> dict[str, Any]:
        """Return every JSON value that was kept, by name."""
        return {name: json.loads(value) for name, value in self._read("SELECT * FROM facts")}

    def keep_facts(self, **facts: Any) -> None:
        """Keep JSON values by name."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TradingError:
        return self.error(
            f"{self.what} {self._path} cannot be read or written ({error}); nothing was changed: "
            "free disk space or mend its permissions, then start again"
        )
