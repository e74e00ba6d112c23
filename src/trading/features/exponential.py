"""The features that remember everything: exponential means, one row after the other.

All names go forward together, so that a session costs some forty operations on `(N,)` rows, and
what the means remember of the past is a handful of such rows: `Remembered` is handed from one call
to the next, and the rows may come all at once or one by one, with the same result, bit for bit.
"""

from dataclasses import dataclass, fields

import numpy as np

from trading.market.panel import FloatArray
from trading.universe.liquidity import BoolArray, IntArray

WILDER = 14
FAST, SLOW, SIGNAL = 12, 26, 9


@dataclass(eq=False)
class Remembered:
    """What the exponential means know of the rows before, each `(N,)` float64.

    A mean is a sum of values over the sum of their weights, each of which falls by a factor a row;
    the weights of the known values are normalised to one, as pandas' `ewm(adjust=True,
    ignore_na=False)` does.

    Attributes
    ----------
    price : of the last row, NaN where unknown
    gains, moves, changes : sums of upward and of all moves, and how many moves were known
    fast, fast_weight, slow, slow_weight, prices : of prices, and how many were known
    signal, signal_weight, lines : of the MACD line, and how many of it were known
    """

    price: FloatArray
    gains: FloatArray
    moves: FloatArray
    changes: FloatArray
    fast: FloatArray
    fast_weight: FloatArray
    slow: FloatArray
    slow_weight: FloatArray
    prices: FloatArray
    signal: FloatArray
    signal_weight: FloatArray
    lines: FloatArray

    @classmethod
    def nothing(cls, names: int) -> "Remembered":
        """Return what is known before any row."""
        first = {field.name: np.zeros(names) for field in fields(cls)}
        return cls(**first | {"price": np.full(names, np.nan)})

    def of(self, names: IntArray) -> "Remembered":
        """Return a copy of that of some names; nothing is known of -1."""
        known = {
            field.name: np.where(names >= 0, getattr(self, field.name)[names], 0.0)
            for field in fields(self)
        }
        return Remembered(**known | {"price": np.where(names >= 0, self.price[names], np.nan)})


def relative_strength(price: FloatArray, past: Remembered) -> FloatArray:
    """Return Wilder's index at every row, `(T, N)`; `past` goes on to the last row.

    100 U / (U + D) with the Wilder means of upward and downward moves, whose weights cancel; 50
    where nothing moved. NaN where the move is unknown or fewer than 14 were known.
    """
    index = np.empty_like(price)
    decay = 1.0 - 1.0 / WILDER
    move, known = np.empty(price.shape[1]), np.empty(price.shape[1], dtype=bool)
    before = past.price
    for now, row in zip(price, index, strict=True):
        np.subtract(now, before, out=move)
        past.changes += _take_known(move, known)
        np.maximum(move, 0.0, out=row)
        past.gains *= decay
        past.gains += row
        np.abs(move, out=move)
        past.moves *= decay
        past.moves += move
        np.divide(past.gains, past.moves, out=row)
        np.copyto(row, 0.5, where=past.moves == 0.0)
        known &= past.changes >= WILDER
        _blank(row, known)
        before = now
    index *= 100.0
    past.price = before.copy()
    return index


def macd_histogram(price: FloatArray, past: Remembered) -> FloatArray:
    """Return the MACD line less its signal as a share of the price, `(T, N)`; `past` goes on.

    NaN where the price is unknown, fewer than 26 were known, or fewer than 9 of the line.
    """
    histogram = np.empty_like(price)
    names = price.shape[1]
    value, line, mean = np.empty(names), np.empty(names), np.empty(names)
    known = np.empty(names, dtype=bool)
    for now, row in zip(price, histogram, strict=True):
        value[:] = now
        counted = _take_known(value, known)
        past.prices += counted
        _remember(past.fast, past.fast_weight, value, counted, _decay(FAST))
        _remember(past.slow, past.slow_weight, value, counted, _decay(SLOW))
        np.divide(past.fast, past.fast_weight, out=line)
        np.divide(past.slow, past.slow_weight, out=mean)
        line -= mean
        known &= past.prices >= SLOW
        counted = 1.0
        if not known.all():
            np.copyto(line, 0.0, where=~known)
            counted = known.astype(np.float64)
        past.lines += counted
        _remember(past.signal, past.signal_weight, line, counted, _decay(SIGNAL))
        np.divide(past.signal, past.signal_weight, out=mean)
        np.subtract(line, mean, out=row)
        row /= now
        known &= past.lines >= SIGNAL
        _blank(row, known)
    return histogram


def _take_known(values: FloatArray, known: BoolArray) -> FloatArray | float:
    """Tell which values are known, make the others 0, and return 1 for known ones, 0 for others."""
    np.equal(values, values, out=known)
    if known.all():
        return 1.0
    np.copyto(values, 0.0, where=~known)
    return known.astype(np.float64)


def _blank(values: FloatArray, known: BoolArray) -> None:
    if not known.all():
        np.copyto(values, np.nan, where=~known)


def _remember(
    total: FloatArray,
    weight: FloatArray,
    values: FloatArray,
    counted: FloatArray | float,
    decay: float,
) -> None:
    total *= decay
    total += values
    weight *= decay
    weight += counted


def _decay(span: int) -> float:
    return 1.0 - 2.0 / (span + 1.0)
