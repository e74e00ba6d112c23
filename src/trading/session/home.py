"""The folder in which a session keeps what it must not lose, and the lock on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trading.errors import SessionError
from trading.process_lock import process_lock


@dataclass(frozen=True)
class SessionHome:
    """The files of one session.

    Attributes
    ----------
    path : the folder; `open` makes it
    """

    path: Path

    @property
    def state_file(self) -> Path:
        """What the session decided and recorded (SQLite)."""
        return self.path / "session.db"

    @property
    def broker_file(self) -> Path:
        """The account of the paper broker (SQLite)."""
        return self.path / "broker.db"

    @property
    def journal_file(self) -> Path:
        """The journal of the order manager (JSON lines)."""
        return self.path / "orders.jsonl"

    @property
    def log_file(self) -> Path:
        """Everything that happened, in order (JSON lines)."""
        return self.path / "events.jsonl"

    @property
    def exists(self) -> bool:
        """Whether a session was ever started here."""
        return self.state_file.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other session off this home for the block.

        Raises `SessionError` when one runs here, or the home cannot be written. The lock goes with
        the process that holds it, however it ends.
        """
        with process_lock(self.path / "session.lock", "session", SessionError, "--home"):
            yield
