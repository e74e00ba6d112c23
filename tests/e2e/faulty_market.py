"""A small market whose services can be down, late or garbled, or tell nonsense of a session."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from typing import Any

from daily_cloud import KEYS, FaultyServer, Market, Services

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.providers import open_provider
from trading.data.providers.keys import environment_keys, put_keys
from trading.market.calendar import last_session_before

SYMBOLS = [f"T{i:04d}" for i in range(40)]
FIRST, LAST = date(2021, 1, 4), date(2024, 1, 31)
SERVICES = ("polygon", "yahoo")
GARBLED = (
    *("429 seconds", "500", "503", "reset", "short body", "truncated", "malformed"),
    *("nan literal", "wrong content type", "html", "empty body", "redirect"),
)
LATE_REQUESTS = 12
GARBLED_RATE = 0.3


class Trouble(StrEnum):
    """What is wrong with the providers of a month's last session.

    `backup` and `unavailable` are the first and all of them down for the whole run, `late` all of
    them for a while, `garbled` some answers broken; `poisoned` is a session of prices that half
    of the market cannot have had.
    """

    BACKUP = "backup"
    LATE = "late"
    GARBLED = "garbled"
    UNAVAILABLE = "unavailable"
    POISONED = "poisoned"


FATAL = frozenset({Trouble.UNAVAILABLE, Trouble.POISONED})
"""No month can be whole while these last."""


class _TroubledServices(Services):
    """Services that are all down for their next `late` requests, and count what was wrong."""

    late = 0
    refused = 0

    def reply(self, path: str, *given: Any) -> Any:
        held = self.down
        if self.late:
            self.late -= 1
            self.down = frozenset(SERVICES)
        self.refused += path.split("/", 2)[1] in self.down
        try:
            return super().reply(path, *given)
        finally:
            self.down = held


class FaultyMarket:
    """The market, its services on a local port, and what ails them."""

    def __init__(self, services: _TroubledServices, server: FaultyServer) -> None:
        self._services, self._server = services, server
        values = services.market.values
        self._truth = {name: told.copy() for name, told in values.items()}
        self._asked = 0
        self._trouble: Trouble | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The `data` section that asks these services, without patience."""
        urls = {
            name: {"base_url": self._server.base_url(name), "requests_per_minute": 6000}
            for name in SERVICES
        }
        patience = {"backoff_seconds": 0.01, "timeout_seconds": 5.0, "breaker_seconds": 0.5}
        return {"provider": "polygon", "providers": {"backups": ["yahoo"], **urls, **patience}}

    def put_keys(self, secrets: Any) -> None:
        """Give the cloud the services' keys."""
        named = {"POLYGON_API_KEY": KEYS["polygon"]}
        assert put_keys(secrets, "trading-dev/providers/", environment_keys(named))

    def fill(self, lake: Lake, settings: Settings, before: date) -> None:
        """Bring what the market told before a day into the lake, its last session left out."""
        last = last_session_before(last_session_before(before, "XNYS"), "XNYS")
        keys = environment_keys({"POLYGON_API_KEY": KEYS["polygon"]})
        provider = open_provider(settings, keys=keys)
        lake.ingest(asyncio.run(provider.fetch(SYMBOLS, FIRST, last)), simulated=False)

    def ail(self, trouble: Trouble | None, seed: int) -> None:
        """Begin a trouble; None mends everything."""
        services, market = self._services, self._services.market
        services.random = random.Random(seed)
        services.faults, services.injected, services.refused = GARBLED, {}, 0
        services.rate = GARBLED_RATE if trouble is Trouble.GARBLED else 0.0
        services.late = LATE_REQUESTS if trouble is Trouble.LATE else 0
        down = {Trouble.BACKUP: SERVICES[:1], Trouble.UNAVAILABLE: SERVICES}
        services.down = frozenset(down.get(trouble, ()))
        for name, told in self._truth.items():
            market.values[name][-1] = told[-1]
        if trouble is Trouble.POISONED:
            for name in ("open", "high", "low", "close"):
                market.values[name][-1, : len(SYMBOLS) // 2] *= 100.0
        self._asked = sum(services.seen.values())
        self._trouble = trouble

    def struck(self) -> list[str]:
        """Return what the trouble hit since it began."""
        services = self._services
        told = [f"{kind} {count} times" for kind, count in sorted(services.injected.items())]
        told += [f"down {services.refused} times"] if services.refused else []
        asked = sum(services.seen.values()) - self._asked
        if self._trouble is Trouble.POISONED and asked:
            told.append("a poisoned session told")
        return told


@contextmanager
def faulty_market() -> Iterator[FaultyMarket]:
    """Serve the market."""
    services = _TroubledServices(Market(SYMBOLS, FIRST, LAST, splits=0))
    with FaultyServer(services) as server:
        made = FaultyMarket(services, server)
        made.ail(None, 0)
        yield made
