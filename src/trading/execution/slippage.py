"""What a trade costs: commission, half spread and square-root market impact.

The cost of trading the value `x` of a name, as a share of `x`, is

    commission + half spread + coefficient * daily volatility * sqrt(min(x / dollar volume, cap))

The concave impact and the size of its coefficient follow R. Almgren, C. Thum, E. Hauptmann and
H. Li, "Direct Estimation of Equity Market Impact" (2005), who measure 0.142 x volatility x
participation^(3/5) for the temporary impact of US stocks; the square root is the customary round
exponent (R. Grinold and R. Kahn, "Active Portfolio Management", 2000).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trading.config import CostSettings
from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

BASIS_POINT = 1e-4
PARTICIPATION_CAP = 4.0
UNKNOWN_VOLATILITY = 0.05


class TradingCosts(Protocol):
    """What the simulator asks of costs."""

    def cost(
        self,
        traded: npt.ArrayLike,
        dollar_volume: npt.ArrayLike,
        volatility: npt.ArrayLike,
        nav_usd: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Return what trades `(..., S)` cost, as a fraction of the net asset value."""


@dataclass(frozen=True, eq=False, slots=True)
class ProportionalCosts:
    """A fraction of what is bought and one of what is sold, for each name.

    Attributes
    ----------
    buy, sell : (S,) or one number for all, fractions of the traded value

    Raises
    ------
    DataError
        A fraction is negative, 1 or more, or not a number.
    """

    buy: npt.ArrayLike
    sell: npt.ArrayLike

    def __post_init__(self) -> None:
        for what, share in (("buying", self.buy), ("selling", self.sell)):
            fraction = np.asarray(share, dtype=np.float64)
            if not ((fraction >= 0.0) & (fraction < 1.0)).all():
                raise DataError(f"the cost of {what} must be a fraction 0 <= x < 1, not {fraction}")

    def cost(
        self,
        traded: npt.ArrayLike,
        dollar_volume: npt.ArrayLike,  # noqa: ARG002 (as TradingCosts has it)
        volatility: npt.ArrayLike,  # noqa: ARG002
        nav_usd: npt.ArrayLike | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return what trades `(..., S)` cost; volume and volatility play no part."""
        change = np.asarray(traded, dtype=np.float64)
        bought, sold = np.maximum(change, 0.0), np.maximum(-change, 0.0)
        return np.asarray(bought * np.asarray(self.buy) + sold * np.asarray(self.sell))


@dataclass(frozen=True, slots=True)
class CostModel:
    """The one definition of trading costs; environment, gate, backtest and reports use it.

    Attributes
    ----------
    commission_bps : basis points of the traded value
    slippage_bps : basis points of the traded value, half the spread and delay
    impact_coefficient : multiplies daily volatility and the root of participation
    capital_usd : the net asset value that a weight of 1 stands for at the start
    """

    commission_bps: float
    slippage_bps: float
    impact_coefficient: float
    capital_usd: float

    @classmethod
    def from_settings(cls, settings: CostSettings) -> "CostModel":
        """Return the model that the configuration describes."""
        return cls(**settings.model_dump())

    @property
    def linear_rate(self) -> float:
        """Commission and half spread, as a fraction of the traded value."""
        return (self.commission_bps + self.slippage_bps) * BASIS_POINT

    def rate(
        self, traded_usd: npt.ArrayLike, dollar_volume: npt.ArrayLike, volatility: npt.ArrayLike
    ) -> FloatArray:
        """Return the cost as a fraction of the traded value.

        Parameters
        ----------
        traded_usd : (..., S) USD bought or sold, either sign
        dollar_volume : (..., S) USD that the name trades in a day
        volatility : (..., S) daily, a fraction

        A volume that is not known, or below 1 USD, costs as much as `PARTICIPATION_CAP` days of
        volume; a volatility that is not known costs as `UNKNOWN_VOLATILITY` does.
        """
        traded = np.abs(np.asarray(traded_usd, dtype=np.float64))
        per_dollar, floor, impact = self.of_names(dollar_volume, volatility)
        participation = np.asarray(traded * per_dollar + floor)
        np.minimum(participation, PARTICIPATION_CAP, out=participation)
        np.sqrt(participation, out=participation)
        rate = np.asarray(participation * impact)
        rate += self.linear_rate
        return rate

    def of_names(
        self, dollar_volume: npt.ArrayLike, volatility: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what concerns names alone, before a batch of portfolios multiplies it.

        Three arrays like `dollar_volume`, a, b and c: trading x USD costs the fraction
        `linear_rate + c * sqrt(min(x * a + b, PARTICIPATION_CAP))` of x.
        """
        volume = np.asarray(dollar_volume, dtype=np.float64)
        sigma = np.asarray(volatility, dtype=np.float64)
        known = np.isfinite(volume) & (volume >= 1.0)
        per_dollar = np.where(known, 1.0 / np.where(known, volume, 1.0), 0.0)
        floor = np.where(known, 0.0, PARTICIPATION_CAP)
        sigma = np.where(np.isfinite(sigma) & (sigma >= 0.0), sigma, UNKNOWN_VOLATILITY)
        return per_dollar, floor, np.asarray(self.impact_coefficient * sigma)

    def cost(
        self,
        traded: npt.ArrayLike,
        dollar_volume: npt.ArrayLike,
        volatility: npt.ArrayLike,
        nav_usd: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Return what trades cost, as a fraction of the net asset value.

        Parameters
        ----------
        traded : (..., S) change of weight, a fraction of the net asset value, either sign
        dollar_volume, volatility : (..., S), see `rate`
        nav_usd : (...) net asset value in USD; without it, `capital_usd`

        Raises
        ------
        DataError
            A trade is not a finite number.
        """
        size = np.abs(np.asarray(traded, dtype=np.float64))
        if not np.isfinite(size).all():
            raise DataError("the size of a trade is not a finite number; check the target weights")
        nav = np.asarray(self.capital_usd if nav_usd is None else nav_usd, dtype=np.float64)
        rate = self.rate(size * nav[..., None], dollar_volume, volatility)
        rate *= size
        return rate
