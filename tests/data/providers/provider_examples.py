"""Providers of a small market, over services in memory or on a local server."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from pydantic import SecretStr
from vendor_services import KEYS, Market, Services
from virtual_time import ServicesTransport, VirtualClock

from trading.config import Settings
from trading.data.providers import NETWORK_PROVIDERS, FallbackProvider
from trading.data.providers.client import ProviderClient
from trading.data.providers.clock import Clock
from trading.data.providers.plans import base_url_of, plan_of
from trading.data.providers.vendor import NetworkProvider

ALL = ("polygon", "yahoo", "alpha_vantage", "iex")
FIRST, LAST = date(2024, 1, 2), date(2024, 6, 28)
MORNING_AFTER = datetime(2024, 6, 29, 6, 0, tzinfo=UTC)


def canary_keys(provider: str) -> SecretStr | None:
    return SecretStr(KEYS[provider]) if provider in KEYS else None


def symbols_of(count: int) -> list[str]:
    return ["BRK.B", *(f"T{i:04d}" for i in range(1, count))][:count]


def small_market(count: int = 20, start: date = FIRST, end: date = LAST) -> Market:
    return Market(symbols_of(count), start, end)


def make_settings(root: str = "http://services.test", **providers: Any) -> Settings:
    """Return settings whose services are below one root, one folder each."""
    vendors = {
        name: {"base_url": f"{root}/{name}", "requests_per_minute": 60_000, "concurrency": 16}
        for name in ALL
    }
    chosen = {"max_wait_seconds": 10.0, "backoff_seconds": 0.01, "timeout_seconds": 2.0}
    return Settings.model_validate(
        {"data": {"min_symbols": 1, "providers": vendors | chosen | providers}}
    )


def make_providers(
    settings: Settings,
    names: Sequence[str] = ALL,
    *,
    services: Services | None = None,
    clock: Clock | None = None,
) -> list[NetworkProvider]:
    """Return providers that ask `services` in memory, or the settings' servers without them."""
    made = []
    for name in names:
        kind = NETWORK_PROVIDERS[name]  # type: ignore[index]
        transport = None
        if services is not None:
            transport = ServicesTransport(
                services, clock if isinstance(clock, VirtualClock) else None
            )
        client = ProviderClient(
            name,
            base_url_of(kind.vendor, settings.data.providers),
            plan_of(kind.vendor, settings.data.providers),
            settings.data.providers,
            key=kind._placement(canary_keys),
            clock=clock,
            transport=transport,
            random=Random(1),
        )
        made.append(kind(settings, keys=canary_keys, clock=clock, client=client))
    return made


def make_fallback(
    settings: Settings,
    names: Sequence[str] = ALL,
    *,
    services: Services | None = None,
    clock: Clock | None = None,
    expected: Sequence[str] | None = None,
) -> FallbackProvider:
    providers = make_providers(settings, names, services=services, clock=clock)
    return FallbackProvider(providers, settings, expected=expected, clock=clock)
