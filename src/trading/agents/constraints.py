"""From the weights that an action asks for to weights that may be held, compiled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, summing
from trading.config import ExposureSettings

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]

UNLIMITED = 1e9


class Constraints(NamedTuple):
    """What a portfolio may hold and trade.

    Attributes
    ----------
    gross : sum of the weights without their sign, at most
    short : sum of the weights sold short, at most; 0 is long only
    turnover : one way, a decision, at most
    """

    gross: float
    short: float
    turnover: float

    @classmethod
    def from_settings(cls, settings: ExposureSettings) -> "Constraints":
        """Return the constraints that the configuration describes."""
        turnover = UNLIMITED if settings.max_turnover is None else settings.max_turnover
        return cls(settings.max_gross, settings.max_short, turnover)


@compiled
def feasible_weights(
    action: Float32Array,
    eligible: BoolArray,
    held: FloatArray,
    limits: Constraints,
    target: FloatArray,
) -> None:
    """Make the finite weights `(S,)` that an action asks for feasible, into `target`.

    In this order: slots that are not eligible get 0; short weights are scaled back to
    `limits.short` (to 0: long only), all weights to `limits.gross`; what they leave is cash. Where
    that trades more than `limits.turnover`, slots that are not eligible are sold, and of all other
    trades the share is made that the limit leaves.
    """
    longs, shorts = _sides(action, eligible)
    down = min(limits.short / shorts, 1.0) if shorts > 0.0 else 1.0
    gross = longs + shorts * down
    scale = limits.gross / gross if gross > limits.gross else 1.0
    _scale(action, eligible, scale, scale * down, target)
    if limits.turnover < UNLIMITED:
        _trade_less(eligible, held, limits.turnover, target)


@summing
def _sides(action: Float32Array, eligible: BoolArray) -> tuple[float, float]:
    net, gross = 0.0, 0.0
    for i in range(len(action)):
        wish = np.float64(action[i]) if eligible[i] else 0.0
        net += wish
        gross += abs(wish)
    return max(gross + net, 0.0) / 2.0, max(gross - net, 0.0) / 2.0


@compiled
def _scale(
    action: Float32Array, eligible: BoolArray, up: float, down: float, target: FloatArray
) -> None:
    for i in range(len(action)):
        wish = np.float64(action[i])
        wish = wish * up if wish > 0.0 else wish * down
        target[i] = wish if eligible[i] else 0.0


@compiled
def _trade_less(eligible: BoolArray, held: FloatArray, limit: float, target: FloatArray) -> None:
    """Keep to the turnover, in place: nothing is sold that must not be, the rest in proportion."""
    bought, sold, bought_anyway, sold_anyway = 0.0, 0.0, 0.0, 0.0
    for i in range(len(target)):
        traded = target[i] - held[i]
        if eligible[i]:
            bought += max(traded, 0.0)
            sold += max(-traded, 0.0)
        else:
            bought_anyway += max(traded, 0.0)
            sold_anyway += max(-traded, 0.0)
    share = 1.0
    if bought > 0.0:
        share = min(share, max(limit - bought_anyway, 0.0) / bought)
    if sold > 0.0:
        share = min(share, max(limit - sold_anyway, 0.0) / sold)
    if share < 1.0:
        for i in range(len(target)):
            if eligible[i]:
                target[i] = held[i] + share * (target[i] - held[i])
