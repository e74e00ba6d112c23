"""Waiting for what a process of the cloud writes to its log."""

import time
from pathlib import Path

LONGEST_WAIT = 60.0


def await_line(log: Path, text: str, *, times: int = 1) -> None:
    """Wait until a log, which may not exist yet, holds `text` so many times."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not (log.exists() and log.read_text().count(text) >= times):
        assert time.monotonic() < deadline, f"{log} never said {text!r} {times} time(s)"
        time.sleep(0.02)
