"""What distinguishes the paper broker from a perfect one."""

from pydantic import Field

from trading.config import Fraction, Section


class PaperSettings(Section):
    """Delays and faults of the paper broker; by default it has none, like the backtest."""

    latency_seconds: float = Field(
        0.0,
        ge=0.0,
        description="Market time from submission until an order can fill: it misses every bar "
        "that opens earlier.",
    )
    reject_probability: Fraction = Field(
        0.0, description="Share of the orders that are rejected for no reason of theirs."
    )
    reject_symbols: tuple[str, ...] = Field((), description="Symbols whose orders are rejected.")
    timeout_probability: Fraction = Field(
        0.0,
        description="Share of the requests whose answer is lost; half of them were carried out.",
    )
    seed: int = Field(0, description="Which orders meet which fault; the same after a restart.")
    market_hours: bool = Field(
        False,
        description="Reject orders while the exchange is closed; else they wait for the next bar.",
    )
