"""Live until told to stop, or until the parent is gone."""

import os
import signal
import threading

_POLL_SECONDS = 0.25


def stop_requested() -> threading.Event:
    """Return an event that SIGTERM, SIGINT or the death of the parent process sets.

    The parent is polled rather than awaited by signal: Linux's parent-death signal comes when the
    *thread* that forked ends, which need not be the end of the process. A cloud started by init
    (process 1) has no parent to lose.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()

    def watch() -> None:
        while not stop.wait(_POLL_SECONDS):
            if os.getppid() != parent:
                stop.set()

    if parent != 1:
        threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    return stop
