"""The folder in which the embedded cloud keeps its data between commands."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Market = Literal["simulated", "real"]


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

    def remember(self, market: Market) -> None:
        """Make a market the one that reading commands show."""
        self.path.mkdir(parents=True, exist_ok=True)
        pending = self.path / ".current.new"
        pending.write_text(market, encoding="utf-8")
        pending.replace(self.path / "current")

    def current(self) -> Market | None:
        """Return the market of the last month that ran; None before the first."""
        marker = self.path / "current"
        if not marker.exists():
            return None
        return "real" if marker.read_text(encoding="utf-8").strip() == "real" else "simulated"
