"""Ctrl-C and `kill` end long work in order: once to stop at the next step, twice at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from trading.cli.output import console


@dataclass
class Interrupts:
    """How often the user wanted to stop."""

    count: int = 0

    def stop(self) -> bool:
        """Tell whether the work is to end."""
        return self.count > 0


@contextmanager
def stoppable(what: str) -> Iterator[Interrupts]:
    """Yield what tells whether to stop; a second Ctrl-C in the block raises `KeyboardInterrupt`.

    Parameters
    ----------
    what : what is finished first, in words
    """
    held = Interrupts()

    def handle(_: int, __: FrameType | None) -> None:
        held.count += 1
        if held.count > 1:
            raise KeyboardInterrupt
        console.print(f"stopping: {what} is finished first; again to stop at once")

    before: list[tuple[signal.Signals, Callable[..., object] | int | None]] = [
        (number, signal.signal(number, handle)) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield held
    finally:
        for number, handler in before:
            signal.signal(number, handler)
