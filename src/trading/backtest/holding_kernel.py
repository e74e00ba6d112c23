"""`holding.hold` compiled, for environments that hold thousands of portfolios a second.

The same algebra on a market that is prepared once a month and used by every portfolio: tests hold
it to `holding.hold`, but for what names gain, which is rounded to single precision as the returns
of a dataset are. Each portfolio is computed by itself in a fixed order, so one alone and one among
many give the same bits.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.backtest.exposure import SESSIONS_PER_YEAR, Exposure
from trading.backtest.holding import growth_paths
from trading.compiled import compiled, summing
from trading.execution.slippage import PARTICIPATION_CAP, CostModel

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class PreparedMonth(NamedTuple):
    """One holding period as all portfolios meet it.

    Attributes
    ----------
    gains : (h, S) float32, what 1 in each name has gained after each row; rounded as the returns of
        a dataset are, it is half of what would have to be read for every decision
    fillable : (S,) bool, names that can be bought or sold short at the fill
    per_dollar, floor, impact : (S,) see `CostModel.of_names`
    linear_rate : commission and half spread, a fraction of the traded value
    borrow_rate, margin_rate : a session
    """

    gains: Float32Array
    fillable: BoolArray
    per_dollar: FloatArray
    floor: FloatArray
    impact: FloatArray
    linear_rate: float
    borrow_rate: float
    margin_rate: float


def prepare_month(
    returns: npt.ArrayLike,
    fillable: BoolArray,
    costs: CostModel,
    dollar_volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    exposure: Exposure,
) -> PreparedMonth:
    """Return a holding period; the arguments are those of `holding.hold`.

    Raises `DataError` for a return that is infinite or below -100 %.
    """
    return PreparedMonth(
        (growth_paths(returns) - 1.0).astype(np.float32),
        fillable,
        *costs.of_names(dollar_volume, volatility),
        costs.linear_rate,
        exposure.borrow_rate / SESSIONS_PER_YEAR,
        exposure.margin_rate / SESSIONS_PER_YEAR,
    )


@compiled
def hold_prepared(
    month: PreparedMonth,
    target: FloatArray,
    start: FloatArray,
    nav_usd: float,
    net_returns: FloatArray,
    end: FloatArray,
) -> tuple[float, float]:
    """Trade from `start` to `target`, `(S,)`, hold, and return turnover and costs.

    Fills `net_returns` (h,) and `end` (S,), which may be `start`. Weights are taken as they are:
    the caller has made them feasible.
    """
    rows, names = month.gains.shape
    filled, values = np.empty(names), np.empty(rows)
    bought, sold, paid = _fill(month, target, start, nav_usd, filled)
    net, gross = _exposure(filled)
    cash = 1.0 - net
    charge = month.borrow_rate * (gross - net) / 2.0 + month.margin_rate * max(-cash, 0.0)
    whole = rows - rows % 4
    for k in range(0, whole, 4):
        _dot_four(filled, month.gains, k, values)
    for k in range(whole, rows):
        values[k] = _dot(filled, month.gains[k])
    before = 1.0
    for k in range(rows):
        value = max(1.0 + values[k], 0.0) if before > 0.0 else 0.0
        earned = value / before - 1.0 if before > 0.0 else 0.0
        kept = (1.0 - paid) * (1.0 + earned) - 1.0 if k == 0 else earned
        net_returns[k] = max(kept - charge, -1.0) if charge > 0.0 else kept
        before = value
    _grow(filled, month.gains[rows - 1], 1.0 / before if before > 0.0 else 0.0, end)
    return max(bought, sold), paid


@summing
def _fill(
    month: PreparedMonth, target: FloatArray, start: FloatArray, nav: float, filled: FloatArray
) -> tuple[float, float, float]:
    """Trade as far as the names can be traded; return what was bought, sold and paid."""
    bought, sold, paid = 0.0, 0.0, 0.0
    for i in range(len(target)):
        goal, held = target[i], start[i]
        low, high = held if held < 0.0 else 0.0, held if held > 0.0 else 0.0
        smaller = low if goal < low else high if goal > high else goal
        goal = goal if month.fillable[i] else smaller
        filled[i] = goal
        traded = goal - held
        size = abs(traded)
        part = size * nav * month.per_dollar[i] + month.floor[i]
        part = part if part < PARTICIPATION_CAP else PARTICIPATION_CAP
        paid += size * (month.linear_rate + month.impact[i] * np.sqrt(part))
        bought += size + traded
        sold += size - traded
    return bought / 2.0, sold / 2.0, paid


@summing
def _exposure(weights: FloatArray) -> tuple[float, float]:
    """Return the sum of the weights, and without their sign."""
    net, gross = 0.0, 0.0
    for i in range(len(weights)):
        net += weights[i]
        gross += abs(weights[i])
    return net, gross


@summing
def _dot(weights: FloatArray, gains: Float32Array) -> float:
    total = 0.0
    for i in range(len(weights)):
        total += weights[i] * gains[i]
    return total


@summing
def _dot_four(weights: FloatArray, gains: Float32Array, k: int, values: FloatArray) -> None:
    """Fill four of the values: each weight is read once for four rows."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    first, second, third, fourth = gains[k], gains[k + 1], gains[k + 2], gains[k + 3]
    for i in range(len(weights)):
        weight = weights[i]
        a += weight * first[i]
        b += weight * second[i]
        c += weight * third[i]
        d += weight * fourth[i]
    values[k], values[k + 1], values[k + 2], values[k + 3] = a, b, c, d


@compiled
def _grow(weights: FloatArray, gains: Float32Array, scale: float, ends: FloatArray) -> None:
    for i in range(len(weights)):
        ends[i] = weights[i] * (1.0 + gains[i]) * scale
