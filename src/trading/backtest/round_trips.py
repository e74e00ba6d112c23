"""Round trips: each position from flat to flat, at average cost."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.compiled import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COLUMNS = (
    *("symbol", "side", "entry_time", "exit_time", "quantity", "entry_price", "exit_price"),
    *("pnl", "return", "costs", "bars"),
)


def round_trips(
    symbols: npt.NDArray[np.object_],
    stamps: npt.NDArray[np.datetime64],
    columns: IntArray,
    rows: IntArray,
    signed: IntArray,
    prices: FloatArray,
    costs: FloatArray,
) -> pd.DataFrame:
    """Return the finished round trips in the order in which they ended.

    A trip ends when the position is flat or changes its side; `quantity` is all that was entered,
    `pnl` is net of commissions and slippage charges, without dividends and borrow fees, `return`
    is `pnl` over the value entered, `bars` counts from the first fill to the last.

    Parameters
    ----------
    symbols : (N,) names; `columns` counts them
    stamps : (T,) of the bars that `rows` counts
    columns, rows : (F,) of the fills and closings, in time
    signed : (F,) micro-shares, negative for a sale; 0 for a split
    prices : (F,) USD; of a split, the new shares for an old one
    costs : (F,) USD of commission and slippage charge
    """
    order = np.lexsort((np.arange(len(rows)), columns))
    made = _trips(columns[order], rows[order], signed[order], prices[order], costs[order])
    column, side, entry, leave, quantity, entered, left, paid = made
    by_end = np.lexsort((column, leave))
    quantity, entered, left, paid = (one[by_end] for one in (quantity, entered, left, paid))
    side, entry, leave = side[by_end], entry[by_end], leave[by_end]
    pnl = side * (left - entered) - paid
    frame = {
        "symbol": pd.Series(symbols[column[by_end]], dtype="str"),
        "side": pd.Series(np.where(side > 0, "LONG", "SHORT"), dtype="str"),
        "entry_time": pd.DatetimeIndex(stamps[entry]).tz_localize("UTC"),
        "exit_time": pd.DatetimeIndex(stamps[leave]).tz_localize("UTC"),
        "quantity": quantity,
        "entry_price": entered / quantity,
        "exit_price": left / quantity,
        "pnl": pnl,
        "return": pnl / entered,
        "costs": paid,
        "bars": leave - entry,
    }
    return pd.DataFrame(frame, columns=list(COLUMNS))


@compiled
def _trips(
    columns: IntArray, rows: IntArray, signed: IntArray, prices: FloatArray, costs: FloatArray
) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Follow fills sorted by symbol and time; a fill through zero ends one trip, begins another."""
    size = len(rows)
    numbers = np.zeros((4, size), dtype=np.int64)
    values = np.zeros((4, size))
    done, held, side, entry = 0, 0, 0, 0
    quantity, entered, left, paid = 0.0, 0.0, 0.0, 0.0
    for at in range(size):
        if at > 0 and columns[at] != columns[at - 1]:
            held = 0
        rest, cost = signed[at], costs[at]
        if rest == 0:
            held = int(np.rint(held * prices[at]))
            quantity *= prices[at]
        if held != 0 and (rest > 0) != (held > 0):
            closed = min(abs(rest), abs(held))
            share = closed / abs(rest)
            left += closed * prices[at] / 1e6
            paid += cost * share
            cost -= cost * share
            held += closed if rest > 0 else -closed
            rest += -closed if rest > 0 else closed
            if held == 0:
                numbers[0, done] = columns[at]
                numbers[1, done] = side
                numbers[2, done] = entry
                numbers[3, done] = rows[at]
                values[0, done] = quantity
                values[1, done] = entered
                values[2, done] = left
                values[3, done] = paid
                done += 1
        if rest != 0:
            if held == 0:
                side, entry = (1 if rest > 0 else -1), rows[at]
                quantity, entered, left, paid = 0.0, 0.0, 0.0, 0.0
            held += rest
            quantity += abs(rest) / 1e6
            entered += abs(rest) * prices[at] / 1e6
            paid += cost
    return (
        numbers[0, :done],
        numbers[1, :done],
        numbers[2, :done],
        numbers[3, :done],
        values[0, :done],
        values[1, :done],
        values[2, :done],
        values[3, :done],
    )
