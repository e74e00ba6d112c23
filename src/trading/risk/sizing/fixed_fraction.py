"""A fixed fraction of the capital in every name."""

from pydantic import Field

from trading.market.market_data import MarketData
from trading.risk.sizing.base import FloatArray, IntArray, NameSizer
from trading.risk.sizing.registry import register
from trading.strategy.base import Parameters


class FixedFractionParameters(Parameters):
    """The parameters of `FixedFraction`."""

    fraction: float = Field(
        0.05, gt=0.0, le=1.0, description="Weight of a name wanted with strength 1."
    )


@register
class FixedFraction(NameSizer):
    """weight = fraction * exposure. Prices play no part, so missing ones change nothing."""

    name = "fixed_fraction"
    parameters_type = FixedFractionParameters
    parameters: FixedFractionParameters

    @property
    def lookback(self) -> int:
        """One bar: that of the decision."""
        return 1

    def weights(
        self,
        data: MarketData,  # noqa: ARG002 - the fraction is fixed
        rows: IntArray,  # noqa: ARG002
        columns: IntArray,  # noqa: ARG002
        exposures: FloatArray,
    ) -> FloatArray:
        """Return `fraction * exposures`."""
        return self.parameters.fraction * exposures
