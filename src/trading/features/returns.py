"""Daily returns that lose no move to a missing bar."""

import numpy as np

from trading.features.windows import last_known
from trading.market.panel import FloatArray

LONGEST_GAP = 63


def bridged_returns(adjusted_close: FloatArray) -> FloatArray:
    """Return simple daily returns, `(T, N)`, measured from the last bar before each session.

    On consecutive bars they are `Panel.returns`. The first bar after a gap of at most 63 sessions
    carries the whole return over the gap, since whoever held the name had it; after a longer gap
    the return is unknown, since a reused ticker would look the same. NaN where there is no bar and
    where a price is not positive.
    """
    price = np.where(adjusted_close > 0, adjusted_close, np.nan)
    returns = np.full_like(price, np.nan)
    returns[1:] = price[1:] / last_known(price, LONGEST_GAP)[:-1] - 1.0
    returns[~np.isfinite(returns)] = np.nan
    return returns
