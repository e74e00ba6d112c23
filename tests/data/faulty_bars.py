"""Histories with a known fault, for the tests of quality and repairs."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from bar_examples import make_bars

from trading.market.bars import PRICE_COLUMNS, CorporateAction, CorporateActionType

SPLIT, DIVIDEND = CorporateActionType.SPLIT, CorporateActionType.DIVIDEND
START, END = date(2022, 1, 3), date(2023, 12, 29)
PRICES = [*PRICE_COLUMNS, "adjusted_close"]


def history(symbols: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return two clean years of a few symbols, adjusted closes equal to the closes."""
    bars = make_bars(symbols, START, END, seed)
    return bars.assign(adjusted_close=bars["close"])


def rows_of(bars: pd.DataFrame, symbol: str) -> np.ndarray:
    """Return the positions of a symbol's rows."""
    return np.flatnonzero((bars["symbol"] == symbol).to_numpy())


def scaled(
    bars: pd.DataFrame, rows: np.ndarray, factor: float, volume: float = 1.0
) -> pd.DataFrame:
    """Return the bars with prices (and volume) of some rows multiplied."""
    bars = bars.copy()
    bars.loc[rows, PRICES] *= factor
    bars.loc[rows, "volume"] *= volume
    return bars


def day_of(bars: pd.DataFrame, row: int) -> date:
    """Return the day of a row."""
    day: date = pd.Timestamp(bars["date"].iloc[row]).date()
    return day


def with_dividends(
    bars: pd.DataFrame, symbol: str, spots: list[int], share: float
) -> tuple[pd.DataFrame, list[CorporateAction]]:
    """Let a symbol pay `share` of the close before on some of its rows, prices and all."""
    bars, actions = bars.copy(), []
    mine = rows_of(bars, symbol)
    for spot in spots:
        fall = mine[spot:]
        paid = share * float(bars.loc[mine[spot - 1], "close"])
        bars.loc[fall, PRICES] *= 1 - share
        bars.loc[mine[:spot], "adjusted_close"] *= 1 - share
        actions.append(CorporateAction(symbol, day_of(bars, mine[spot]), DIVIDEND, paid))
    return bars, actions


def edit(bars: pd.DataFrame, change: Callable[[pd.DataFrame], None]) -> pd.DataFrame:
    """Return a changed copy."""
    bars = bars.copy()
    change(bars)
    return bars
