"""The hybrid reward of a month, and each slot's share of it.

    R = 0.6 * monthly return + 0.3 * Sharpe ratio - 0.1 * drawdown

of the month's daily net returns: the monthly return is compounded and simple, the Sharpe ratio
annualised and clipped to +-3, the drawdown the largest loss from a peak, 0..1. Weights and clip are
`settings.reward`; returns, costs and figures are those of `trading.backtest`.

One number for 3,600 decisions teaches slowly. R is a differentiable function of the weights bought
at the fill, so its gradient is exact and cheap: between fills the portfolio's value is linear in
them, and the gradient of R is one `(h,) @ (h, S)` product of a backward pass over the h returns.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.holding import Holding, growth_paths, hold
from trading.backtest.metrics import SESSIONS_PER_YEAR, max_drawdown, sharpe, total_return
from trading.config import RewardSettings
from trading.errors import DataError
from trading.execution.slippage import CostModel

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
AnyFloats = npt.NDArray[np.floating[Any]]

_COST_STEP = 1e-7


@dataclass(frozen=True, slots=True)
class Reward:
    """The reward of one month and its parts, each `(...)` as the portfolios are.

    Attributes
    ----------
    value : the hybrid reward
    monthly_return : net, simple, compounded over the month
    sharpe : annualised, clipped; 0 where the returns do not vary
    drawdown : largest loss from a peak, 0..1
    """

    value: FloatArray
    monthly_return: FloatArray
    sharpe: FloatArray
    drawdown: FloatArray


@dataclass(frozen=True, slots=True)
class MonthMarket:
    """What one holding period does to whoever fills at its start.

    Attributes
    ----------
    returns : (h, S) simple daily returns of the rows earned, NaN where none; h >= 1
    fillable : (S,) bool, names that could be bought at the fill
    dollar_volume : (S,) USD a day, as known at the decision
    volatility : (S,) daily, as known at the decision
    """

    returns: AnyFloats
    fillable: BoolArray
    dollar_volume: AnyFloats
    volatility: AnyFloats

    def hold(
        self,
        target: FloatArray,
        start: FloatArray,
        costs: CostModel,
        nav_usd: float | None = None,
    ) -> Holding:
        """Trade from `start` to `target`, `(S,)` or `(B, S)`, and hold; see `holding.hold`."""
        return hold(
            self.returns,
            target,
            start,
            costs,
            self.dollar_volume,
            self.volatility,
            nav_usd=nav_usd,
            fillable=self.fillable,
        )


def hybrid_reward(net_returns: npt.ArrayLike, settings: RewardSettings) -> Reward:
    """Return the reward of a month's daily net returns `(..., h)`.

    Raises `DataError` when there is no return.
    """
    net = np.asarray(net_returns, dtype=np.float64)
    if net.ndim == 0 or net.shape[-1] == 0:
        raise DataError("a reward needs the returns of at least one session, found none")
    monthly, drawdown = total_return(net), max_drawdown(net)
    clip = settings.sharpe_clip
    ratio = np.minimum(np.maximum(sharpe(net), -clip), clip)
    ratio = np.where(np.isnan(ratio), 0.0, ratio)
    value = (
        settings.return_weight * monthly
        + settings.sharpe_weight * ratio
        - settings.drawdown_weight * drawdown
    )
    return Reward(value, monthly, ratio, drawdown)


def reward_gradient(
    market: MonthMarket,
    target: FloatArray,
    start: FloatArray,
    holding: Holding,
    costs: CostModel,
    settings: RewardSettings,
) -> FloatArray:
    """Return dR/dw, `(S,)` or `(B, S)`: what a little more of each name, paid in cash, is worth.

    The cost model is part of R. Where R has a kink the gradient is that of the flat side: a clipped
    Sharpe ratio and a trade of exactly zero give none. A name that could not be bought and a
    portfolio that lost everything have no gradient.

    Parameters
    ----------
    market, target, start, holding : `holding = market.hold(target, start, costs)`, at the cost
        model's capital
    costs, settings : the cost model and the weights of R
    """
    net, gross = np.atleast_2d(holding.net_returns), np.atleast_2d(holding.gross_returns)
    by_return = _gradient_by_return(net, settings)
    value = np.cumprod(1.0 + gross, axis=-1)
    alive = (value > 0.0).all(axis=-1, keepdims=True)
    value = np.where(alive, value, 1.0)
    before = np.concatenate([np.ones_like(value[:, :1]), value[:, :-1]], axis=1)
    paid = np.atleast_1d(holding.costs)
    by_value = by_return / before
    by_value[:, 0] *= 1.0 - paid
    by_value[:, :-1] -= by_return[:, 1:] * value[:, 1:] / value[:, :-1] ** 2
    gradient = by_value @ (growth_paths(market.returns) - 1.0)
    traded = np.atleast_2d(target - start)
    marginal_cost = _marginal_cost(market, traded, costs)
    gradient -= (by_return[:, :1] * value[:, :1]) * marginal_cost
    gradient = np.where(alive & (market.fillable | (traded <= 0.0)), gradient, 0.0)
    return gradient.reshape(target.shape)


def slot_credit(
    gradient: FloatArray, weights: FloatArray, eligible: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return each slot's share of the reward and the budget-neutral gradient, both like `weights`.

    A slot's share is `(dR/dw_i - mean dR/dw) * (w_i - 1/n)`, the mean over the n eligible slots: to
    first order, what R gains because the slot is held at `w_i` and not at its equal weight, the
    difference being taken from an equal-weight portfolio. Without the mean the share would pay for
    being in the market at all. The shares sum to the first-order gain over equal weight; slots that
    are not eligible get 0.
    """
    count = np.maximum(eligible.sum(axis=-1, keepdims=True), 1)
    mean = np.where(eligible, gradient, 0.0).sum(axis=-1, keepdims=True) / count
    neutral = np.where(eligible, gradient - mean, 0.0)
    return neutral * np.where(eligible, weights - 1.0 / count, 0.0), neutral


