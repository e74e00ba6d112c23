"""Reliability: how often a score of so much confidence came true."""

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.evaluation.evidence import Record
from trading.evaluation.information import realised_returns
from trading.evaluation.out_of_fold import OutOfSample, confidence_on, scores_on
from trading.evaluation.walk_forward import outcome_ends
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]

BINS = 10


class ReliabilityBin(Record):
    """Scores of like confidence.

    Attributes
    ----------
    lowest, highest : confidence of the bin
    confidence : mean
    success : share of the names whose return was on the side of the month's median that the score
        put them on
    names : how many scores, over all months
    """

    lowest: float
    highest: float
    confidence: float
    success: float
    names: int


def reliability(
    dataset: Dataset, indices: npt.ArrayLike, record: OutOfSample, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability table of a record's confidence, in bins of equal numbers of names.

    A score above the median of its month predicts a return above the median, one below it a return
    below. Names at either median do not count.

    Parameters
    ----------
    indices : (M,) the record's decisions, in its order

    Returns
    -------
    Nothing where the scores carry no confidence; fewer bins where confidence takes fewer values.

    Raises
    ------
    DataError
        `bins` is below 1.
    """
    if bins < 1:
        raise DataError(f"a reliability table needs at least one bin, got {bins}")
    months = month_outcomes(dataset, np.asarray(indices, dtype=np.int64), record)
    return tabulate(
        np.concatenate([np.empty(0), *(sure for sure, _ in months)]),
        np.concatenate([np.empty(0, dtype=bool), *(success for _, success in months)]),
        bins,
    )


def tabulate(
    sure: FloatArray, success: npt.NDArray[np.bool_], bins: int
) -> tuple[ReliabilityBin, ...]:
    """Return the table of confidence `(n,)` against success `(n,)`, in bins of equal numbers."""
    if not len(sure):
        return ()
    edges = np.unique(np.quantile(sure, np.linspace(0.0, 1.0, bins + 1)))
    place = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for number in np.unique(place):
        inside = place == number
        found.append(
            ReliabilityBin(
                lowest=float(sure[inside].min()),
                highest=float(sure[inside].max()),
                confidence=float(sure[inside].mean()),
                success=float(success[inside].mean()),
                names=int(inside.sum()),
            )
        )
    return tuple(found)


def month_outcomes(
    dataset: Dataset, indices: npt.NDArray[np.int64], record: OutOfSample
) -> list[tuple[FloatArray, npt.NDArray[np.bool_]]]:
    """Return, month by month, confidence and success `(n,)` of every score with an outcome.

    Without confidence there is no month.
    """
    scores, confidence = scores_on(dataset, record), confidence_on(dataset, record)
    if confidence is None:
        return []
    ends = outcome_ends(dataset)
    found = []
    for month, index in enumerate(indices):
        returned = realised_returns(dataset, int(index), int(ends[index]))
        both = dataset.eligible[index] & np.isfinite(scores[month]) & np.isfinite(returned)
        side, came = scores[month][both], returned[both]
        if len(side):
            side, came = side - np.median(side), came - np.median(came)
        counts = (side != 0.0) & (came != 0.0)
        found.append((confidence[month][both][counts], (side * came > 0.0)[counts]))
    return found
