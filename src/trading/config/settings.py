"""The whole configuration."""

from typing import Any, Literal

from pydantic import Field

from trading.config.data import DataSettings, UniverseSettings
from trading.config.exposure import ExposureSettings
from trading.config.learning import (
    CostSettings,
    GateSettings,
    PortfolioSettings,
    RewardSettings,
    TrainingSettings,
)
from trading.config.monitoring import MonitoringSettings
from trading.config.section import Positive, Section


class NotificationSettings(Section):
    """Who is told, and from which address."""

    sender: str = "signals@trading.example"
    recipients: tuple[str, ...] = Field(("analyst@trading.example",), min_length=1)
    unsubscribe: str = "mailto:unsubscribe@trading.example"
    reconcile_seconds: Positive = Field(
        60, description="Wait for a Send event before a mail of unknown outcome is sent again."
    )


class ApprovalSettings(Section):
    """Whether a person approves a challenger that passed the gate before it is deployed."""

    required: bool = False
    hours: int = Field(
        24, ge=1, le=72, description="Time to decide; without a decision the champion stays."
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
    fetch_attempts: Positive = Field(
        4, description="How often a morning's fetch is tried while something is missing."
    )
    fundamentals_a_day: int = Field(
        150, ge=0, description="Symbols whose fundamentals a daily fetch asks again; 0 for none."
    )
    fetch_retry_seconds: Positive = Field(900, description="Wait before it is tried again.")


class Settings(Section):
    """The whole configuration."""

    environment: str = Field("dev", pattern=r"^[a-z][a-z0-9-]{1,15}$")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data: DataSettings = DataSettings()
    universe: UniverseSettings = UniverseSettings()
    reward: RewardSettings = RewardSettings()
    training: TrainingSettings = TrainingSettings()
    costs: CostSettings = CostSettings()
    exposure: ExposureSettings = ExposureSettings()
    gate: GateSettings = GateSettings()
    approval: ApprovalSettings = ApprovalSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    notifications: NotificationSettings = NotificationSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    session: dict[str, Any] = Field(
        default_factory=dict,
        description="Trading sessions: execution, risk, sizer, paper, ... (docs/paper.md); "
        "read and checked by `trading run`.",
    )

    def deviations(self) -> dict[str, Any]:
        """Return what differs from the built-in defaults, as plain JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)
