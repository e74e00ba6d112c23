"""Position sizers: from what a strategy wants to target weights.

`build_sizer(name, parameters)` makes one of `fixed_fraction`, `kelly`, `volatility_scaled`,
`risk_parity` and `mean_variance`; a class derived from `NameSizer` or `PortfolioSizer`, with a name
of its own and the decorator `register`, becomes another.
"""

from trading.risk.sizing.base import (
    NameSizer,
    PortfolioSizer,
    PositionSizer,
    Targets,
    wanted_exposures,
)
from trading.risk.sizing.fixed_fraction import FixedFraction
from trading.risk.sizing.kelly import KellyCriterion
from trading.risk.sizing.mean_variance import MeanVariance
from trading.risk.sizing.registry import build_sizer, register, sizer_names, sizer_type
from trading.risk.sizing.risk_parity import RiskParity
from trading.risk.sizing.volatility_scaled import VolatilityScaled

__all__ = [
    "FixedFraction",
    "KellyCriterion",
    "MeanVariance",
    "NameSizer",
    "PortfolioSizer",
    "PositionSizer",
    "RiskParity",
    "Targets",
    "VolatilityScaled",
    "build_sizer",
    "register",
    "sizer_names",
    "sizer_type",
    "wanted_exposures",
]
