"""Daily returns that lose no move to a missing bar, and gaps too long to bridge."""

import numpy as np
import numpy.typing as npt

from trading.features.windows import last_known
from trading.market.panel import FloatArray

Float32Array = npt.NDArray[np.float32]

STALE = 5
"""Sessions that the last price known stands for a missing one."""
LONGEST_GAP = 63
LARGEST = float(np.finfo(np.float32).max)


def positive(prices: FloatArray) -> FloatArray:
    """Return the prices with NaN where one is not a positive finite number."""
    fine = (prices > 0.0) & (prices < np.inf)
    return prices if fine.all() else np.where(fine, prices, np.nan)


def bridged_returns(adjusted_close: FloatArray) -> FloatArray:
    """Return simple daily returns, `(T, N)`, measured from the last bar before each session.

    On consecutive bars they are `Panel.returns`. The first bar after a gap of at most 63 sessions
    carries the whole return over the gap, since whoever held the name had it; after a longer gap
    the return is unknown, since a reused ticker would look the same. NaN where there is no bar and
    where a price is not positive, and where single precision could not hold the return.
    """
    price = positive(adjusted_close)
    returns = np.full_like(price, np.nan)
    with np.errstate(over="ignore"):
        np.divide(price[1:], last_known(price, LONGEST_GAP)[:-1], out=returns[1:])
    returns -= 1.0
    np.copyto(returns, np.nan, where=returns > LARGEST)
    return returns


def with_delistings(returns: Float32Array, delisting_return: float) -> Float32Array:
    """Return `(T, S)` daily returns with the last one of each name that left the market.

    A name whose returns end more than `STALE` rows before the others' has left; the row after its
    last return gets `delisting_return`, for whoever still held it. Bars do not tell it: -0.3 is
    what Shumway ("The Delisting Bias in CRSP Data", 1997) finds for names delisted for
    performance, 0 is a sale at the last price. With 0 the array itself is returned.
    """
    if delisting_return == 0.0 or not len(returns):
        return returns
    known = np.isfinite(returns)
    last = len(returns) - 1 - np.argmax(known[::-1], axis=0)
    left = np.flatnonzero(known.any(axis=0) & (last + STALE < len(returns) - 1))
    final = returns.copy()
    final[last[left] + 1, left] = delisting_return
    return final
