"""The folder in which the embedded cloud keeps its data between commands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trading.errors import MonthError
from trading.process_lock import process_lock

Market = Literal["simulated", "real"]
FILLING = "`trading month`, `fetch` or `backfill`"


@dataclass(frozen=True)
class Home:
    """`$TRADING_HOME`, else `.trading` here; the simulated and the real market are kept apart."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """Return the configured home."""
        return cls(Path(os.environ.get("TRADING_HOME") or ".trading").absolute())

    def of(self, market: Market) -> Path:
        """Return the folder of one market."""
        return self.path / market

    @contextmanager
    def for_one_month(self) -> Iterator[None]:
        """Keep every other command that fills or runs this home off it for the block.

        Raises `MonthError` when one runs here, or the home cannot be written. The lock goes with
        the process that holds it, however it ends.
        """
        lock = self.path / "month.lock"
        with process_lock(lock, FILLING, MonthError, "TRADING_HOME"):
            yield

    def remember(self, market: Market) -> None:
        """Make a market the one that reading commands show."""
        self.path.mkdir(parents=True, exist_ok=True)
        pending = self.path / ".current.new"
        pending.write_text(market, encoding="utf-8")
        pending.replace(self.path / "current")

    def forget(self, market: Market) -> None:
        """Have no month of a market to show any more: what was deployed for it is gone."""
        if self.current() == market:
            (self.path / "current").unlink()
        (self.of(market) / "deployment.json").unlink(missing_ok=True)

    def current(self) -> Market | None:
        """Return the market of the last month that ran; None before the first."""
        marker = self.path / "current"
        if not marker.exists():
            return None
        return "real" if marker.read_text(encoding="utf-8").strip() == "real" else "simulated"
