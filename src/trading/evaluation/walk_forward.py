"""Walk-forward folds: train on the past, leave an embargo, test on the months that follow.

The window expands: fold `k` trains on everything that ended an embargo before its first test
decision. The test blocks are consecutive and end with the last decision that has an outcome, so
together they are one unbroken out-of-sample record (M. Lopez de Prado, "Advances in Financial
Machine Learning", 2018, chapter 7, for purging and embargo).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.simulator import FILL_DELAY
from trading.config import GateSettings, TrainingSettings
from trading.errors import DataError
from trading.features.dataset import Dataset
from trading.features.decisions import next_in_phase

IntArray = npt.NDArray[np.int64]

MIN_TRAINING_MONTHS = 3
TEST_SHARE = 0.5


@dataclass(frozen=True)
class Fold:
    """One fold; `train` and `test` index `dataset.decisions`.

    Attributes
    ----------
    index : 0 for the earliest fold
    train : decisions of all phases, ascending
    test : decisions of phase 0, ascending
    train_end : last row whose return any training outcome holds
    test_start : row of the first test decision; `train_end + embargo <= test_start`
    """

    index: int
    train: IntArray
    test: IntArray
    train_end: int
    test_start: int


def outcome_ends(dataset: Dataset) -> IntArray:
    """Return the row `(D,)` at whose close each decision's position is left; -1: not yet known.

    A position is left at the fill of the next decision of the same phase.
    """
    following = next_in_phase(dataset.decisions, dataset.phases)
    return np.where(dataset.has_outcome, following + FILL_DELAY, -1)


def make_folds(
    dataset: Dataset,
    settings: TrainingSettings,
    *,
    min_months: int = GateSettings.model_fields["min_months"].default,
) -> tuple[Fold, ...]:
    """Return `settings.folds` folds with an expanding training window.

    Half of the monthly decisions with an outcome are tested, more where that is fewer than
    `min_months` and the history allows it.

    Raises
    ------
    DataError
        The history is too short for the folds.
    """
    ends = outcome_ends(dataset)
    monthly = np.flatnonzero((dataset.phases == 0) & (ends >= 0))
    usable = len(monthly) - MIN_TRAINING_MONTHS
    tested = min(max(round(TEST_SHARE * len(monthly)), min_months), usable)
    while tested >= settings.folds:
        blocks = np.array_split(monthly[len(monthly) - tested :], settings.folds)
        folds = tuple(
            _fold(dataset, ends, k, test, settings.embargo_sessions)
            for k, test in enumerate(blocks)
        )
        if _months(dataset, folds[0].train) >= MIN_TRAINING_MONTHS:
            return folds
        tested -= 1
    raise DataError(
        f"the history is too short to validate a model: {len(monthly)} complete month(s) with "
        f"features, but {settings.folds} fold(s) need at least one test month each after "
        f"{MIN_TRAINING_MONTHS} training months and {settings.embargo_sessions} sessions of "
        "embargo; add history or lower training.folds"
    )


def _fold(dataset: Dataset, ends: IntArray, index: int, test: IntArray, embargo: int) -> Fold:
    start = int(dataset.decisions[test[0]])
    train = np.flatnonzero((ends >= 0) & (ends + embargo <= start))
    last = int(ends[train].max()) if len(train) else -1
    return Fold(index, train, test.astype(np.int64), last, start)


def _months(dataset: Dataset, train: IntArray) -> int:
    return int((dataset.phases[train] == 0).sum())
