"""What is watched in production: drift, and challengers in shadow."""

from pydantic import Field

from trading.config.section import Fraction, Positive, Section


class DriftSettings(Section):
    """How far the month may lie from what the champion learnt from, before it is a warning.

    A limit is the larger of the plain one and `tolerance` times what the months of the reference
    differ among themselves (their 95th percentile): a market's features move from month to month.
    """

    months: Positive = Field(36, description="Months of the reference, the latest before training.")
    min_months: Positive = Field(6, description="Fewer months of reference are no reference.")
    psi: float = Field(0.25, gt=0, description="Population stability index.")
    ks: Fraction = Field(0.20, description="Kolmogorov-Smirnov distance.")
    tolerance: float = Field(2.0, ge=1, description="Times the reference's own differences.")
    sigmas: float = Field(4.0, gt=0, description="Of the market context, from its mean.")
    known_loss: Fraction = Field(
        0.10, description="Share of names by which a feature may be less known."
    )


class ShadowSettings(Section):
    """Rejected challengers that are scored on, beside the champion."""

    models: int = Field(3, ge=0, description="The latest so many; 0 scores none.")
    min_months: Positive = Field(
        3, description="Live months from which their track counts at the gate."
    )
    margin: float = Field(
        0.0, description="Annualised excess return over the champion that they must have shown."
    )


class MonitoringSettings(Section):
    """What is watched in production."""

    drift: DriftSettings = DriftSettings()
    shadow: ShadowSettings = ShadowSettings()
