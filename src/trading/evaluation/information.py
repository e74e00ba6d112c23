"""The information coefficient: the rank correlation of scores with the returns that followed."""

import numpy as np
import numpy.typing as npt

from trading.backtest.holding import growth_paths
from trading.backtest.simulator import FILL_DELAY
from trading.evaluation.walk_forward import outcome_ends
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_NAMES = 3


def realised_returns(dataset: Dataset, index: int, end: int) -> FloatArray:
    """Return what each name `(S,)` returned from a decision's fill to the close of row `end`.

    NaN for a name without any return in that time.
    """
    rows = dataset.returns[int(dataset.decisions[index]) + FILL_DELAY + 1 : end + 1]
    if not len(rows):
        return np.full(len(dataset.symbols), np.nan)
    known = np.isfinite(rows).any(axis=0)
    return np.where(known, growth_paths(rows)[-1] - 1.0, np.nan)


def average_ranks(values: FloatArray) -> FloatArray:
    """Return the ranks 1..n of `(n,)`; equal values share the mean of their ranks."""
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2.0)[group])


def information_coefficient(scores: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation of `(S,)` scores with `(S,)` outcomes.

    Names that lack either are left out. NaN with fewer than `MIN_NAMES` names or no variation.
    """
    left, right = np.asarray(scores, np.float64), np.asarray(outcome, np.float64)
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < MIN_NAMES:
        return float("nan")
    return float(_rank_correlations(left[both][:, None], right[both])[0])


def feature_information(dataset: Dataset) -> FloatArray:
    """Return the information coefficient of every feature at every decision, `(D, F)`.

    Only names that were eligible count. NaN where the outcome is not known yet.
    """
    ends = outcome_ends(dataset)
    table = np.full((len(ends), dataset.features.shape[2]), np.nan)
    for index in np.flatnonzero(ends >= 0):
        outcome = realised_returns(dataset, int(index), int(ends[index]))
        both = dataset.eligible[index] & np.isfinite(outcome)
        if both.sum() >= MIN_NAMES:
            features = dataset.features[index][both].astype(np.float64)
            table[index] = _rank_correlations(features, outcome[both])
    return table


def _rank_correlations(columns: FloatArray, outcome: FloatArray) -> FloatArray:
    """Return Spearman's correlation of each column `(n, F)` with `(n,)`; NaN without variation."""
    left = np.stack([average_ranks(column) for column in columns.T], axis=1)
    right = average_ranks(outcome)
    left -= left.mean(axis=0)
    right -= right.mean()
    scale = np.sqrt((left**2).sum(axis=0) * (right**2).sum())
    varied = scale > 0.0
    products = (left * right[:, None]).sum(axis=0)
    return np.where(varied, products / np.where(varied, scale, 1.0), np.nan)
