"""The limits of orders as plain numbers, and what the compiled checks of an order look at."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.risk.settings import LimitSettings, RiskSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESIZE, REJECT, HALT_TRADING = 0, 1, 2
_ACTIONS = {"resize": RESIZE, "reject": REJECT, "halt": HALT_TRADING}


class Limits(NamedTuple):
    """`RiskSettings` as plain numbers; a negative limit is switched off."""

    position: float
    position_action: int
    leverage: float
    leverage_action: int
    sector: float
    sector_action: int
    concentration: float
    concentration_action: int
    correlation: float
    correlation_action: int
    var: float
    var_action: int
    daily_trades: float
    daily_trades_action: int
    drawdown: float
    stop_loss: float
    take_profit: float
    window: int
    var_level: float

    @classmethod
    def of(cls, settings: RiskSettings) -> "Limits":
        """Return the limits that the settings describe."""
        return cls(
            *_pair(settings.max_position),
            *_pair(settings.max_leverage),
            *_pair(settings.max_sector),
            *_pair(settings.max_concentration),
            *_pair(settings.max_correlation),
            *_pair(settings.max_var),
            *_pair(settings.max_daily_trades),
            drawdown=_or_off(settings.max_drawdown),
            stop_loss=_or_off(settings.stop_loss),
            take_profit=_or_off(settings.take_profit),
            window=settings.window,
            var_level=settings.var_level,
        )

    @property
    def needs_history(self) -> bool:
        """Whether a check looks at past returns."""
        return self.correlation >= 0.0 or self.var >= 0.0


def _pair(limit: LimitSettings | None) -> tuple[float, int]:
    return (-1.0, RESIZE) if limit is None else (limit.limit, _ACTIONS[limit.action])


def _or_off(limit: float | None) -> float:
    return -1.0 if limit is None else limit


class Moment(NamedTuple):
    """What a check needs to know of the present.

    Attributes
    ----------
    row : of the ledger
    equity : micro-dollars
    sectors : (N,) sector of each symbol
    closes : (N,) float64 USD
    history : (H, N) float64 adjusted closes up to now, empty when no limit needs it
    """

    row: int
    equity: int
    sectors: IntArray
    closes: FloatArray
    history: FloatArray


class Increase(NamedTuple):
    """The part of an order that opens or increases a position, as the limits look at it.

    Attributes
    ----------
    column : of the symbol
    side : 1 buy, -1 sell
    reducing : micro-shares of the same order that reduce a position first
    quantity : micro-shares that increase, whole lots
    reason : the last limit that cut it, 0 none
    halts : whether that limit halts trading
    """

    column: int
    side: int
    reducing: int
    quantity: int
    reason: int
    halts: bool