def _gradient_by_return(net: FloatArray, settings: RewardSettings) -> FloatArray:
    """Return dR/dr `(B, h)` of the daily net returns `(B, h)`."""
    sessions = net.shape[-1]
    growth = np.where(net > -1.0, 1.0 + net, np.inf)
    reward = hybrid_reward(net, settings)
    gradient = settings.return_weight * (1.0 + reward.monthly_return[:, None]) / growth
    if sessions > 1:
        centred = net - net.mean(axis=-1, keepdims=True)
        deviation = net.std(axis=-1, ddof=1, keepdims=True)
        free = (np.abs(reward.sharpe[:, None]) < settings.sharpe_clip) & (deviation > 0.0)
        deviation = np.where(free, deviation, 1.0)
        mean = net.mean(axis=-1, keepdims=True)
        slope = 1.0 / (sessions * deviation) - mean * centred / ((sessions - 1) * deviation**3)
        gradient += np.where(free, settings.sharpe_weight * sqrt(SESSIONS_PER_YEAR) * slope, 0.0)
    inside = _drawdown_rows(net)
    loss = settings.drawdown_weight * (1.0 - reward.drawdown[:, None]) / growth
    return np.asarray(gradient + np.where(inside, loss, 0.0))


def _drawdown_rows(net: FloatArray) -> BoolArray:
    """Tell which rows `(B, h)` lie after the peak and up to the trough of the largest loss."""
    wealth = np.concatenate([np.ones_like(net[:, :1]), np.cumprod(1.0 + net, axis=-1)], axis=1)
    trough = np.argmax(1.0 - wealth / np.maximum.accumulate(wealth, axis=1), axis=1)[:, None]
    rows = np.arange(wealth.shape[1])
    peak = np.argmax(np.where(rows <= trough, wealth, -np.inf), axis=1)[:, None]
    return np.asarray((rows > peak) & (rows <= trough))[:, 1:]


def _marginal_cost(market: MonthMarket, traded: FloatArray, costs: CostModel) -> FloatArray:
    """Return the slope of each name's cost in its weight: it depends on its own trade alone."""
    size = np.abs(traded)
    further = costs.cost(size + _COST_STEP, market.dollar_volume, market.volatility)
    paid = costs.cost(size, market.dollar_volume, market.volatility)
    return np.asarray(np.sign(traded) * (further - paid) / _COST_STEP)
