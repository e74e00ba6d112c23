"""The one simulator: target weights on daily returns, filled at the next close, net of costs.

A decision sees row `d`; its orders fill at the close of row `d + 1`; the position earns the rows
`d + 2 .. d' + 1`, where `d'` is the next decision. Between fills the shares stay put, so weights
drift. The cost of a fill falls into the first row that the new position earns. Orders are sized on
the net asset value before the fill and what is left after costs is held in the target's
proportions; the neglected cost of that last scaling is the square of the cost.

Cash earns nothing. A held name without a return stays at its last value and leaves at the next
decision. A purchase of a name that has no bar on the fill row is not filled and stays in cash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.exposure import LONG_ONLY, Exposure, require_weights
from trading.errors import DataError
from trading.execution.slippage import CostModel, TradingCosts

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
AnyFloats = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

Chooser = Callable[[int, FloatArray, float], FloatArray]

FILL = "next_close"
FILL_DELAY = 1


@dataclass(frozen=True, slots=True)
class Holding:
    """One fill and the rows held after it, for one portfolio `()` or a batch `(B,)`.

    Attributes
    ----------
    net_returns, gross_returns : (..., h) float64, simple, daily
    end_weights : (..., S) float64, drifted to the last row; the rest to 1 is cash
    filled_weights : (..., S) float64, right after the fill
    turnover : (...) one way: the larger of what was bought and what was sold
    costs : (...) fraction of the net asset value before the fill
    """

    net_returns: FloatArray
    gross_returns: FloatArray
    end_weights: FloatArray
    filled_weights: FloatArray
    turnover: FloatArray
    costs: FloatArray


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


def growth_paths(returns: npt.ArrayLike) -> FloatArray:
    """Return the growth of 1 put into each name, `(h, S)`, after each of the rows `(h, S)`.

    A missing return leaves the value where it was. Raises `DataError` for a return that is
    infinite or below -100 %.
    """
    rows = np.asarray(returns, dtype=np.float64)
    if rows.ndim != 2:
        raise DataError(f"expected returns of shape (rows, names), got {rows.shape}")
    rows = np.where(np.isnan(rows), 0.0, rows)
    if np.isinf(rows).any() or (rows < -1.0).any():
        raise DataError("a return is infinite or below -100 %; check the prices behind it")
    return np.asarray(np.cumprod(1.0 + rows, axis=0))


def drift(weights: npt.ArrayLike, returns: npt.ArrayLike) -> FloatArray:
    """Return weights `(..., S)` after the rows `(h, S)` without a trade.

    They are shares of the new value; weights of a portfolio that lost everything are zero.
    """
    held = np.asarray(weights, dtype=np.float64)
    rows = np.asarray(returns, dtype=np.float64)
    if len(rows) == 0:
        return held.copy()
    return _drifted(held, growth_paths(rows)[-1])


def hold(
    returns: npt.ArrayLike,
    target: npt.ArrayLike,
    start_weights: npt.ArrayLike,
    costs: TradingCosts,
    dollar_volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    nav_usd: npt.ArrayLike | None = None,
    fillable: npt.ArrayLike | None = None,
    exposure: Exposure = LONG_ONLY,
) -> Holding:
    """Trade from `start_weights` to `target` and hold it over the rows of `returns`.

    One month of the simulation, cheap enough for an environment: no loop over rows, names or
    portfolios.

    Parameters
    ----------
    returns : (h, S) simple daily returns of the rows earned (`d + 2 .. d' + 1`), NaN where none
    target : (S,) or (B, S) weights within `exposure`: by default >= 0, sum <= 1
    start_weights : like `target`, the weights at the moment of the fill
    costs : the cost model
    dollar_volume, volatility : (S,) or (B, S), as known at the decision
    nav_usd : () or (B,) net asset value before the fill; without it, the model's capital
    fillable : (S,) bool, names that can be bought (or sold short) at the fill; without it, all
    exposure : limits of the weights, and what borrowed shares and money cost each session

    Raises
    ------
    DataError
        Weights are not finite or beyond the exposure; shapes differ.
    """
    goal = require_weights(target, "target weights", exposure)
    start = np.asarray(start_weights, dtype=np.float64)
    if exposure.long_only:
        start = require_weights(start, "start weights")
    if goal.shape != start.shape:
        raise DataError(f"target weights {goal.shape} and start weights {start.shape} differ")
    if fillable is not None:
        # What cannot be traded into may still be left, be it held or sold short.
        smaller = np.clip(goal, np.minimum(start, 0.0), np.maximum(start, 0.0))
        goal = np.where(np.asarray(fillable, dtype=bool), goal, smaller)
    traded = goal - start
    paid = costs.cost(traded, dollar_volume, volatility, nav_usd).sum(axis=-1)
    if (paid >= 1.0).any():
        raise DataError(f"a fill costs {float(np.max(paid)):.1%} of the portfolio; check the costs")
    paths = growth_paths(returns)
    if paths.shape[1] != goal.shape[-1]:
        raise DataError(f"returns are of {paths.shape[1]} names, weights of {goal.shape[-1]}")
    gross = _row_returns(_values(goal, paths))
    net = gross.copy()
    net[..., :1] = (1.0 - paid[..., None]) * (1.0 + gross[..., :1]) - 1.0
    if exposure.borrow_rate > 0.0 or exposure.margin_rate > 0.0:
        net = np.maximum(net - exposure.charge(goal)[..., None], -1.0)
    bought = np.maximum(traded, 0.0).sum(axis=-1)
    sold = bought - traded.sum(axis=-1)
    end = _drifted(goal, paths[-1]) if len(paths) else goal
    if not exposure.long_only:
        end = np.where((gross > -1.0).all(axis=-1, keepdims=True), end, 0.0)
    return Holding(net, gross, end, goal, np.maximum(bought, sold), paid)


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
    shape = (len(rows), grid.shape[1])
    volume = np.broadcast_to(np.asarray(dollar_volume), shape)
    sigma = np.broadcast_to(np.asarray(volatility), shape)
    book = _Book.open(grid, last, start_weights)
    bars = np.isfinite(grid) if fillable is None else np.asarray(fillable, dtype=bool)
    if bars.shape != grid.shape:
        raise DataError(f"fillable is of shape {bars.shape}, the returns are of {grid.shape}")
    fills = rows + FILL_DELAY
    exits = np.minimum(np.append(fills[1:], last), last)
    filled = fills < exits
    turnover, paid, invested = np.zeros((3, len(rows)))
    names, earned = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for i in np.flatnonzero(filled):
        target = choose(int(i), *book.at(int(rows[i])))
        held = book.trade(
            int(fills[i]), int(exits[i]), target, costs, volume[i], sigma[i], bars[fills[i]]
        )
        turnover[i], paid[i] = held.turnover, held.costs
        names[i], earned[i] = (held.filled_weights > 0.0).sum(), len(held.net_returns)
        invested[i] = held.filled_weights.sum()
    first = int(fills[filled][0]) + 1 if filled.any() else last + 1
    return Simulation(
        session_rows=np.arange(first, last + 1, dtype=np.int64),
        net_returns=np.concatenate([np.empty(0), *book.net]),
        gross_returns=np.concatenate([np.empty(0), *book.gross]),
        offsets=np.concatenate([[0], np.cumsum(earned)]),
        turnover=turnover,
        costs=paid,
        names=names,
        invested=invested,
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


def _checked_end(grid: AnyFloats, rows: IntArray, end_row: int | None) -> int:
    if grid.ndim != 2 or rows.ndim != 1:
        raise DataError(f"expected returns (T, S) and rows (D,), got {grid.shape}, {rows.shape}")
    last = len(grid) - 1 if end_row is None else end_row
    if not 0 <= last < len(grid):
        raise DataError(f"end_row {last} lies outside the {len(grid)} rows of returns")
    if (np.diff(rows) <= 0).any() or (len(rows) and not 0 <= rows[0] <= rows[-1] < len(grid)):
        raise DataError("decisions must be strictly increasing rows of the returns")
    return last


def _values(weights: FloatArray, paths: FloatArray) -> FloatArray:
    """Portfolio value `(..., h)`, 1 at the start, of unrebalanced `weights`."""
    cash = 1.0 - weights.sum(axis=-1, keepdims=True)
    held = (weights != 0.0).reshape(-1, weights.shape[-1]).any(axis=0)
    return np.asarray(cash + weights[..., held] @ paths[:, held].T)


def _row_returns(value: FloatArray) -> FloatArray:
    """Turn value paths that start at 1 into simple returns; zero after everything is lost.

    A portfolio that owes more than it has is closed at nothing.
    """
    value = np.where(np.minimum.accumulate(value, axis=-1) > 0.0, value, 0.0)
    before = np.concatenate([np.ones_like(value[..., :1]), value[..., :-1]], axis=-1)
    alive = before > 0.0
    return np.where(alive, value / np.where(alive, before, 1.0) - 1.0, 0.0)


def _drifted(weights: FloatArray, growth: FloatArray) -> FloatArray:
    grown = weights * growth
    cash = 1.0 - weights.sum(axis=-1, keepdims=True)
    total = grown.sum(axis=-1, keepdims=True) + cash
    return np.asarray(grown / np.where(total > 0.0, total, 1.0))


def _last_return(grid: AnyFloats) -> IntArray:
    """Last row `(S,)` that has a return; -1 where none has."""
    known = np.isfinite(grid)
    latest = len(grid) - 1 - np.argmax(known[::-1], axis=0)
    return np.where(known.any(axis=0), latest, -1).astype(np.int64)
