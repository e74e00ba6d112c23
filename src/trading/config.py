"""Typed configuration: `config/default.yaml`, then `config/<profile>.yaml`, then the environment.

An environment variable `TRADING_A__B=value` sets `a.b`; the value is read as YAML. A deployed
function or job gets every deviation from the default in `TRADING_SETTINGS`, one JSON object.
"""

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trading.errors import ConfigurationError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(gt=0)]
Algorithm = Literal["ppo", "a2c", "sac"]
PREFIX = "TRADING_"
RESERVED = frozenset({"TRADING_HOME", "TRADING_SETTINGS", "TRADING_CONFIG_DIR", "TRADING_PROFILE"})


class Section(BaseModel):
    """A part of the configuration: frozen, and strict about unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


ProviderName = Literal["polygon", "alpha_vantage", "yahoo", "iex"]


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


class RewardSettings(Section):
    """The hybrid reward."""

    return_weight: float = 0.6
    sharpe_weight: float = 0.3
    drawdown_weight: float = 0.1
    sharpe_clip: float = Field(3.0, gt=0)


class TrainingSettings(Section):
    """What is trained, on how much, and how long."""

    algorithms: tuple[Algorithm, ...] = Field(("ppo", "a2c", "sac"), min_length=1)
    seeds: tuple[int, ...] = Field(
        (0,), min_length=1, description="One model per algorithm and seed."
    )
    folds: Positive = Field(3, description="Walk-forward folds of the validation.")
    embargo_sessions: int = Field(21, ge=0, description="Sessions left out before each fold.")
    phases: Positive = Field(4, description="Monthly decision grids, evenly shifted, to train on.")
    hidden: tuple[Positive, ...] = Field((32, 32), description="Widths of the shared slot network.")
    slot_steps: Positive = Field(
        1_200_000, description="Budget of one fit: monthly decisions x slots, docs/learning.md."
    )
    warm_start: bool = Field(True, description="The final fit starts from the champion's weights.")
    max_runtime_seconds: Positive = 6 * 3600
    instance_type: str = "ml.m5.2xlarge"
    spot: bool = True


class CostSettings(Section):
    """What trading costs; basis points of the traded value."""

    commission_bps: float = Field(1.0, ge=0)
    slippage_bps: float = Field(5.0, ge=0, description="Half spread and delay.")
    impact_coefficient: float = Field(
        0.1, ge=0, description="Square-root impact: this x daily volatility x sqrt(participation)."
    )
    capital_usd: float = Field(10_000_000.0, gt=0, description="Capital of the model portfolio.")


class GateSettings(Section):
    """What a challenger must show out of sample to be deployed."""

    min_months: Positive = Field(6, description="Least out-of-sample months.")
    min_sharpe: float = Field(0.3, description="Annualised, net of costs.")
    max_drawdown: Fraction = 0.40
    min_excess_return: float = Field(0.0, description="Annualised, over each baseline.")
    min_information_coefficient: float = Field(0.0, description="Mean monthly rank correlation.")
    max_confidence_p: Fraction = Field(
        0.20, description="Largest one-sided bootstrap p-value against equal weight."
    )
    champion_margin: float = Field(0.0, description="Annualised excess return over the champion.")
    bootstrap_samples: Positive = 2000


class PortfolioSettings(Section):
    """The model portfolio."""

    min_names: Positive = 50
    max_names: Positive = 100
    buy_fraction: Fraction = Field(0.03, description="Share of ranked names that enters as BUY.")
    hold_fraction: Fraction = Field(
        0.08, description="A holding stays while it ranks within this share."
    )
    max_weight: Fraction = Field(0.04, description="Largest weight of one name.")
    confidence_tilt: Fraction = Field(
        0.5, description="0: equal weights; t: a weight runs from 1 - t to 1 + t with confidence."
    )
    max_participation: float = Field(
        0.10, gt=0, description="Largest purchase, as a share of a day's dollar volume."
    )
    min_price_usd: float = Field(1.0, ge=0)
    min_dollar_volume_usd: float = Field(
        100_000.0, ge=0, description="Median daily value traded, 21 sessions."
    )
    exclude: tuple[str, ...] = Field((), description="Symbols that are never bought.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_names > self.max_names:
            raise ValueError(f"min_names ({self.min_names}) exceeds max_names ({self.max_names})")
        if self.buy_fraction > self.hold_fraction:
            raise ValueError("buy_fraction exceeds hold_fraction")
        return self


class NotificationSettings(Section):
    """Who is told, and from which address."""

    sender: str = "signals@trading.example"
    recipients: tuple[str, ...] = Field(("analyst@trading.example",), min_length=1)
    unsubscribe: str = "mailto:unsubscribe@trading.example"
    reconcile_seconds: Positive = Field(
        60, description="Wait for a Send event before a mail of unknown outcome is sent again."
    )


class ScheduleSettings(Section):
    """When things run."""

    timezone: str = "America/New_York"
    daily_fetch_utc: str = Field("06:00", pattern=r"^\d{2}:\d{2}$")
    monthly_local: str = Field(
        "07:00",
        pattern=r"^\d{2}:\d{2}$",
        description="On the mornings that can be a first session.",
    )


class Settings(Section):
    """The whole configuration."""

    environment: str = Field("dev", pattern=r"^[a-z][a-z0-9-]{1,15}$")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data: DataSettings = DataSettings()
    universe: UniverseSettings = UniverseSettings()
    reward: RewardSettings = RewardSettings()
    training: TrainingSettings = TrainingSettings()
    costs: CostSettings = CostSettings()
    gate: GateSettings = GateSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    notifications: NotificationSettings = NotificationSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    session: dict[str, Any] = Field(
        default_factory=dict,
        description="Trading sessions: execution, risk, sizer, paper, ... (docs/paper.md); "
        "read and checked by `trading run`.",
    )

    def deviations(self) -> dict[str, Any]:
        """Return what differs from the built-in defaults, as plain JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)


def config_directory() -> Path:
    """Return the folder of the YAML files: `$TRADING_CONFIG_DIR`, else the checkout's."""
    configured = os.environ.get("TRADING_CONFIG_DIR")
    return Path(configured) if configured else Path(__file__).parents[2] / "config"


def load_settings(
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the validated settings.

    Later wins: `default.yaml`, `<profile>.yaml` (or `$TRADING_PROFILE`), `$TRADING_SETTINGS`,
    `$TRADING_A__B`, `overrides`. Raises `ConfigurationError` with every mistake, one a line.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, Any] = {}
    names = ["default", profile or environ.get("TRADING_PROFILE")]
    for name in filter(None, names):
        _merge(merged, _read_yaml(config_directory() / f"{name}.yaml", required=name != "default"))
    _merge(merged, _from_json(environ.get("TRADING_SETTINGS")))
    _merge(merged, _from_environment(environ))
    _merge(merged, dict(overrides or {}))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or '(top)'}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("the configuration is invalid: " + "; ".join(lines)) from error


def _read_yaml(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists():
        if required:
            raise ConfigurationError(f"there is no configuration file {path}")
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if loaded is not None and not isinstance(loaded, dict):
        raise ConfigurationError(f"{path} must hold a mapping, not {type(loaded).__name__}")
    return loaded or {}


def _from_json(text: str | None) -> dict[str, Any]:
    try:
        loaded = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"TRADING_SETTINGS is not valid JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigurationError("TRADING_SETTINGS must be a JSON object")
    return loaded


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in RESERVED or "__" not in name:
            continue
        *parents, leaf = name.removeprefix(PREFIX).lower().split("__")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = yaml.safe_load(text)
    return found


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value
