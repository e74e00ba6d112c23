"""What an execution environment prints, as a CloudWatch log stream and as a file."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

TAIL = 4096
LINE_SEPARATORS = str.maketrans({"\r": "\n", "\u00a0": " "})
LogEvent = tuple[int, str]


class LogStream:
    """Reads the output of one environment and hands it on, line by line.

    Parameters
    ----------
    output
        File descriptor to read; closed here.
    path
        Log file of the function; lines are appended with their time.
    ship
        Called with new events, `(Unix milliseconds, text)`, to put them into CloudWatch Logs.
    """

    def __init__(self, output: int, path: Path, ship: Callable[[list[LogEvent]], None]) -> None:
        os.set_blocking(output, False)
        self._output = output
        self._path = path
        self._ship = ship
        self._lock = threading.Lock()
        self._partial = b""
        self._tail = bytearray()
        self._ended = False
        self._thread = threading.Thread(target=self._follow, name="log-stream", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Add a line of the platform, such as START or REPORT, after what was printed so far."""
        with self._lock:
            self._read()
            self._emit([*self._cut(b"\n" if self._partial else b""), line])

    def drain(self) -> None:
        """Take everything that the process has printed up to now."""
        with self._lock:
            self._read_and_emit()

    def restart_tail(self) -> None:
        """Begin the tail of a new invocation."""
        with self._lock:
            self._tail.clear()

    def tail(self) -> bytes:
        """Return the last 4 KB logged since the tail began."""
        with self._lock:
            return bytes(self._tail[-TAIL:])

    def finish(self) -> None:
        """Take the rest after the process has ended, and stop."""
        with self._lock:
            if self._ended:
                return
            self._read_and_emit()
            self._emit(self._cut(b"\n" if self._partial else b""))
            self._ended = True
            os.close(self._output)

    def _follow(self) -> None:
        while not self._ended:
            with contextlib.suppress(OSError, ValueError):
                ready, _, _ = select.select([self._output], [], [], 0.5)
                if not ready:
                    continue
            with self._lock:
                if self._ended or not self._read_and_emit():
                    return

    def _read_and_emit(self) -> bool:
        alive = self._read()
        self._emit(self._cut(b""))
        return alive

    def _read(self) -> bool:
        """Append what can be read to the partial line; False at the end of the output."""
        while not self._ended:
            try:
                chunk = os.read(self._output, 65536)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._partial += chunk
        return False

    def _cut(self, ending: bytes) -> list[str]:
        *lines, self._partial = (self._partial + ending).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _emit(self, lines: list[str]) -> None:
        if not lines:
            return
        now = time.time()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        texts = [line.translate(LINE_SEPARATORS) for line in lines]
        self._tail += "".join(f"{text}\n" for text in texts).encode()
        del self._tail[: -4 * TAIL]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{stamp} {text}\n" for text in texts))
        self._ship([(int(now * 1000), text) for text in texts])
