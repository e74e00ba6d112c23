"""Which names could be held after a decision, by what was known then."""

import numpy as np

from trading.config import Settings
from trading.features.windows import last_known
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import BoolArray, IntArray, descending, last_bar_rows


def eligible_names(
    panel: Panel, rows: IntArray, dollar_volume: FloatArray, settings: Settings
) -> BoolArray:
    """Return which names could be held after each row, `(R, N)` bool.

    A name had a bar within `universe.max_stale_sessions`, has `universe.min_history_sessions`
    bars, its last close and its median value traded reach the minima of `portfolio`, and of the
    names that pass it is among the `universe.active` most traded, ties by symbol. Prices are
    split-adjusted as of the end of the panel, so the minimum price judges the past in the shares
    of that day.

    Parameters
    ----------
    dollar_volume : `(R, N)` USD, the median value traded as of each row, NaN where unknown
    """
    stale = settings.universe.max_stale_sessions
    bars = np.cumsum(~np.isnan(panel.close), axis=0)[rows]
    recent = rows[:, None] - last_bar_rows(panel)[rows] <= stale
    price = last_known(panel.close, stale)[rows]
    symbols = np.array(panel.symbols, dtype=np.str_)
    eligible: BoolArray = np.asarray(
        recent & (bars >= settings.universe.min_history_sessions) & (symbols != "")
    )
    eligible &= price >= settings.portfolio.min_price_usd
    eligible &= dollar_volume >= settings.portfolio.min_dollar_volume_usd
    for i in range(len(rows)):
        order = descending(np.where(eligible[i], dollar_volume[i], np.nan), symbols)
        eligible[i, order[settings.universe.active :]] = False
    return eligible
