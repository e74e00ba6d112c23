"""Drawdowns one by one: how deep, how long, whether recovered; and the figures made of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import drawdown_series, max_drawdown, total_return
from trading.backtest.reductions import FloatArray, mean, one_series, ratio
from trading.errors import DataError


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One stay below a peak, counted in periods of the series.

    Attributes
    ----------
    start : the first period that ends below the peak
    trough : the period that ends lowest (the first of them)
    end : the period that reaches the peak again; None if that did not happen
    depth : the loss from the peak at the trough, 0..1
    length : periods that end below the peak
    """

    start: int
    trough: int
    end: int | None
    depth: float
    length: int


def drawdowns(returns: npt.ArrayLike) -> tuple[Drawdown, ...]:
    """Return the drawdowns of one series of simple returns `(n,)`, in time order.

    The start counts as a peak. Raises `DataError` for NaN (leave such periods out first), for an
    infinite return and for one below -100 %.
    """
    series = one_series(returns)
    if np.isnan(series).any():
        raise DataError("a return is NaN; leave such periods out before looking for drawdowns")
    depth = drawdown_series(series)
    below = np.concatenate([[False], depth > 0.0, [False]])
    starts = np.flatnonzero(below[1:] & ~below[:-1])
    ends = np.flatnonzero(below[:-1] & ~below[1:])
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        trough = start + int(np.argmax(depth[start:end]))
        recovered = end if end < len(series) else None
        found.append(Drawdown(start, trough, recovered, float(depth[trough]), end - start))
    return tuple(found)


def average_drawdown(returns: npt.ArrayLike) -> float:
    """Return the mean depth of the drawdowns, 0..1; 0 without any, NaN without returns."""
    if np.shape(returns) == (0,):
        return float("nan")
    return float(np.mean([one.depth for one in drawdowns(returns)] or [0.0]))


def longest_drawdown(returns: npt.ArrayLike) -> float:
    """Return the most periods in a row below a peak; 0 without any, NaN without returns."""
    if np.shape(returns) == (0,):
        return float("nan")
    return float(max((one.length for one in drawdowns(returns)), default=0))


def ulcer_index(returns: npt.ArrayLike) -> FloatArray:
    """Return the root mean square of the drawdowns of all periods, 0..1; NaN without returns.

    Takes `(..., n)`. Source: P. Martin and B. McCann, "The Investor's Guide to Fidelity Funds"
    (1989).
    """
    return np.asarray(np.sqrt(mean(drawdown_series(returns) ** 2)))


def recovery_factor(returns: npt.ArrayLike) -> FloatArray:
    """Return the compounded return over the maximum drawdown `(..., n)`; NaN without a drawdown."""
    return ratio(total_return(returns), max_drawdown(returns))
