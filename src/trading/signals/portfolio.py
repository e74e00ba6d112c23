"""Selection of the model portfolio: who enters (BUY), who stays (HOLD), who leaves (SELL).

Names that may be held are ranked by score, ties by symbol. A holding stays while it ranks within
the hold limit; the places left are taken by the best names within the buy limit. This buy/hold
spread keeps turnover, and so costs, down (R. Novy-Marx and M. Velikov, "A Taxonomy of Anomalies and
Their Trading Costs", 2016). The monthly ranking and every evaluation use this one function.

With `n` ranked names:

- at most `max_names` are held, and never more than half of `n` (a tiny universe still chooses);
- the buy limit is `buy_fraction * n`, but at least `min_names` and at most what may be held;
- the hold limit is `hold_fraction * n`; where `min_names` raised the buy limit, the hold limit
  rises in proportion, up to halfway between the buy limit and the last rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.config import PortfolioSettings
from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BUY = "BUY"
HOLD = "HOLD"
SELL = "SELL"
NO_ACTION = ""


@dataclass(frozen=True, slots=True)
class RankLimits:
    """How many names are held at most, and the last ranks that buy and that hold."""

    names: int
    buy: int
    hold: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected portfolio.

    Attributes
    ----------
    actions : (S,) str, "BUY", "HOLD", "SELL" or "" (not concerned)
    weights : (S,) float64 target weights, >= 0, sum <= 1; the rest is cash
    ranks : (S,) int64, 1 is the best; 0 where the name cannot be held
    ranked : how many names were ranked
    limits : the limits that applied to so many names
    """

    actions: npt.NDArray[np.str_]
    weights: FloatArray
    ranks: IntArray
    ranked: int
    limits: RankLimits

    def reason(self, slot: int) -> str:
        """Return in a few words why the name in `slot` has its action; "" without an action."""
        rank, action = int(self.ranks[slot]), str(self.actions[slot])
        place = f"rank {rank:,} of {self.ranked:,}"
        if action == BUY:
            return f"{place}: enters, within the best {self.limits.buy:,}"
        if action == HOLD:
            return f"{place}: stays, within the best {self.limits.hold:,}"
        if action == SELL and rank == 0:
            return "cannot be held any longer: not eligible, without a score, or excluded"
        if action == SELL and rank > self.limits.hold:
            return f"{place}: leaves, beyond the best {self.limits.hold:,}"
        if action == SELL:
            return f"{place}: leaves, the {self.limits.names:,} places went to better holdings"
        return ""


