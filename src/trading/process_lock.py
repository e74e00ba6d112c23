"""One process at a time in a folder, however the one before it ended."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading.errors import TradingError


@contextmanager
def process_lock(path: Path, who: str, error: type[TradingError], another: str) -> Iterator[None]:
    """Keep every other process out that asks for the same lock, for the block.

    The lock goes with the process that holds it, however it ends.

    Parameters
    ----------
    path : the lock file; its folder is made
    who : what runs, in the error's words
    error : the class that is raised when another process runs there, or the folder cannot be
        written
    another : how to choose another folder
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+", encoding="utf-8")
    except OSError as failure:
        raise error(
            f"the home {folder} cannot be written ({failure.strerror}); choose another with "
            f"{another}"
        ) from failure
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            lock.seek(0)
            raise error(
                f"another {who} (process {lock.read().strip() or 'unknown'}) runs on {folder}; "
                f"wait for it, or choose another home with {another}"
            ) from failure
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
