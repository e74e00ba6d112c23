"""Combinatorial purged cross-validation: many out-of-sample histories instead of one.

The months are cut into groups; every choice of a few groups is tested by a model that is trained on
all the others, without what overlaps them. Each group is so tested several times, and the tests
join into several complete histories: a distribution of Sharpe ratios where walk-forward has one.
M. Lopez de Prado, "Advances in Financial Machine Learning" (2018), chapter 12. Models of early
groups have learnt from later months, which no trader could: it measures how sure a recipe is, and
the gate, which must be walk-forward, does not use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import sharpe
from trading.backtest.simulator import FILL_DELAY
from trading.config import Settings
from trading.errors import ConfigurationError, DataError
from trading.evaluation.evidence import Record
from trading.evaluation.out_of_fold import OutOfSample, Scorer, replay
from trading.evaluation.walk_forward import outcome_ends
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CombinatorialSplit:
    """One choice of groups to test; all arrays index `dataset.decisions`.

    Attributes
    ----------
    index : 0 for the first
    train : decisions of all phases whose outcome overlaps no tested one and does not begin within
        the embargo after one
    test : the tested groups, decisions of phase 0 each
    paths : which history each of the tested groups belongs to
    """

    index: int
    train: IntArray
    test: tuple[IntArray, ...]
    paths: tuple[int, ...]


class PathDistribution(Record):
    """What the histories have in common.

    Attributes
    ----------
    groups, tested, splits, paths : how many
    sharpe : annualised, of each history
    mean, deviation, lowest, highest : of these
    """

    groups: int
    tested: int
    splits: int
    paths: int
    sharpe: tuple[float | None, ...]
    mean: float | None
    deviation: float | None
    lowest: float | None
    highest: float | None


def combinatorial_splits(
    dataset: Dataset, *, groups: int = 6, tested: int = 2, embargo_sessions: int = 21
) -> tuple[CombinatorialSplit, ...]:
    """Return every choice of `tested` of `groups` groups of months, purged and embargoed.

    The choices and the histories that they join to are skfolio's `CombinatorialPurgedCV`; what may
    be trained on is decided by rows here, since the outcomes of shifted phases overlap.

    Parameters
    ----------
    embargo_sessions : sessions after a tested outcome's end before which no trained decision lies,
        and before a tested decision that a trained outcome must have ended by

    Raises
    ------
    ConfigurationError
        The numbers of groups do not fit together, or skfolio (extra `backtest`) is not installed.
    DataError
        There are fewer months with an outcome than groups, or a split has nothing to train on.
    """
    if not 1 <= tested < groups:
        raise ConfigurationError(
            f"of {groups} groups at least 1 and fewer than all can be tested, not {tested}"
        )
    ends = outcome_ends(dataset)
    monthly = np.flatnonzero((dataset.phases == 0) & (ends >= 0))
    if len(monthly) < groups:
        raise DataError(
            f"{len(monthly)} complete month(s) cannot make {groups} groups; add history"
        )
    choices = _choices(len(monthly), groups, tested)
    splits = []
    for number, (parts, paths) in enumerate(choices):
        test = tuple(monthly[part] for part in parts)
        train = _purged(dataset, ends, test, embargo_sessions)
        if not len(train):
            raise DataError(f"split {number} leaves nothing to train on; use more groups")
        splits.append(CombinatorialSplit(number, train, test, paths))
    return tuple(splits)


def path_records(
    dataset: Dataset,
    splits: Sequence[CombinatorialSplit],
    scorers: Sequence[Scorer],
    settings: Settings,
) -> tuple[OutOfSample, ...]:
    """Return the complete histories that the splits' scorers join to, the book carried along each.

    `scorers` has one scorer a split. Raises `DataError` for another number.
    """
    if len(splits) != len(scorers):
        raise DataError(f"{len(splits)} splits need as many scorers, got {len(scorers)}")
    chosen: dict[int, dict[int, Scorer]] = {}
    for split, scorer in zip(splits, scorers, strict=True):
        for part, path in zip(split.test, split.paths, strict=True):
            chosen.setdefault(path, {}).update({int(index): scorer for index in part})
    return tuple(
        replay(
            dataset,
            np.array(sorted(by_month), dtype=np.int64),
            lambda index, held, by_month=by_month: by_month[index](index, held),  # type: ignore[misc]
            settings,
            name=f"path-{path}",
            label=f"History {path + 1} of the cross-validation",
        )
        for path, by_month in sorted(chosen.items())
    )


def distribution(
    splits: Sequence[CombinatorialSplit], records: Sequence[OutOfSample]
) -> PathDistribution:
    """Return the distribution of the histories' annualised Sharpe ratios, net of costs."""
    ratios = np.array([float(sharpe(record.track.net_returns)) for record in records])
    known = ratios[np.isfinite(ratios)]
    return PathDistribution(
        groups=len({int(part[0]) for split in splits for part in split.test}),
        tested=len(splits[0].test) if splits else 0,
        splits=len(splits),
        paths=len(records),
        sharpe=tuple(float(ratio) if np.isfinite(ratio) else None for ratio in ratios),
        mean=float(known.mean()) if len(known) else None,
        deviation=float(known.std(ddof=1)) if len(known) > 1 else None,
        lowest=float(known.min()) if len(known) else None,
        highest=float(known.max()) if len(known) else None,
    )


def _choices(months: int, groups: int, tested: int) -> list[tuple[list[IntArray], tuple[int, ...]]]:
    """Return the tested parts of each split, as positions, and the histories they belong to."""
    try:
        # Imported here: it takes seconds, and the validation of a month does without.
        from skfolio.model_selection import CombinatorialPurgedCV
    except ImportError as error:
        raise ConfigurationError(
            "combinatorial cross-validation needs skfolio: install the extra `backtest`"
        ) from error
    if tested < 2:
        parts = [part.astype(np.int64) for part in np.array_split(np.arange(months), groups)]
        return [([part], (0,)) for part in parts]
    cv = CombinatorialPurgedCV(n_folds=groups, n_test_folds=tested)
    paths = cv.get_path_ids()
    return [
        ([np.asarray(part, dtype=np.int64) for part in test], tuple(int(p) for p in paths[number]))
        for number, (_, test) in enumerate(cv.split(np.zeros((months, 1))))
    ]


def _purged(dataset: Dataset, ends: IntArray, test: Sequence[IntArray], embargo: int) -> IntArray:
    """Return the decisions whose outcome stays clear of every tested part."""
    allowed = ends >= 0
    fills = dataset.decisions + FILL_DELAY
    for part in test:
        first, last = int(dataset.decisions[part[0]]), int(ends[part[-1]])
        before = ends + embargo <= first
        after = fills >= last + embargo
        allowed &= before | after
    return np.flatnonzero(allowed)
