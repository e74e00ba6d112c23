"""Daily returns that lose no move to a missing bar, nor what a delisting paid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.features.windows import last_known
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray, Panel

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

STALE = 5
"""Sessions that the last price known stands for a missing one."""
LONGEST_GAP = 63
LARGEST = float(np.finfo(np.float32).max)


def positive(prices: FloatArray) -> FloatArray:
    """Return the prices with NaN where one is not a positive finite number."""
    fine = (prices > 0.0) & (prices < np.inf)
    return prices if fine.all() else np.where(fine, prices, np.nan)


def bridged_returns(adjusted_close: FloatArray) -> FloatArray:
    """Return simple daily returns, `(T, N)`, measured from the last bar before each session.

    On consecutive bars they are `Panel.returns`. The first bar after a gap of at most 63 sessions
    carries the whole return over the gap, since whoever held the name had it; after a longer gap
    the return is unknown, since a reused ticker would look the same. NaN where there is no bar and
    where a price is not positive, and where single precision could not hold the return.
    """
    price = positive(adjusted_close)
    returns = np.full_like(price, np.nan)
    with np.errstate(over="ignore"):
        np.divide(price[1:], last_known(price, LONGEST_GAP)[:-1], out=returns[1:])
    returns -= 1.0
    np.copyto(returns, np.nan, where=returns > LARGEST)
    return returns


@dataclass(frozen=True)
class FinalReturns:
    """The returns that delistings paid, `(N,)` each.

    Attributes
    ----------
    row : the session after the last price of the name, -1 where no final return is known
    value : simple, after that price; NaN where none is known
    """

    row: IntArray
    value: FloatArray

    @classmethod
    def of(cls, panel: Panel, actions: Sequence[CorporateAction]) -> "FinalReturns":
        """Return those of a panel's names among corporate actions known by its last session.

        A delisting whose return nobody knows is none, and neither is that of a name which has a
        price on its ex-date or later: it trades still, or again. Raises `DataError` for a return
        below -1.
        """
        column = {symbol: i for i, symbol in enumerate(panel.symbols) if symbol}
        row = np.full(len(panel.symbols), -1)
        value = np.full(len(panel.symbols), np.nan)
        for action in actions:
            i = column.get(action.symbol)
            final = action.value
            if action.type is not CorporateActionType.DELISTING or i is None:
                continue
            if final is None or np.isnan(final):
                continue
            if not -1.0 <= final < LARGEST:
                raise DataError(
                    f"the delisting return {final:g} of {action.symbol} cannot be; expected a "
                    "fraction such as -0.3, at least -1"
                )
            held = np.flatnonzero(np.isfinite(positive(panel.adjusted_close[:, i])))
            if len(held) and panel.sessions[held[-1]] < np.datetime64(action.ex_date, "D"):
                row[i], value[i] = held[-1] + 1, final
        return cls(row, value)

    def placed(self, returns: FloatArray, first: int = 0) -> FloatArray:
        """Return `(T, N)` returns with the final ones at their rows; row 0 is the panel's `first`.

        One behind the last row has not been earned within it.
        """
        inside = np.flatnonzero((self.row >= first) & (self.row < first + len(returns)))
        if not len(inside):
            return returns
        final = returns.copy()
        final[self.row[inside] - first, inside] = self.value[inside]
        return final

    def known(self, sessions: int) -> npt.NDArray[np.bool_]:
        """Return which names `(N,)` have a final return within so many sessions."""
        return np.asarray((self.row >= 0) & (self.row < sessions))


def with_delistings(
    returns: Float32Array,
    delisting_return: float,
    *,
    ended: npt.NDArray[np.bool_] | None = None,
    stale: int = STALE,
) -> Float32Array:
    """Return `(T, S)` daily returns with a last one for names of whose delisting none is known.

    A name whose returns end more than `stale` rows before the others' has left; the row after its
    last return gets `delisting_return`, for whoever still held it: -0.3 is what Shumway ("The
    Delisting Bias in CRSP Data", 1997) finds for names delisted for performance, 0 is a sale at
    the last price. With 0 the array itself is returned. `ended` `(S,)`: names whose last return is
    that of the delisting already.
    """
    if delisting_return == 0.0 or not len(returns):
        return returns
    known = np.isfinite(returns)
    last = len(returns) - 1 - np.argmax(known[::-1], axis=0)
    gone = known.any(axis=0) & (last + stale < len(returns) - 1)
    left = np.flatnonzero(gone if ended is None else gone & ~ended)
    final = returns.copy()
    final[last[left] + 1, left] = delisting_return
    return final
