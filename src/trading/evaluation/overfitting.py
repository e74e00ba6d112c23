"""The probability of backtest overfitting, by combinatorially symmetric cross-validation."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

BLOCKS = 12
MIN_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What choosing the best of several candidates by their past is worth.

    Attributes
    ----------
    probability : share of the splits in which the candidate that was best in one half was below
        the median of all in the other, 0..1; about one half where the past says nothing
    candidates, blocks, splits : how many
    loss : share of the splits in which the chosen one's performance out of sample was below zero
    slope : of performance out of sample on that in sample, over the splits, of the chosen ones
    """

    probability: float
    candidates: int
    blocks: int
    splits: int
    loss: float
    slope: float | None


def probability_of_overfitting(
    performance: npt.ArrayLike, blocks: int = BLOCKS
) -> Overfitting | None:
    """Return the probability of backtest overfitting of a choice by the Sharpe ratio.

    The periods are cut into `blocks` consecutive parts; every half of the parts is the sample in
    which the candidate with the best ratio of mean to deviation is chosen, the other half ranks it
    among all. Ties share their mean rank, and a chosen one exactly at the median counts one half.
    D. Bailey, J. Borwein, M. Lopez de Prado and Q. Zhu, "The Probability of Backtest Overfitting"
    (Journal of Computational Finance, 2017).

    Parameters
    ----------
    performance : (n, c) one value a period and candidate, e.g. active returns; periods in which a
        candidate has none (NaN) are left out for all
    blocks : even; fewer are taken where the periods do not give two values a block

    Returns
    -------
    None with fewer than two candidates that differ, or fewer than `MIN_BLOCKS` blocks.

    Raises
    ------
    DataError
        `performance` is not a table, holds an infinite value, or `blocks` is odd or below 2.
    """
    table = np.asarray(performance, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise DataError(
            f"performance must be a finite table (periods, candidates), got {table.shape}"
        )
    if blocks < 2 or blocks % 2:
        raise DataError(f"the blocks must be an even number of at least 2, got {blocks}")
    table = table[np.isfinite(table).all(axis=1)]
    used = min(blocks, len(table) // 2 // 2 * 2)
    if used < MIN_BLOCKS or table.shape[1] < 2 or not np.ptp(table, axis=1).any():
        return None
    inside, outside = _halves(table, used)
    rows = np.arange(len(inside))
    chosen = np.argmax(inside, axis=1)
    own = outside[rows, chosen][:, None]
    below = (outside < own).sum(axis=1) + 0.5 * ((outside == own).sum(axis=1) - 1)
    share = below / (table.shape[1] - 1)
    best = inside[rows, chosen]
    finite = bool(np.isfinite(best).all() and np.isfinite(own).all())
    varied = finite and np.ptp(best) > 0.0
    return Overfitting(
        probability=float((share < 0.5).mean() + 0.5 * (share == 0.5).mean()),
        candidates=table.shape[1],
        blocks=used,
        splits=len(inside),
        loss=float((own[:, 0] < 0.0).mean()),
        slope=float(np.polyfit(best, own[:, 0], 1)[0]) if varied else None,
    )


def _halves(table: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Return the ratios `(splits, c)` in each half of the blocks and in its complement."""
    parts = np.array_split(table, blocks)
    count = np.array([len(part) for part in parts], dtype=np.float64)
    sums = np.stack([part.sum(axis=0) for part in parts])
    squares = np.stack([(part**2).sum(axis=0) for part in parts])
    picks = list(combinations(range(blocks), blocks // 2))
    taken = np.zeros((len(picks), blocks))
    taken[np.arange(len(picks))[:, None], np.array(picks)] = 1.0
    return tuple(  # type: ignore[return-value]
        _ratios(half @ count, half @ sums, half @ squares) for half in (taken, 1.0 - taken)
    )


def _ratios(count: FloatArray, sums: FloatArray, squares: FloatArray) -> FloatArray:
    """Return mean over deviation; a mean without deviation counts as infinitely sure."""
    mean = sums / count[:, None]
    variance = np.maximum(squares / count[:, None] - mean**2, 0.0)
    deviation = np.sqrt(np.where(variance > 1e-18 * (1.0 + mean**2), variance, 0.0))
    sure = np.where(mean > 0.0, np.inf, np.where(mean < 0.0, -np.inf, 0.0))
    return np.where(deviation > 0.0, mean / np.where(deviation > 0.0, deviation, 1.0), sure)
