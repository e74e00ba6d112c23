"""The limits that every order must pass, and what each does when it trips."""

from typing import Literal

from pydantic import Field

from trading.config import Fraction, Section

LimitAction = Literal["resize", "reject", "halt"]


class LimitSettings(Section):
    """One limit: its value, and what happens to an order that would break it."""

    limit: float = Field(gt=0.0)
    action: LimitAction = "resize"


class RiskSettings(Section):
    """The limits; null switches one off.

    Orders that only reduce a position pass every limit: risk can always be left.
    """

    max_position: LimitSettings | None = Field(
        None, description="Largest position, a fraction of equity."
    )
    max_leverage: LimitSettings | None = Field(
        LimitSettings(limit=1.0), description="Gross exposure, a multiple of equity."
    )
    max_sector: LimitSettings | None = Field(
        None, description="Gross exposure of one sector, a fraction of equity."
    )
    max_concentration: LimitSettings | None = Field(
        None, description="Herfindahl index: sum of squared weights."
    )
    max_correlation: LimitSettings | None = Field(
        None, description="Correlation of a purchase's returns with those of the portfolio."
    )
    max_var: LimitSettings | None = Field(
        None, description="One-bar historical value at risk of the portfolio, a fraction of equity."
    )
    max_daily_trades: LimitSettings | None = Field(
        None, description="Orders accepted in one session."
    )
    max_drawdown: Fraction | None = Field(
        None, description="Fall of equity from its peak that halts all purchases until a reset."
    )
    stop_loss: Fraction | None = Field(
        None, description="Loss of a position against its average cost that closes it."
    )
    take_profit: float | None = Field(
        None, gt=0.0, description="Gain of a position against its average cost that closes it."
    )
    window: int = Field(252, ge=20, description="Bars of returns behind VaR and correlation.")
    var_level: float = Field(0.95, gt=0.5, lt=1.0, description="Confidence of the VaR limit.")
