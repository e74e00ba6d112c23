"""An append-only file of JSON lines that survives the death of its writer at any moment.

Every line carries its number and a checksum. What `append` has returned for is kept. A line
that the writer died in is cut off at the next opening; damage anywhere else is an error.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trading.errors import ConflictError, StoreError

Entry = Mapping[str, Any]


class Journal:
    """The file `path`, held by one writer at a time.

    Parameters
    ----------
    durable : bring every entry to the disk before `append` returns, so that it outlives a loss of
        power; without it, an entry outlives the death of the process only

    Attributes
    ----------
    entries : what the file held when it was opened, oldest first
    torn_bytes : how many bytes of an unfinished last line were cut off

    Raises
    ------
    ConflictError
        Another process, or another journal of this one, holds the file.
    StoreError
        A line before the last is damaged, or the file cannot be read or written.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self.durable = durable
        self._broken = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise StoreError(f"the journal {path} cannot be opened: {error}") from error
        try:
            self._lock()
            self.entries, self._size = self._read()
            self.torn_bytes = self._cut()
            _sync_folder(path.parent)
        except BaseException:
            self._file.close()
            raise
        self._count = len(self.entries)

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries, all in one piece, and return when they are on the disk.

        Raises
        ------
        StoreError
            They are not on the disk. The journal goes on where the failed write could be taken
            back (a full disk); else it refuses every later entry, until it is opened again.
        """
        if self._broken:
            raise StoreError(f"the journal {self.path} is not written any more: {self._broken}")
        lines = [
            _line(self._count + number, entry) for number, entry in enumerate(entries, start=1)
        ]
        data = b"".join(lines)
        if not data:
            return
        try:
            self._write(data)
        except OSError as error:
            self._take_back(error)
            raise StoreError(
                f"the journal {self.path} could not be written ({error}); nothing was sent; free "
                "the disk, then try again"
            ) from error
        try:
            if self.durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            # After a failed fsync nobody knows what the disk holds, so nothing may follow.
            self._broken = f"it could not be brought to the disk ({error}); restart to recover"
            raise StoreError(f"the journal {self.path}: {self._broken}") from error
        self._size += len(data)
        self._count += len(lines)

    def close(self) -> None:
        """Release the file; doing so again changes nothing."""
        self._broken = "it is closed"
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"the journal {self.path} is held by another session; stop it, or use another home"
            ) from error

    def _read(self) -> tuple[tuple[dict[str, Any], ...], int]:
        """Return the sound entries and where they end."""
        data = self.path.read_bytes()
        entries: list[dict[str, Any]] = []
        end = 0
        while end < len(data):
            stop = data.find(b"\n", end) + 1
            entry = _entry(data[end:stop], len(entries) + 1) if stop else None
            if entry is None:
                if stop and stop < len(data):
                    raise StoreError(
                        f"the journal {self.path} is damaged in line {len(entries) + 1}, and goes "
                        "on after it; restore it from a copy, or start anew in another home"
                    )
                break
            entries.append(entry)
            end = stop
        return tuple(entries), end

    def _cut(self) -> int:
        torn = os.fstat(self._file.fileno()).st_size - self._size
        if torn:
            os.ftruncate(self._file.fileno(), self._size)
            os.fsync(self._file.fileno())
        return torn

    def _write(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += os.write(self._file.fileno(), data[written:])

    def _take_back(self, cause: OSError) -> None:
        try:
            os.ftruncate(self._file.fileno(), self._size)
        except OSError as error:
            self._broken = f"a failed write ({cause}) could not be taken back ({error}); restart"


def _line(number: int, entry: Entry) -> bytes:
    body = json.dumps(entry, separators=(",", ":"), allow_nan=False)
    checksum = zlib.crc32(f"{number} {body}".encode())
    return f'{{"n":{number},"crc":{checksum},"entry":{body}}}\n'.encode()


def _entry(line: bytes, number: int) -> dict[str, Any] | None:
    """Return the entry of a line, None where the line is not the sound line `number`."""
    try:
        entry = json.loads(line)["entry"]
        sound = isinstance(entry, dict) and _line(number, entry) == line
    except (ValueError, KeyError, TypeError):
        return None
    return entry if sound else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
