"""The clocks that drive a session: the machine's, or one that goes with replayed bars."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol

from trading.errors import ConfigurationError


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> datetime:
        """Return the present, aware, UTC."""

    async def wait_until(self, moment: datetime) -> None:
        """Return when `moment` has come."""

    async def reach(self, moment: datetime) -> None:
        """Return when a bar that closed at `moment`, and is there, may be worked on."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        return datetime.now(UTC)

    async def wait_until(self, moment: datetime) -> None:
        """Sleep until `moment`."""
        await asyncio.sleep(max((moment - self.now()).total_seconds(), 0.0))

    async def reach(self, moment: datetime) -> None:
        """Return at once."""


class ReplayClock:
    """A clock that jumps, or runs, from bar to bar.

    Parameters
    ----------
    speed : market seconds a real second; None jumps without waiting

    Raises
    ------
    ConfigurationError
        The speed is not positive.
    """

    def __init__(self, speed: float | None = None) -> None:
        if speed is not None and not 0.0 < speed < float("inf"):
            raise ConfigurationError(
                f"the speed must be a positive number of market seconds a second, got {speed}"
            )
        self._speed = speed
        self._now: datetime | None = None

    def now(self) -> datetime:
        """Return the close of the last bar; before the first, the time of this machine."""
        return self._now or datetime.now(UTC)

    async def wait_until(self, moment: datetime) -> None:
        """Let market time pass until `moment`; a moment that lies behind changes nothing."""
        if self._now is not None and self._speed is not None:
            await asyncio.sleep(max((moment - self._now).total_seconds(), 0.0) / self._speed)
        if self._now is None or moment > self._now:
            self._now = moment

    async def reach(self, moment: datetime) -> None:
        """Let market time pass until `moment`."""
        await self.wait_until(moment)
