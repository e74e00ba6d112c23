"""What the portfolio environments let an agent hold."""

from pydantic import Field

from trading.config.section import Fraction, Section


class ExposureSettings(Section):
    """Limits of the portfolio environments; the default is long only and never borrowed.

    Production, gate and mail hold the long-only model portfolio whatever stands here.
    """

    max_gross: float = Field(
        1.0, gt=0, le=10, description="Sum of all weights without their sign; above 1 is leverage."
    )
    max_short: float = Field(
        0.0, ge=0, le=10, description="Sum of the weights sold short; 0 is long only."
    )
    max_turnover: float | None = Field(
        None, gt=0, description="One way, a decision; what may not be held is sold beyond it."
    )
    borrow_rate: Fraction = Field(0.03, description="A year, of the value sold short.")
    margin_rate: Fraction = Field(0.06, description="A year, of the cash that is borrowed.")
    delisting_return: float = Field(
        0.0, ge=-1, le=1, description="Return of a name that leaves the market, where unknown."
    )
