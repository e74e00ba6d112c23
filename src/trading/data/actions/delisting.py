"""Delistings: the last return of a share that left the market.

A history that simply ends leaves out what its holders got, and flatters every backtest that held
it (Shumway, "The Delisting Bias in CRSP Data", Journal of Finance 52, 1997). A delisting therefore
carries its final return: what was paid over the last close, minus one.
"""

from collections.abc import Sequence

import numpy as np

from trading.data.quality.series import BarSeries
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray, Panel

# What Shumway (1997) found for performance-related delistings whose return is not known.
SHUMWAY = -0.30


def delisting_returns(panel: Panel, actions: Sequence[CorporateAction]) -> FloatArray:
    """Return the panel's `(T, N)` simple returns with each delisting return in its place.

    It stands in the row after the symbol's last close (or in the last row when the close is
    there, compounded with that session's own return). A delisting without a known return stays
    NaN: it is not zero. Delistings of symbols without a column change nothing.

    Raises
    ------
    DataError
        A delisting return is below -1: nobody loses more than all.
    """
    returns = panel.returns()
    column_of = {symbol: i for i, symbol in enumerate(panel.symbols)}
    for action in actions:
        column = column_of.get(action.symbol)
        if action.type is not CorporateActionType.DELISTING or column is None:
            continue
        if action.value is None or np.isnan(action.value):
            continue
        if action.value < -1:
            raise DataError(
                f"the delisting return {action.value:g} of {action.symbol} is below -1; expected "
                "a fraction such as -0.3"
            )
        held = np.flatnonzero(
            ~np.isnan(panel.close[:, column]) & (panel.sessions < np.datetime64(action.ex_date))
        )
        if not len(held):
            continue
        row = min(int(held[-1]) + 1, panel.shape[0] - 1)
        own = returns[row, column] if row == held[-1] else 0.0
        returns[row, column] = (1 + np.nan_to_num(own)) * (1 + action.value) - 1
    return returns


def with_delistings(
    series: BarSeries,
    actions: Sequence[CorporateAction],
    last_session: np.datetime64,
    *,
    after_sessions: int = 5,
    assumed_return: float | None = None,
) -> tuple[CorporateAction, ...]:
    """Return the actions with a delisting for every series that ends early and has none.

    Parameters
    ----------
    last_session : the last session that the source covers
    after_sessions : business days of silence after which a symbol counts as delisted
    assumed_return : its return; None says that nobody knows, `SHUMWAY` is the usual assumption
    """
    told = {a.symbol for a in actions if a.type is CorporateActionType.DELISTING}
    last = series.day[series.starts[1:] - 1]
    silent = np.busday_count(last, last_session) > after_sessions
    # The day after the last bar, a business day.
    left = np.busday_offset(last, 1, roll="forward")
    new = [
        CorporateAction(
            series.symbols[i],
            left[i].astype(object),
            CorporateActionType.DELISTING,
            assumed_return,
        )
        for i in np.flatnonzero(silent)
        if series.symbols[i] not in told
    ]
    return tuple(sorted((*actions, *new), key=lambda a: (a.ex_date, a.symbol, a.type)))
