"""Typed configuration: `config/default.yaml`, then `config/<profile>.yaml`, then the environment.

An environment variable `TRADING_A__B=value` sets `a.b`; the value is read as YAML. A deployed
function or job gets every deviation from the default in `TRADING_SETTINGS`, one JSON object.
"""

from trading.config.data import (
    DataSettings,
    ProviderName,
    ProvidersSettings,
    QualitySettings,
    SimulatedMarketSettings,
    UniverseSettings,
    VendorSettings,
)
from trading.config.exposure import ExposureSettings
from trading.config.learning import (
    CostSettings,
    GateSettings,
    PortfolioSettings,
    RewardSettings,
    TrainingSettings,
)
from trading.config.loading import (
    PREFIX,
    RESERVED,
    config_directory,
    load_settings,
)
from trading.config.monitoring import DriftSettings, MonitoringSettings, ShadowSettings
from trading.config.section import (
    Algorithm,
    Fraction,
    Positive,
    Section,
)
from trading.config.settings import (
    NotificationSettings,
    ScheduleSettings,
    Settings,
)
from trading.config.store import BarStoreSettings

__all__ = [
    "PREFIX",
    "RESERVED",
    "Algorithm",
    "BarStoreSettings",
    "CostSettings",
    "DataSettings",
    "DriftSettings",
    "ExposureSettings",
    "Fraction",
    "GateSettings",
    "MonitoringSettings",
    "NotificationSettings",
    "PortfolioSettings",
    "Positive",
    "ProviderName",
    "ProvidersSettings",
    "QualitySettings",
    "RewardSettings",
    "ScheduleSettings",
    "Section",
    "Settings",
    "ShadowSettings",
    "SimulatedMarketSettings",
    "TrainingSettings",
    "UniverseSettings",
    "VendorSettings",
    "config_directory",
    "load_settings",
]
