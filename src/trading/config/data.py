"""The sections of data and universe: where bars come from, what is good enough, who is in."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from trading.config.section import Fraction, Positive, Section
from trading.config.store import BarStoreSettings

ProviderName = Literal["polygon", "alpha_vantage", "yahoo", "iex"]


class SimulatedMarketSettings(Section):
    """The simulated market."""

    seed: int = Field(
        20240101, description="Seed of the whole market; another seed is another market."
    )
    symbols: Positive = Field(3200, description="Companies listed at the start.")
    start: date = Field(date(2023, 1, 3), description="First session.")


class QualitySettings(Section):
    """What counts as a fault of market data, and how much of it is too much."""

    hundredfold_tolerance: float = Field(
        0.25, gt=0, description="A jump within this log distance of 100x, up or down, is suspect."
    )
    split_window: Positive = Field(
        20, description="Sessions around a declared split in which its jump is looked for."
    )
    outlier_sigmas: float = Field(
        8.0, gt=0, description="Robust sigmas, own and of the cross-section, of an outlier."
    )
    impossible_return: float = Field(
        3.0, gt=0, description="A larger daily return needs a corporate action to be believed."
    )
    stale_sessions: Positive = Field(
        20, description="More closes in a row without a change are a stale series."
    )
    volume_spike: float = Field(
        100.0, gt=1, description="Volume over this multiple of the symbol's median is a spike."
    )
    jump_tolerance: float = Field(
        0.03, gt=0, description="Log distance to a split ratio that makes a jump split-shaped."
    )
    repair_odds: float = Field(
        20.0, gt=1, description="Odds that a repair needs over leaving the data as they are."
    )
    max_error_symbols: Fraction = Field(
        0.02, description="A larger share of symbols with an error fails a history."
    )
    max_session_errors: Fraction = Field(
        0.01, description="A larger share of symbols with an error fails a session."
    )
    presume_delisted_sessions: Positive = Field(
        10, description="Missing for so many in a row, a symbol is told once and then counted."
    )


class VendorSettings(Section):
    """One provider of the network; what is not set comes from its plan (docs/data-providers.md)."""

    plan: str = Field("default", description="Name of the plan; it tells the limits.")
    base_url: str | None = Field(
        None, pattern=r"^https?://[^?#\s]+$", description="Where the service is."
    )
    requests_per_minute: float | None = Field(None, gt=0, description="Instead of the plan's.")
    requests_per_day: Positive | None = Field(None, description="Instead of the plan's.")
    concurrency: Positive | None = Field(None, description="Requests at once.")


class ProvidersSettings(Section):
    """The providers of the network and what makes them dependable."""

    backups: tuple[ProviderName, ...] = Field(
        (), description="Asked in this order for what data.provider left out."
    )
    polygon: VendorSettings = VendorSettings()
    alpha_vantage: VendorSettings = VendorSettings()
    yahoo: VendorSettings = VendorSettings()
    iex: VendorSettings = VendorSettings()
    timeout_seconds: float = Field(30.0, gt=0, description="Of one attempt, from first to last.")
    attempts: Positive = Field(6, description="Attempts of one request.")
    backoff_seconds: float = Field(0.5, gt=0, description="Of the first retry; it doubles.")
    max_wait_seconds: float = Field(
        120.0, gt=0, description="A longer Retry-After goes to the next provider instead."
    )
    retry_ratio: float = Field(0.6, ge=0, description="Retries a request, on average, at most.")
    breaker_failures: Positive = Field(20, description="Failures in a row that open the breaker.")
    breaker_seconds: float = Field(30.0, gt=0, description="How long an open breaker stays open.")
    tolerance: float = Field(
        0.005, gt=0, description="Closes further apart (relative) are a disagreement."
    )
    cross_checks: int = Field(
        10, ge=0, description="Symbols that are also asked from the first backup, to compare."
    )


class DataSettings(Section):
    """Where bars come from and what is good enough."""

    exchange: str = Field("XNYS", description="Exchange calendar (exchange_calendars code).")
    provider: Literal["simulated", "files"] | ProviderName = Field(
        "simulated", description="Source of bars."
    )
    providers: ProvidersSettings = ProvidersSettings()
    store: BarStoreSettings = BarStoreSettings()
    simulated: SimulatedMarketSettings = SimulatedMarketSettings()
    min_symbols: Positive = Field(
        20, description="Fewer tradable symbols than this stop the month."
    )
    min_sessions: Positive = Field(
        504, description="Fewer sessions of history than this stop the month."
    )
    max_bad_row_share: Fraction = Field(
        0.10, description="A source with more unusable rows is refused."
    )
    min_session_coverage: Fraction = Field(
        0.80, description="Least share of the universe with a bar in the last session."
    )
    warn_session_coverage: Fraction = Field(
        0.98, description="A smaller share of expected symbols in a session is a warning."
    )
    outlier_return: float = Field(
        0.50, gt=0, description="A larger daily return, up or down, counts as an outlier."
    )
    max_suspect_share: Fraction = Field(
        0.05, description="More outliers, untraded or unchanged symbols than this are a warning."
    )
    quality: QualitySettings = QualitySettings()


class UniverseSettings(Section):
    """The 3,600 slots."""

    active: Positive = Field(3000, description="Slots of current members.")
    archive: Positive = Field(300, description="Slots of removed members.")
    padding: Positive = Field(300, description="Spare slots.")
    archive_months: Positive = Field(12, description="Months that a removed member keeps its slot.")
    reconstitution_month: int = Field(
        7, ge=1, le=12, description="Month whose run rebuilds membership."
    )
    batch: Positive = Field(400, description="Slots that one scoring batch takes.")
    max_stale_sessions: int = Field(
        5, ge=0, description="Sessions without a bar after which a name counts as gone."
    )
    min_history_sessions: Positive = Field(
        21, description="Bars that a name needs before it may be held."
    )

    @property
    def slots(self) -> int:
        """All slots."""
        return self.active + self.archive + self.padding

    @model_validator(mode="after")
    def _batches_fill_the_slots(self) -> Self:
        if self.slots % self.batch:
            raise ValueError(f"batch ({self.batch}) must divide the {self.slots} slots")
        return self
