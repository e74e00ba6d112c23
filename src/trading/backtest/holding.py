"""One fill and the rows that are held after it: returns, costs and drift of the weights.

Between fills the shares stay put, so weights drift. The cost of a fill falls into the first row
that the new position earns. Orders are sized on the net asset value before the fill and what is
left after costs is held in the target's proportions; the neglected cost of that last scaling is the
square of the cost.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.exposure import LONG_ONLY, Exposure, require_weights
from trading.errors import DataError
from trading.execution.slippage import TradingCosts

FloatArray = npt.NDArray[np.float64]


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
