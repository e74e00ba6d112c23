"""What a session is run with, beside its strategies and its bars."""

from pydantic import Field

from trading.backtest.settings import BacktestSettings
from trading.config import Positive
from trading.execution.brokers.paper_settings import PaperSettings


class SessionSettings(BacktestSettings):
    """Execution, risk limits and sizing, as of a backtest, and how the session itself behaves."""

    paper: PaperSettings = PaperSettings()
    max_failures: Positive = Field(
        3, description="Bars on end on which a strategy may fail before it is suspended."
    )
    strategy_timeout_seconds: float = Field(
        10.0, gt=0.0, description="Time for one strategy to answer one bar."
    )
    broker_failures: Positive = Field(
        5, description="Failures of the broker on end that open the circuit breaker."
    )
    cool_down_seconds: float = Field(
        300.0, gt=0.0, description="Time that such failures keep the breaker open."
    )
    power_safe: bool = Field(
        True,
        description="Flush every change to the disk itself. Without it a killed process loses "
        "nothing, a power cut may lose the last bars.",
    )
    missing_symbols_warning: float = Field(
        0.05, ge=0.0, le=1.0, description="Share of missing bars in a row that is a warning."
    )
