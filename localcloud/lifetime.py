"""Live until told to stop, or until the parent is gone."""

import os
import queue
import signal
import threading

_POLL_SECONDS = 0.25


def stop_requested() -> threading.Event:
    """Return an event that SIGTERM, SIGINT or the death of the parent process sets.

    A handler runs on the main thread between any two of its steps, inside the event's own lock
    too: setting the event there can wait for ever. It only notes the signal in a queue made for
    this, and a thread of its own sets the event.

    The parent is polled rather than awaited by signal: Linux's parent-death signal comes when the
    *thread* that forked ends, which need not be the end of the process. A cloud started by init
    (process 1) has no parent to lose.
    """
    stop = threading.Event()
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.put(number))
    parent = os.getppid()

    def watch() -> None:
        while parent == 1 or os.getppid() == parent:
            try:
                told.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            break
        stop.set()

    threading.Thread(target=watch, name="stop-watch", daemon=True).start()
    return stop
