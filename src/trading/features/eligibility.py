"""Which names could be held after a decision, by what was known then."""

import numpy as np

from trading.config import Settings
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import BoolArray, IntArray, descending


def eligible_names(
    panel: Panel, rows: IntArray, dollar_volume: FloatArray, settings: Settings
) -> BoolArray:
    """Return which names could be held after each row, `(R, N)` bool.

    A name traded within `universe.max_stale_sessions` (a bar with a price and volume), has
    `universe.min_history_sessions` bars, its median value traded reaches the minimum of
    `portfolio`, and of the names that pass it is among the `universe.active` most traded, ties by
    symbol. A price alone decides nothing: prices are split-adjusted with hindsight, so a name is
    judged by what it trades, which no split changes.

    Parameters
    ----------
    dollar_volume : `(R, N)` USD, the median value traded as of each row, NaN where unknown
    """
    stale = settings.universe.max_stale_sessions
    bars = np.cumsum(~np.isnan(panel.close), axis=0)[rows]
    recent = rows[:, None] - _last_trades(panel)[rows] <= stale
    symbols = np.array(panel.symbols, dtype=np.str_)
    eligible: BoolArray = np.asarray(
        recent & (bars >= settings.universe.min_history_sessions) & (symbols != "")
    )
    eligible &= dollar_volume >= settings.portfolio.min_dollar_volume_usd
    for i in range(len(rows)):
        order = descending(np.where(eligible[i], dollar_volume[i], np.nan), symbols)
        eligible[i, order[settings.universe.active :]] = False
    return eligible


def _last_trades(panel: Panel) -> IntArray:
    """Return the row of the last trade at or before each row, `(T, N)`; far back for none."""
    traded = (panel.close > 0.0) & (panel.close < np.inf) & (panel.volume > 0.0)
    rows = np.arange(len(panel.sessions), dtype=np.int64)[:, None]
    return np.maximum.accumulate(np.where(traded, rows, -(2**40)), axis=0)
