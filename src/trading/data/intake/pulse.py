"""When an intake has to end: it was asked to, or its time runs short."""

from collections.abc import Callable
from dataclasses import dataclass

from trading.errors import TradingError

# What a Lambda needs to write down where it stopped, in seconds.
RESERVE = 45.0


class IntakeStopped(TradingError):
    """The intake ends before everything is asked; what is finished is kept."""


@dataclass(frozen=True)
class Pulse:
    """Asks whether to go on.

    Attributes
    ----------
    stop : whether someone wants the intake to end
    remaining : seconds that are left, None without a limit
    reserve : seconds kept for ending in order
    """

    stop: Callable[[], bool] | None = None
    remaining: Callable[[], float] | None = None
    reserve: float = RESERVE

    def check(self) -> None:
        """Raise `IntakeStopped` when it is time to end."""
        if self.stop is not None and self.stop():
            raise IntakeStopped("the intake was stopped; run it again to continue where it ended")
        seconds = self.seconds()
        if seconds is not None and seconds <= 0:
            raise IntakeStopped("the time ran short; the next run continues where this one ended")

    def seconds(self) -> float | None:
        """Return how long may still be asked, None without a limit."""
        return None if self.remaining is None else self.remaining() - self.reserve
