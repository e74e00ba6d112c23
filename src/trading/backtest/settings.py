"""What a backtest is run with, beside the strategies and the bars."""

from typing import Any

from pydantic import Field

from trading.config import Section
from trading.execution.settings import ExecutionSettings
from trading.risk.settings import RiskSettings


class SizerSettings(Section):
    """A position sizer by its registered name."""

    name: str = Field("fixed_fraction", description="A name that `trading.risk.sizing` knows.")
    parameters: dict[str, Any] = Field(default_factory=dict)


class BacktestSettings(Section):
    """Execution, risk limits and position sizing of one run; stored with its result."""

    execution: ExecutionSettings = ExecutionSettings()
    risk: RiskSettings = RiskSettings()
    sizer: SizerSettings = SizerSettings()
