"""Where a cold training starts: gates from one exact policy-gradient step at equal weight.

What the agents are paid for a conviction is, at equal weight, the slot's budget-neutral gradient of
the hybrid reward (`reward.slot_credit`). Its expectation given features and context is the
direction in which the first step of any policy gradient points, and it needs no exploration to be
computed: cross-sectional regressions of the gradient on the features, one a decision (E. Fama and
J. MacBeth, "Risk, Return, and Equilibrium", 1973), whose slopes are regressed on the context. An
exposure counts as far as it is significant among all that were looked at: slopes are thresholded
softly at `sqrt(2 log n)` standard errors (D. Donoho and I. Johnstone, "Ideal Spatial Adaptation by
Wavelet Shrinkage", 1994), so that noise starts at nothing, or next to it. The singular vectors of
what is left are the gates.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trading.agents.episodes import Episode, month_market
from trading.agents.gates import Gates
from trading.agents.reward import reward_gradient, slot_credit
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_MONTHS = 24
GRADIENT_CLIP = 5.0
RIDGE = 0.01
CONVICTION_OF_CREDIT = 16.0
"""Conviction for a credit of one spread: a rank correlation of .05 starts at a deviation of .8."""
MOST_CONVICTION = 0.8
"""Deviation of the starting convictions at most; they are bounded by 1."""


def credit_gates(dataset: Dataset, chains: Sequence[Episode], settings: Settings) -> Gates:
    """Return the gates to start from; their score is a conviction, of deviation `<= .8`.

    Parameters
    ----------
    dataset : what is observed and earned
    chains : the episodes of the training; nothing outside them is read
    settings : reward and costs

    Returns
    -------
    Gates
        One for each significant combination of features and context, the strongest first. None
        where nothing is significant, or the training has fewer than 24 months.
    """
    decisions, slopes = credit_slopes(dataset, chains, settings)
    phases = max(len(np.unique(dataset.phases[decisions])), 1)
    if len(decisions) < LEAST_MONTHS * phases:
        return _no_gates(dataset)
    context = dataset.context[decisions].astype(np.float64)
    centre, size = context.mean(axis=0), context.std(axis=0)
    varies = size > np.finfo(np.float32).eps
    inverse = np.where(varies, 1.0 / np.where(varies, size, 1.0), 0.0)
    instruments = np.insert((context - centre) * inverse, 0, 1.0, axis=1)
    # Holding periods of neighbouring grids overlap.
    lags = 0 if phases == 1 else 3 * phases - 1
    spreads = _feature_spreads(dataset, decisions)
    exposures = significant_exposures(slopes, instruments, lags) * spreads[:, None]
    left, strengths, right = np.linalg.svd(exposures, full_matrices=False)
    rank = int((strengths > np.finfo(np.float32).eps).sum())
    varies = spreads > 0.0
    loadings = left[:, :rank] / np.where(varies, spreads, np.inf)[:, None]
    directions = (right[:rank, 1:] * inverse).T
    offsets = right[:rank, 0] - centre @ directions
    output = _convictions(strengths[:rank])
    return Gates(
        *(part.astype(np.float32) for part in (loadings, directions, offsets, output)),
    )


def credit_slopes(
    dataset: Dataset, chains: Sequence[Episode], settings: Settings
) -> tuple[IntArray, FloatArray]:
    """Return decisions `(n,)`, ascending, and their slopes `(n, F)` of the credit on the features.

    The credit is the budget-neutral gradient of the hybrid reward at equal weight over the eligible
    slots, in units of its spread over them; a decision whose gradient is zero is left out. The
    slopes are multivariate, with a little ridge for features that hardly differ.
    """
    costs = CostModel.from_settings(settings.costs)
    outcomes = sorted((o for chain in chains for o in chain), key=lambda o: o.decision)
    found: dict[int, FloatArray] = {}
    for outcome in outcomes:
        slots = np.flatnonzero(dataset.eligible[outcome.decision])
        if len(slots) < 2:
            continue
        market = month_market(dataset, outcome, slots)
        even = np.full(len(slots), 1.0 / len(slots))
        holding = market.hold(even, even, costs)
        gradient = reward_gradient(market, even, even, holding, costs, settings.reward)
        _, neutral = slot_credit(gradient, even, np.ones(len(slots), dtype=np.bool_))
        spread = float(np.sqrt(np.mean(np.square(neutral))))
        if spread > 0.0:
            credit = np.clip(neutral / spread, -GRADIENT_CLIP, GRADIENT_CLIP)
            seen = dataset.features[outcome.decision, slots].astype(np.float64)
            found[outcome.decision] = _slopes(seen - seen.mean(axis=0), credit)
    features = dataset.features.shape[2]
    return np.array(list(found), dtype=np.int64), np.reshape(list(found.values()), (-1, features))


def significant_exposures(slopes: FloatArray, instruments: FloatArray, lags: int) -> FloatArray:
    """Return the exposures `(F, 1 + C)`: slopes on instruments, softly thresholded.

    Each slope is regressed on each instrument alone: correlated instruments support each other.
    Where an instrument counts for a feature, so does the feature's mean slope, for the two together
    say where the sign turns.

    Parameters
    ----------
    slopes : (n, F), of every decision
    instruments : (n, 1 + C), ones and the standardised context
    lags : decisions that an outcome overlaps with; the standard errors are those of W. Newey and K.
        West (1987)
    """
    count = len(slopes)
    exposures = instruments.T @ slopes / count
    errors = np.empty_like(exposures)
    for index, instrument in enumerate(instruments.T):
        fitted = slopes.mean(axis=0) + (instrument[:, None] * exposures[index] if index else 0.0)
        errors[index] = _standard_errors((slopes - fitted) * instrument[:, None], lags)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = 1.0 - np.sqrt(2.0 * np.log(exposures.size)) * errors / np.abs(exposures)
    kept = np.maximum(np.nan_to_num(excess, nan=0.0, neginf=0.0), 0.0)
    kept[0] = kept.max(axis=0)
    return np.asarray((exposures * kept).T)


def _slopes(seen: FloatArray, credit: FloatArray) -> FloatArray:
    gram = seen.T @ seen / len(seen) + RIDGE * np.eye(seen.shape[1])
    return np.asarray(np.linalg.solve(gram, seen.T @ credit / len(seen)))


def _standard_errors(influence: FloatArray, lags: int) -> FloatArray:
    """Return the standard errors `(F,)` of means whose terms `(n, F)` overlap over `lags`."""
    count = len(influence)
    variance = np.square(influence).sum(axis=0)
    for lag in range(1, lags + 1):
        weight = 2.0 * (1.0 - lag / (lags + 1.0))
        variance += weight * (influence[lag:] * influence[:-lag]).sum(axis=0)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0) / (count * (count - 2.0))))


def _feature_spreads(dataset: Dataset, decisions: IntArray) -> FloatArray:
    """Return the deviation `(F,)` of each feature over the slots, the mean of the decisions."""
    spreads = [dataset.features[at][dataset.eligible[at]].std(axis=0) for at in decisions]
    return np.asarray(np.mean(spreads, axis=0, dtype=np.float64))


def _convictions(strengths: FloatArray) -> FloatArray:
    total = CONVICTION_OF_CREDIT * float(np.sqrt(np.square(strengths).sum()))
    return CONVICTION_OF_CREDIT * strengths * min(1.0, MOST_CONVICTION / max(total, 1e-12))


def _no_gates(dataset: Dataset) -> Gates:
    features, context = dataset.features.shape[2], dataset.context.shape[1]
    shapes = ((features, 0), (context, 0), (0,), (0,))
    return Gates(*(np.zeros(shape, dtype=np.float32) for shape in shapes))
