"""The event log: everything that happened, one JSON object a line, each exactly once."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from trading.errors import SessionError


class EventLog:
    """A file of JSON lines, each with its number in `sequence`.

    A line that a killed process wrote half is cut off when the file is opened again; lines that are
    there already are left out by their number.

    Raises
    ------
    SessionError
        The file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("a+b")
            self.last = self._recover()
        except OSError as error:
            raise self._failed(error) from error

    def append(self, lines: Iterable[tuple[int, str]]) -> None:
        """Write lines with numbers above `last`, in their order."""
        fresh = [(number, line) for number, line in lines if number > self.last]
        if not fresh:
            return
        try:
            self._file.write(b"".join(line.encode() + b"\n" for _, line in fresh))
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error
        self.last = fresh[-1][0]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _recover(self) -> int:
        """Cut a torn last line off and return the number of the last whole one, 0 for none."""
        size = self._file.seek(0, os.SEEK_END)
        tail = b""
        start = size
        while start > 0 and tail.count(b"\n") < 2:
            start = max(start - 65_536, 0)
            self._file.seek(start)
            tail = self._file.read(size - start)
        whole, newline, torn = tail.rpartition(b"\n")
        if torn:
            self._file.truncate(size - len(torn))
        self._file.seek(0, os.SEEK_END)
        if not newline:
            return 0
        try:
            return int(json.loads(whole.rpartition(b"\n")[2])["sequence"])
        except (ValueError, KeyError, TypeError) as error:
            raise SessionError(
                f"the last line of the event log {self._path} is not one of a session; move the "
                "file away and start again"
            ) from error

    def _failed(self, error: OSError) -> SessionError:
        return SessionError(
            f"the event log {self._path} cannot be written ({error.strerror or error}); free disk "
            "space or mend its permissions, then start again: nothing is lost"
        )
