"""Adjust a history of traded prices for splits and dividends, and back.

Prices as traded are facts and stay; adjusted ones are derived from them and from the actions known
by a day, so that a late or corrected action changes what is derived and nothing else. The method is
that of `trading.data.actions.readjust`, which a lake's bars are read by.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from trading.data.actions.readjust import Moves, keys, readjust
from trading.data.actions.told import tell
from trading.data.parquet import BarColumns
from trading.data.quality.series import BarSeries
from trading.market.bars import PRICE_COLUMNS, CorporateAction
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
    if not len(series):
        return series.to_bars()
    values = dict(series.values) | {"adjusted_close": np.full(len(series), np.nan)}
    bars = BarColumns(series.day, series.code, series.symbols, values)
    made = readjust([bars], _moves(series, actions), _last_day(series))[0]
    return replace(series, values=dict(made.values)).to_bars()


def unadjust_bars(adjusted: pd.DataFrame, actions: Sequence[CorporateAction]) -> pd.DataFrame:
    """Return the prices and volumes as traded; the inverse of `adjust_bars` up to rounding.

    `adjusted_close` becomes the close, since as traded there is no other.
    """
    series = BarSeries.from_bars(adjusted)
    ratio = _ratio_after(series, _moves(series, actions))
    values = {name: series[name] * ratio for name in PRICE_COLUMNS}
    values["volume"] = series["volume"] / ratio
    values["adjusted_close"] = values["close"]
    return replace(series, values=values).to_bars()


def _moves(series: BarSeries, actions: Sequence[CorporateAction]) -> Moves:
    """Return the actions that have a bar before them and one at or after them."""
    first = dict(zip(series.symbols, series.day[series.starts[:-1]].tolist(), strict=True))
    last = dict(zip(series.symbols, series.day[series.starts[1:] - 1].tolist(), strict=True))
    within = [a for a in actions if a.symbol in first and first[a.symbol] < a.ex_date]
    return Moves.of(tell((a for a in within if a.ex_date <= last[a.symbol]), date.min))


def _ratio_after(series: BarSeries, moves: Moves) -> FloatArray:
    """Return for each row the product of the split ratios after it, 1 where none is."""
    code = moves.codes(series.symbols)[series.code]
    rows = np.flatnonzero(code >= 0)
    ratio = np.ones(len(series))
    if len(rows):
        end = int(np.datetime64(_last_day(series), "D").astype(np.int64))
        now = moves.splits.at(keys(code[rows], end))
        ratio[rows] = now / moves.splits.at(keys(code[rows], series.day[rows].astype(np.int64)))
    return ratio


def _last_day(series: BarSeries) -> date:
    last: date = series.day.max().astype(object)
    return last
