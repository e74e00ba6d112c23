"""What each provider's plan allows, and where the service is.

The limits are those that the vendors publish (November 2026, docs/data-providers.md); every one can
be set by hand in `data.providers.<name>`.
"""

from dataclasses import dataclass
from typing import Final

from trading.config import ProviderName, ProvidersSettings
from trading.errors import ConfigurationError


@dataclass(frozen=True)
class Plan:
    """The limits of one plan.

    Attributes
    ----------
    per_minute : requests a minute
    concurrency : requests at once
    per_day : requests a day, None when only the rate is limited
    """

    per_minute: float
    concurrency: int = 8
    per_day: int | None = None

    def __post_init__(self) -> None:
        if self.per_minute <= 0 or self.concurrency < 1:
            raise ConfigurationError(
                "a plan needs a positive rate and at least one request at once"
            )

    @property
    def burst(self) -> int:
        """Requests that may be sent at once after a pause: those of one second, at least one."""
        return max(1, int(self.per_minute / 60.0))


PLANS: Final[dict[ProviderName, dict[str, Plan]]] = {
    "polygon": {
        "free": Plan(5, concurrency=1),
        # Paid plans have no published limit; the vendor asks for fewer than 100 a second.
        "paid": Plan(3_000, concurrency=32),
    },
    "alpha_vantage": {
        "free": Plan(5, concurrency=1, per_day=25),
        "premium_75": Plan(75),
        "premium_150": Plan(150),
        "premium_300": Plan(300),
        "premium_600": Plan(600, concurrency=16),
        "premium_1200": Plan(1_200, concurrency=16),
    },
    # Yahoo publishes no limit; this is what one polite reader asks for.
    "yahoo": {"polite": Plan(240, concurrency=8)},
    # IEX Cloud's own limit was 100 a second; a successor may have another.
    "iex": {"scale": Plan(6_000, concurrency=16), "launch": Plan(300, concurrency=4)},
}
DEFAULT_PLANS: Final[dict[ProviderName, str]] = {
    "polygon": "paid",
    "alpha_vantage": "premium_75",
    "yahoo": "polite",
    "iex": "launch",
}
BASE_URLS: Final[dict[ProviderName, str | None]] = {
    "polygon": "https://api.polygon.io",
    "alpha_vantage": "https://www.alphavantage.co",
    "yahoo": "https://query2.finance.yahoo.com",
    "iex": None,
}


def plan_of(name: ProviderName, settings: ProvidersSettings) -> Plan:
    """Return the plan of a provider; raises `ConfigurationError` for an unknown one."""
    vendor = getattr(settings, name)
    chosen = DEFAULT_PLANS[name] if vendor.plan == "default" else vendor.plan
    plan = PLANS[name].get(chosen)
    if plan is None:
        raise ConfigurationError(
            f"data.providers.{name}.plan is {chosen!r}; expected one of {', '.join(PLANS[name])}"
        )
    return Plan(
        vendor.requests_per_minute or plan.per_minute,
        vendor.concurrency or plan.concurrency,
        vendor.requests_per_day or plan.per_day,
    )


def base_url_of(name: ProviderName, settings: ProvidersSettings) -> str:
    """Return where the service is; raises `ConfigurationError` when nobody knows."""
    url = getattr(settings, name).base_url or BASE_URLS[name]
    if url is None:
        raise ConfigurationError(
            "IEX Cloud was shut down on 31 August 2024; set data.providers.iex.base_url to a "
            "server that still speaks its API, or use another provider"
        )
    return str(url).rstrip("/")
