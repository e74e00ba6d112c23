"""Adjust a history of traded prices for splits and dividends, and back.

Prices as traded are facts and stay; adjusted ones are derived from them and from the actions known
by a day, so that a late or corrected action changes what is derived and nothing else. The method is
CRSP's (Data Descriptions Guide, cumulative factors to adjust prices and shares): a split of `s` new
shares per old divides every earlier price by `s` and multiplies every earlier volume; a dividend of
`d` multiplies every earlier adjusted close by ``1 - d / close of the session before``.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from trading.data.quality.events import Events, locate
from trading.data.quality.series import BarSeries
from trading.errors import DataError
from trading.market.bars import PRICE_COLUMNS, CorporateAction, CorporateActionType
from trading.market.panel import FloatArray


def adjust_bars(
    traded: pd.DataFrame, actions: Sequence[CorporateAction], *, known_by: date | None = None
) -> pd.DataFrame:
    """Return the bars as the actions say: prices and volume for splits, adjusted close for both.

    Parameters
    ----------
    traded : a bars frame of prices and volumes as traded; its `adjusted_close` is not looked at
    actions : splits and dividends, each dividend in money a share as paid (not split-adjusted)
    known_by : only actions with an ex-date up to this day count, and only bars up to it come back:
        what was known then; None for all

    Returns
    -------
    A bars frame sorted by symbol and date. The last bars of a symbol are as traded. An action
    before a symbol's first bar, or after its last, changes nothing; one on a day without a bar
    takes effect on the next. A missing close before a dividend: the last known one counts.

    Raises
    ------
    DataError
        A dividend is as large as the close before it or larger.
    """
    if known_by is not None:
        traded = traded[traded["date"] <= pd.Timestamp(known_by)]
        actions = [action for action in actions if action.ex_date <= known_by]
    series = BarSeries.from_bars(traded)
    splits = locate(series, actions, CorporateActionType.SPLIT)
    ratio = _later(series, splits, np.log(splits.value))
    values = dict(series.values)
    with np.errstate(over="ignore"):
        for name in PRICE_COLUMNS:
            values[name] = values[name] / ratio
        values["volume"] = values["volume"] * ratio
    values["adjusted_close"] = values["close"] * _dividend_factor(series, actions)
    return replace(series, values=values).to_bars()


def unadjust_bars(adjusted: pd.DataFrame, actions: Sequence[CorporateAction]) -> pd.DataFrame:
    """Return the prices and volumes as traded; the inverse of `adjust_bars` up to rounding.

    `adjusted_close` becomes the close, since as traded there is no other.
    """
    series = BarSeries.from_bars(adjusted)
    splits = locate(series, actions, CorporateActionType.SPLIT)
    ratio = _later(series, splits, np.log(splits.value))
    values = {name: series[name] * ratio for name in PRICE_COLUMNS}
    values["volume"] = series["volume"] / ratio
    values["adjusted_close"] = values["close"]
    return replace(series, values=values).to_bars()


def _dividend_factor(series: BarSeries, actions: Sequence[CorporateAction]) -> FloatArray:
    paid = locate(series, actions, CorporateActionType.DIVIDEND)
    if not len(paid):
        return np.ones(len(series))
    before = _last_known(series, series["close"])[paid.row - 1]
    # A split on the very ex-date: the dividend is told in new shares, the close before in old ones.
    splits = locate(series, actions, CorporateActionType.SPLIT)
    same_day = np.ones(len(series))
    np.multiply.at(same_day, splits.row, splits.value)
    share = paid.value * same_day[paid.row] / before
    if (share >= 1).any():
        worst = int(np.flatnonzero(share >= 1)[0])
        raise DataError(
            f"the dividend {paid.value[worst]:g} of {series.symbols[series.code[paid.row[worst]]]} "
            f"on {paid.day[worst]} is not below the close before it "
            f"({before[worst]:g}); check its unit (`trading data check`)"
        )
    kept = np.where(np.isfinite(share), np.log1p(-share), 0.0)
    return _later(series, paid, kept)


def _later(series: BarSeries, events: Events, log_factor: FloatArray) -> FloatArray:
    """Return for each row the product of the factors of the events after it, 1 where none is."""
    column = np.zeros(len(series))
    np.add.at(column, events.row, log_factor)
    total = np.r_[np.cumsum(column[::-1])[::-1], 0.0]
    ends = series.starts[1:][series.code]
    after = total[np.arange(len(series)) + 1] - total[ends]
    last = np.full(len(series.symbols), -1)
    np.maximum.at(last, series.code[events.row], events.row)
    after[np.arange(len(series)) >= last[series.code]] = 0.0
    return np.asarray(np.exp(after))


def _last_known(series: BarSeries, column: FloatArray) -> FloatArray:
    """Return each row's value, or the last known one of its symbol, NaN where there is none."""
    spot = np.where(np.isnan(column), -1, np.arange(len(column)))
    held = np.maximum.accumulate(np.maximum(spot, -1)) if len(column) else spot
    begins = series.starts[:-1][series.code]
    return np.where(held >= begins, column[np.maximum(held, 0)], np.nan)
