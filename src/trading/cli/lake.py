"""The lake that a command works on: that of the embedded cloud at the home, or another."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trading.cli.cloud import embedded_cloud
from trading.cli.home import FILLING, Home, Market
from trading.config import Settings
from trading.data.store import ObjectStore, open_store
from trading.data.store.folder import FolderStore
from trading.errors import ConfigurationError, DataError
from trading.process_lock import process_lock


@dataclass(frozen=True)
class LakeChoice:
    """Which lake: the embedded cloud's of one market at a home, or the one at `location`.

    Attributes
    ----------
    home : where the embedded cloud keeps its data, and what was measured here
    market : simulated and real bars lie in different lakes
    location : a folder or `s3://bucket/prefix` instead; None for the embedded cloud's
    """

    home: Home
    market: Market
    location: str | None = None

    @contextmanager
    def alone(self, who: str = FILLING) -> Iterator[None]:
        """Keep every other command that fills this lake out for the block.

        Two on one machine would ask for the same bars and share the provider's limits. Raises
        `DataError` (`MonthError` at a home) when one runs, or the home cannot be written; `who`
        are the commands that may be at a lake of its own, in the words of the error.
        """
        if self.location is None:
            with self.home.for_one_month():
                yield
            return
        name = hashlib.sha256(open_store(self.location).uri.encode()).hexdigest()[:12]
        lock = self.home.path / "locks" / f"{name}.lock"
        with process_lock(lock, who, DataError, "TRADING_HOME"):
            yield

    @contextmanager
    def opened(
        self, settings: Settings, *, phase: Callable[[str], None] = lambda _: None
    ) -> Iterator[ObjectStore]:
        """Yield the lake's store; the embedded cloud runs for the block."""
        if self.location is not None:
            yield open_store(self.location)
            return
        with embedded_cloud(self.home.of(self.market), settings, phase=phase) as cloud:
            yield cloud.resources(settings).data

    @contextmanager
    def looked_at(self, settings: Settings) -> Iterator[ObjectStore]:
        """Yield the lake's store to read from; nothing is made where there is no lake yet."""
        if self.location is not None or (self.home.of(self.market) / "deployment.json").exists():
            with self.opened(settings) as store:
                yield store
            return
        yield FolderStore(self.home.of(self.market) / "no-lake-yet")

    @property
    def folder(self) -> Path | None:
        """The folder on this machine that grows with the lake, None for a lake elsewhere."""
        if self.location is None:
            return self.home.of(self.market)
        parts = urlsplit(self.location)
        if "://" not in self.location:
            return Path(self.location)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


def choose_lake(home: Path | None, location: str | None, *, simulated: bool) -> LakeChoice:
    """Return the lake that `--home` and `--lake` name; raises `ConfigurationError`."""
    chosen = Home(home.absolute()) if home is not None else Home.from_environment()
    if location is not None and not location.strip():
        raise ConfigurationError("--lake is empty; expected a folder or s3://bucket/prefix")
    return LakeChoice(chosen, "simulated" if simulated else "real", location)
