"""Signals from the exposure that a strategy wants: one wherever it changes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled
from trading.errors import SignalError
from trading.market.market_data import MarketData
from trading.strategy.base import BaseStrategy
from trading.strategy.signals import CodeArray, FloatArray, IntArray, Signals

UNKNOWN = -128


def crossing_signals(strategy: BaseStrategy, data: MarketData, exposure: CodeArray) -> Signals:
    """Return a signal wherever the wanted exposure is known and differs from the bar before.

    What follows a bar of unknown exposure is a signal whatever it is, "flat" too: while nothing was
    known the position was left as it was, and it must be set right. Nothing is known before the
    first bar. An unknown exposure is never a signal.

    Parameters
    ----------
    exposure : (T, N) int8: 1 long, 0 flat, -1 short, `UNKNOWN`

    Returns
    -------
    Signals
        Long is BUY 1. Flat is SELL, of strength 1 from a strategy that is long only and 0 from one
        that goes short; short is SELL 1.

    Raises
    ------
    SignalError
        The shape is not that of the bars, the type is not int8, or a long-only strategy asks for a
        short exposure.
    """
    if exposure.shape != data.shape or exposure.dtype != np.int8:
        raise SignalError(
            f"{strategy.strategy_id}: an exposure is int8 of shape {data.shape}, "
            f"got {exposure.dtype} of shape {exposure.shape}"
        )
    rows, columns, wanted = _crossings(exposure)
    if strategy.long_only and (wanted < 0).any():
        raise SignalError(
            f"{strategy.strategy_id} is long only, yet asks for a short exposure; "
            "set long_only = False on the class"
        )
    actions: CodeArray = np.where(wanted > 0, 1, -1).astype(np.int8)
    strengths = np.ones(len(rows))
    if not strategy.long_only:
        strengths[wanted == 0] = 0.0
    return Signals(
        strategy.strategy_id, data.timestamps, data.symbols, rows, columns, actions, strengths
    )


def exposure_signals(strategy: BaseStrategy, data: MarketData, exposure: FloatArray) -> Signals:
    """Return a signal wherever the wanted exposure, of any size, differs from the bar before.

    Parameters
    ----------
    exposure : (T, N) float64, -1..1, negative short; nothing is held before the first bar

    Returns
    -------
    Signals
        BUY of the exposure where it is positive, else SELL of its size (0: flat).

    Raises
    ------
    SignalError
        The shape is not that of the bars, or an exposure is NaN or beyond 1.
    """
    if exposure.shape != data.shape:
        raise SignalError(
            f"{strategy.strategy_id}: an exposure has shape {data.shape}, got {exposure.shape}"
        )
    change = np.empty(exposure.shape, dtype=bool)
    change[:1] = exposure[:1] != 0.0
    np.not_equal(exposure[1:], exposure[:-1], out=change[1:])
    rows, columns = np.nonzero(change)
    wanted = exposure[rows, columns]
    return Signals(
        strategy.strategy_id,
        data.timestamps,
        data.symbols,
        rows,
        columns,
        np.where(wanted > 0, 1, -1).astype(np.int8),
        np.abs(wanted),
    )


@compiled
def _crossings(exposure: CodeArray) -> tuple[IntArray, IntArray, npt.NDArray[Any]]:
    bars, symbols = exposure.shape
    count = 0
    for row in range(bars):
        for column in range(symbols):
            before = exposure[row - 1, column] if row else UNKNOWN
            count += (exposure[row, column] != UNKNOWN) & (exposure[row, column] != before)
    rows = np.empty(count, dtype=np.int64)
    columns = np.empty(count, dtype=np.int64)
    wanted = np.empty(count, dtype=np.int8)
    at = 0
    for row in range(bars):
        for column in range(symbols):
            now = exposure[row, column]
            before = exposure[row - 1, column] if row else UNKNOWN
            if now != UNKNOWN and now != before:
                rows[at], columns[at], wanted[at] = row, column, now
                at += 1
    return rows, columns, wanted
