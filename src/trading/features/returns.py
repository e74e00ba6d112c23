"""Daily returns that lose no move to a missing bar, and gaps too long to bridge."""

import numpy as np

from trading.features.windows import last_known
from trading.market.panel import FloatArray

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
