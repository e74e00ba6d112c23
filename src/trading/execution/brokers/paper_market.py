"""What the market of the paper broker is told of one bar."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SPLIT, DIVIDEND, DELISTING = 0, 1, 2


@dataclass(frozen=True, slots=True)
class BarAction:
    """A corporate action before the open of a bar.

    Attributes
    ----------
    column : of the symbol
    kind : SPLIT, DIVIDEND or DELISTING
    value : new shares per old share, USD a share, or the final return
    """

    column: int
    kind: int
    value: float


@dataclass(frozen=True, eq=False)
class MarketRow:
    """One bar of every symbol.

    Attributes
    ----------
    timestamp : aware, UTC: when the bar closed; it names the row
    opened_at : aware, UTC: when the bar began; orders that arrive later miss it
    session : the exchange's date
    last : whether the bar is the last of its session
    open, high, low, close, volume : (N,) float64, NaN where there is no bar
    actions : before its open, in the order of docs/backtesting.md
    volatility, dollar_volume : (N,) daily, known at the close; empty where no cost needs them
    """

    timestamp: datetime
    opened_at: datetime
    session: date
    last: bool
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    actions: tuple[BarAction, ...]
    volatility: FloatArray
    dollar_volume: FloatArray
