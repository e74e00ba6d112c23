"""The room in which the compiled formulas work, used for one block of names after the other."""

from typing import NamedTuple, Self

import numpy as np

from trading.features.kernel_exponential import MEMORIES
from trading.features.kernel_median import BUFFER
from trading.features.kernel_windows import LANES, START
from trading.features.returns import Float32Array
from trading.market.panel import FloatArray


class Cells(NamedTuple):
    """One block of names, each array flat as `kernel_windows` says.

    Attributes
    ----------
    open, high, close, volume, price : the bars as they are, then what is known of them; the price
        is the adjusted close, in the end the last one known; the open makes room for overnight over
        intraday growth, and that for its logarithm
    returns : see `returns.bridged_returns`
    traded, impact, shock : value traded, moves for it, a month's volume against the half-year's
    medians : of the value traded, float32
    last, resumed : rows of the last bar, and of the last after a gap too long to bridge
    left, right, third : room; nothing is known before the first row
    sums, counts, squares, months, month_counts : room; 0 before the first row
    turns, buffer : room of `month_medians`
    past : a row of names for each field of `Remembered`
    listings : the same for each field of `Listings`
    carried : room of `carry`
    """

    open: FloatArray
    high: FloatArray
    close: FloatArray
    volume: FloatArray
    price: FloatArray
    returns: FloatArray
    traded: FloatArray
    impact: FloatArray
    shock: FloatArray
    medians: Float32Array
    last: FloatArray
    resumed: FloatArray
    left: FloatArray
    right: FloatArray
    third: FloatArray
    sums: FloatArray
    counts: FloatArray
    squares: FloatArray
    months: FloatArray
    month_counts: FloatArray
    turns: Float32Array
    buffer: Float32Array
    past: FloatArray
    listings: FloatArray
    carried: FloatArray

    @classmethod
    def of_rows(cls, rows: int) -> Self:
        """Return room for a block of so many rows."""
        cells = START + rows * LANES
        room = {name: np.full(cells, np.nan) for name in cls._fields}
        for name in ("sums", "counts", "squares", "months", "month_counts"):
            room[name] = np.zeros(cells)
        for name, each in (("past", MEMORIES), ("listings", 4), ("carried", 2)):
            room[name] = np.zeros(each * LANES)
        singles = {name: np.full(cells, np.nan, np.float32) for name in ("medians", "turns")}
        singles["buffer"] = np.zeros(BUFFER, np.float32)
        return cls(**room | singles)