def rank_limits(ranked: int, settings: PortfolioSettings) -> RankLimits:
    """Return the limits for `ranked` names (see the module's text for the rules)."""
    if ranked == 0:
        return RankLimits(0, 0, 0)
    names = min(settings.max_names, max(1, ranked // 2))
    least = min(settings.min_names, names)
    wished = round(settings.buy_fraction * ranked)
    buy = min(max(wished, least), names)
    hold = max(round(settings.hold_fraction * ranked), buy)
    if buy > wished and settings.buy_fraction > 0.0:
        spread = settings.hold_fraction / settings.buy_fraction
        hold = max(hold, min(round(buy * spread), (buy + ranked) // 2))
    return RankLimits(names, buy, min(hold, ranked))


def select(
    scores: npt.ArrayLike,
    confidence: npt.ArrayLike | None,
    eligible: npt.ArrayLike,
    held: npt.ArrayLike,
    settings: PortfolioSettings,
    symbols: Sequence[str],
) -> Selection:
    """Select the portfolio of one decision.

    Parameters
    ----------
    scores : (S,) the higher the better; NaN is not ranked
    confidence : (S,) 0..1, tilts the weights by `settings.confidence_tilt`; None: equal weights
    eligible : (S,) bool, may be held after this decision
    held : (S,) current weights; a weight above 0 is a holding
    settings : limits, fractions, largest weight, excluded symbols
    symbols : S names; an empty one is an empty slot

    Raises
    ------
    DataError
        Shapes differ, a symbol comes twice, a weight is negative or not finite, a selected name
        has no confidence in 0..1.
    """
    score = np.asarray(scores, dtype=np.float64)
    current = np.asarray(held, dtype=np.float64)
    names = np.asarray(symbols, dtype=np.str_)
    may_hold = np.asarray(eligible, dtype=bool)
    _require_one_shape(names, scores=score, eligible=may_hold, held=current)
    if not np.isfinite(current).all() or (current < 0.0).any():
        raise DataError("held weights must be finite and not negative")
    allowed = may_hold & np.isfinite(score) & (names != "") & ~np.isin(names, settings.exclude)
    order = _best_first(score, names, allowed)
    limits = rank_limits(len(order), settings)
    ranks = np.zeros(len(names), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)

    holding = current > 0.0
    stays = order[: limits.hold]
    stays = stays[holding[stays]][: limits.names]
    enters = order[: limits.buy]
    enters = enters[~holding[enters]][: limits.names - len(stays)]
    actions = np.full(len(names), NO_ACTION, dtype="<U4")
    actions[holding] = SELL
    actions[stays] = HOLD
    actions[enters] = BUY

    chosen = order[np.isin(actions[order], (BUY, HOLD))]
    weights = np.zeros(len(names))
    weights[chosen] = _weights(chosen, confidence, len(names), settings)
    return Selection(actions, weights, ranks, len(order), limits)


def capped_weights(tilt: npt.ArrayLike, max_weight: float) -> FloatArray:
    """Return weights `(k,)` proportional to `tilt`, none above `max_weight`, summing to at most 1.

    What a capped name cannot take goes to the others in proportion; the sum is 1 where the cap
    allows it, else `k * max_weight`.
    """
    wish = np.asarray(tilt, dtype=np.float64)
    weights = np.full(len(wish), max_weight)
    if len(wish) * max_weight <= 1.0:
        return weights
    free = np.ones(len(wish), dtype=bool)
    while free.any():
        rest = 1.0 - max_weight * float((~free).sum())
        weights[free] = rest * wish[free] / wish[free].sum()
        over = free & (weights > max_weight)
        if not over.any():
            break
        weights[over] = max_weight
        free &= ~over
    return weights


def _best_first(score: FloatArray, names: npt.NDArray[np.str_], allowed: BoolArray) -> IntArray:
    """Return the indices of the allowed names, best score first, ties by symbol."""
    index = np.flatnonzero(allowed)
    order = index[np.lexsort((names[index], -score[index]))]
    if len(np.unique(names[index])) != len(index):
        raise DataError("a symbol stands in more than one slot; slots must hold unique symbols")
    return order.astype(np.int64)


def _weights(
    chosen: IntArray, confidence: npt.ArrayLike | None, slots: int, settings: PortfolioSettings
) -> FloatArray:
    """Weigh the chosen names in rank order, so that sums do not depend on the order of slots."""
    tilt = np.ones(len(chosen))
    if confidence is not None:
        sure = np.asarray(confidence, dtype=np.float64)
        if sure.shape != (slots,):
            raise DataError(f"confidence has shape {sure.shape}, expected {(slots,)}")
        sure = sure[chosen]
        if not ((sure >= 0.0) & (sure <= 1.0)).all():
            raise DataError("the confidence of every ranked name must lie in 0..1")
        tilt += settings.confidence_tilt * (2.0 * sure - 1.0)
    # A name of no confidence at full tilt still needs a positive share for the cap to work with.
    return capped_weights(np.maximum(tilt, 1e-6), settings.max_weight)


def _require_one_shape(names: npt.NDArray[np.str_], **arrays: npt.NDArray) -> None:  # type: ignore[type-arg]
    for what, array in arrays.items():
        if array.shape != names.shape:
            raise DataError(f"{what} has shape {array.shape}, expected {names.shape} (one a slot)")
