"""Daily returns that lose no move to a missing bar, and gaps too long to bridge."""

import numpy as np

from trading.features.windows import last_known
from trading.market.panel import FloatArray
from trading.universe.liquidity import IntArray

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
    with np.errstate(over="ignore"):
        returns[1:] = price[1:] / last_known(price, LONGEST_GAP)[:-1] - 1.0
    returns[~np.isfinite(returns)] = np.nan
    return returns


def resumption_rows(close: FloatArray) -> IntArray:
    """Return the row of the last bar that followed a gap too long to bridge, `(T, N)` int64.

    -1 before any such gap. What lies before that row may be another company under the same ticker.
    """
    rows = np.arange(len(close), dtype=np.int64)[:, None]
    known = ~np.isnan(close)
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    before = np.vstack([np.full((1, close.shape[1]), -1), last[:-1]])
    resumed = known & (before >= 0) & (rows - before > LONGEST_GAP + 1)
    return np.maximum.accumulate(np.where(resumed, rows, -1), axis=0)
