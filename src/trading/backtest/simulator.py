"""The one simulator: target weights on daily returns, filled at the next close, net of costs.

A decision sees row `d`; its orders fill at the close of row `d + 1`; the position earns the rows
`d + 2 .. d' + 1`, where `d'` is the next decision. `backtest.holding` tells what a fill
costs and what is held after it.

Cash earns nothing. A held name without a return stays at its last value and leaves at the next
decision. A purchase of a name that has no bar on the fill row is not filled and stays in cash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.exposure import require_weights
from trading.backtest.holding import Holding, drift, hold
from trading.errors import DataError
from trading.execution.slippage import CostModel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
AnyFloats = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

Chooser = Callable[[int, FloatArray, float], FloatArray]

FILL = "next_close"
FILL_DELAY = 1


@dataclass(frozen=True, slots=True)
class Simulation:
    """A sequence of decisions followed day by day.

    Attributes
    ----------
    session_rows : (T',) rows of the returns that were earned
    net_returns, gross_returns : (T',) float64, simple, daily
    offsets : (D + 1,) decision i earned `net_returns[offsets[i]:offsets[i + 1]]`
    turnover, costs : (D,) per decision, see `Holding`; 0 where nothing was filled
    names : (D,) int64, names held right after the fill
    invested : (D,) sum of the weights right after the fill, the exposure; the rest is cash
    filled : (D,) bool, whether the decision was filled and earned at least one row
    end_weights : (S,) drifted to the last row
    delisted : names whose last return (up to the end row) came while they were held
    fill : the fill rule
    """

    session_rows: IntArray
    net_returns: FloatArray
    gross_returns: FloatArray
    offsets: IntArray
    turnover: FloatArray
    costs: FloatArray
    names: IntArray
    invested: FloatArray
    filled: BoolArray
    end_weights: FloatArray
    delisted: int
    fill: str = FILL


def simulate(
    returns: npt.ArrayLike,
    decisions: npt.ArrayLike,
    targets: npt.ArrayLike,
    costs: CostModel,
    dollar_volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    end_row: int | None = None,
    start_weights: npt.ArrayLike | None = None,
    fillable: npt.ArrayLike | None = None,
) -> Simulation:
    """Follow a sequence of target portfolios `(D, S)` day by day; see `follow`."""
    goals = np.asarray(targets, dtype=np.float64)
    grid = np.asarray(returns)
    if goals.shape != (np.size(decisions), *grid.shape[1:]):
        raise DataError(
            f"expected returns (T, S) and targets (D, S); got {grid.shape} and {goals.shape} "
            f"for {np.size(decisions)} decisions"
        )
    return follow(
        grid,
        decisions,
        lambda i, _held, _nav: goals[i],
        costs,
        dollar_volume,
        volatility,
        end_row=end_row,
        start_weights=start_weights,
        fillable=fillable,
    )


def follow(
    returns: npt.ArrayLike,
    decisions: npt.ArrayLike,
    choose: Chooser,
    costs: CostModel,
    dollar_volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    end_row: int | None = None,
    start_weights: npt.ArrayLike | None = None,
    fillable: npt.ArrayLike | None = None,
) -> Simulation:
    """Follow decisions that depend on what is held, day by day.

    Parameters
    ----------
    returns : (T, S) simple daily returns, NaN where there is none
    decisions : (D,) strictly increasing rows; each fills at the close of the row after it
    choose : answers the target weights `(S,)` of decision `i`, given the weights held and the net
        asset value (1 at the start) at the close of its row
    costs : the cost model; its capital is the net asset value at the start
    dollar_volume, volatility : broadcast to (D, S), as known at each decision
    end_row : last row that counts; later rows are not looked at. Default: the last row
    start_weights : (S,) weights held at the first fill; default all cash
    fillable : (T, S) bool, names that can be bought at the close of each row. Default: those with a
        return, which what a delisting paid is too

    Decisions whose position has not earned a row by `end_row` are not filled, and not asked for.

    Raises
    ------
    DataError
        Shapes, rows or weights are not as described.
    """
    grid = np.asarray(returns)
    rows = np.asarray(decisions, dtype=np.int64)
    last = _checked_end(grid, rows, end_row)
    volume, sigma = (
        np.broadcast_to(known, (len(rows), grid.shape[1])) for known in (dollar_volume, volatility)
    )
    book = _Book.open(grid, last, start_weights)
    made = _Made.of(len(rows))
    bars = _with_bars(grid, fillable)
    fills = rows + FILL_DELAY
    exits = np.minimum(np.append(fills[1:], last), last)
    filled = fills < exits
    for i in np.flatnonzero(filled):
        target = choose(int(i), *book.at(int(rows[i])))
        held = book.trade(
            int(fills[i]), int(exits[i]), target, costs, volume[i], sigma[i], bars[fills[i]]
        )
        made.note(int(i), held)
    first = int(fills[filled][0]) + 1 if filled.any() else last + 1
    return Simulation(
        session_rows=np.arange(first, last + 1, dtype=np.int64),
        net_returns=np.concatenate([np.empty(0), *book.net]),
        gross_returns=np.concatenate([np.empty(0), *book.gross]),
        offsets=np.concatenate([[0], np.cumsum(made.rows)]),
        turnover=made.turnover,
        costs=made.costs,
        names=made.names,
        invested=made.invested,
        filled=filled,
        end_weights=book.weights,
        delisted=int(book.gone.sum()),
    )


@dataclass(slots=True)
class _Book:
    """The portfolio between fills: weights after the last fill, and now, at the next one."""

    grid: AnyFloats
    filled_row: int
    filled_weights: FloatArray
    filled_nav: float
    weights: FloatArray
    nav: float
    last_return: IntArray
    gone: BoolArray
    net: list[FloatArray]
    gross: list[FloatArray]

    @classmethod
    def open(cls, grid: AnyFloats, last: int, start_weights: npt.ArrayLike | None) -> "_Book":
        start = np.zeros(grid.shape[1]) if start_weights is None else start_weights
        weights = require_weights(start, "start weights")
        gone = np.zeros(grid.shape[1], dtype=bool)
        final = _last_return(grid[: last + 1])
        return cls(grid, last + 1, weights, 1.0, weights, 1.0, final, gone, [], [])

    def at(self, row: int) -> tuple[FloatArray, float]:
        """Return weights and net asset value at the close of a row before the next fill."""
        rows = self.grid[self.filled_row + 1 : row + 1]
        if not len(rows) or not self.net:
            return self.filled_weights.copy(), self.filled_nav
        growth = float(np.prod(1.0 + self.net[-1][: len(rows)]))
        return drift(self.filled_weights, rows), self.filled_nav * growth

    def trade(
        self,
        fill: int,
        leave: int,
        target: FloatArray,
        costs: CostModel,
        volume: AnyFloats,
        sigma: AnyFloats,
        fillable: BoolArray,
    ) -> Holding:
        """Fill a target at the close of row `fill` and hold it to the close of row `leave`."""
        held = hold(
            self.grid[fill + 1 : leave + 1],
            target,
            self.weights,
            costs,
            volume,
            sigma,
            nav_usd=self.nav * costs.capital_usd,
            fillable=fillable,
        )
        self.net.append(held.net_returns)
        self.gross.append(held.gross_returns)
        self.filled_row, self.filled_weights, self.filled_nav = fill, held.filled_weights, self.nav
        self.weights = held.end_weights
        self.nav *= float(np.prod(1.0 + held.net_returns))
        self.gone |= (held.filled_weights > 0.0) & (self.last_return < leave)
        return held


@dataclass(frozen=True, slots=True)
class _Made:
    """What each decision's fill made of the portfolio, `(D,)`; 0 where nothing was filled."""

    turnover: FloatArray
    costs: FloatArray
    invested: FloatArray
    names: IntArray
    rows: IntArray

    @classmethod
    def of(cls, decisions: int) -> "_Made":
        return cls(*np.zeros((3, decisions)), *np.zeros((2, decisions), dtype=np.int64))

    def note(self, decision: int, held: Holding) -> None:
        self.turnover[decision], self.costs[decision] = held.turnover, held.costs
        self.invested[decision] = held.filled_weights.sum()
        self.names[decision] = (held.filled_weights > 0.0).sum()
        self.rows[decision] = len(held.net_returns)


def _with_bars(grid: AnyFloats, fillable: npt.ArrayLike | None) -> BoolArray:
    """Return where a name can be bought, `(T, S)`: as given, else where it has a return."""
    bars = np.isfinite(grid) if fillable is None else np.asarray(fillable, dtype=bool)
    if bars.shape != grid.shape:
        raise DataError(f"fillable is of shape {bars.shape}, the returns are of {grid.shape}")
    return np.asarray(bars)


def _checked_end(grid: AnyFloats, rows: IntArray, end_row: int | None) -> int:
    if grid.ndim != 2 or rows.ndim != 1:
        raise DataError(f"expected returns (T, S) and rows (D,), got {grid.shape}, {rows.shape}")
    last = len(grid) - 1 if end_row is None else end_row
    if not 0 <= last < len(grid):
        raise DataError(f"end_row {last} lies outside the {len(grid)} rows of returns")
    if (np.diff(rows) <= 0).any() or (len(rows) and not 0 <= rows[0] <= rows[-1] < len(grid)):
        raise DataError("decisions must be strictly increasing rows of the returns")
    return last


def _last_return(grid: AnyFloats) -> IntArray:
    """Last row `(S,)` that has a return; -1 where none has."""
    known = np.isfinite(grid)
    latest = len(grid) - 1 - np.argmax(known[::-1], axis=0)
    return np.where(known.any(axis=0), latest, -1).astype(np.int64)
