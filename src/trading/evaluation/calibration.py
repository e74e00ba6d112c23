"""Confidence made a probability by the months that no model was trained on, and the proof of it."""

import numpy as np
import numpy.typing as npt

from trading.agents.calibration import Calibration, fit_calibration
from trading.evaluation.out_of_fold import OutOfSample
from trading.evaluation.reliability import BINS, ReliabilityBin, month_outcomes, tabulate
from trading.features.dataset import Dataset

EMBARGO_MONTHS = 1
"""An outcome ends a session after the next decision, which therefore cannot know it."""
MIN_MONTHS = 6


def calibrate(dataset: Dataset, indices: npt.ArrayLike, record: OutOfSample) -> Calibration | None:
    """Return the calibration of a record's confidence by all of its months.

    It is for the months after them. None where the scores carry no confidence or are too few.

    Parameters
    ----------
    indices : (M,) the record's decisions, in its order
    """
    return _fit(month_outcomes(dataset, np.asarray(indices, dtype=np.int64), record))


def calibrated_reliability(
    dataset: Dataset, indices: npt.ArrayLike, record: OutOfSample, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability table of calibrated confidence, each month by those before it.

    A month's calibration rests on the months whose outcome was known when it was decided, and on at
    least `MIN_MONTHS`; the months before there are so many are left out. Empty where none is left.
    """
    months = month_outcomes(dataset, np.asarray(indices, dtype=np.int64), record)
    sure, success = [np.empty(0)], [np.empty(0, dtype=bool)]
    for month in range(MIN_MONTHS + EMBARGO_MONTHS, len(months)):
        found = _fit(months[: month - EMBARGO_MONTHS])
        if found is not None:
            sure.append(found.apply(months[month][0]))
            success.append(months[month][1])
    return tabulate(np.concatenate(sure), np.concatenate(success), bins)


def _fit(months: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]) -> Calibration | None:
    if not months:
        return None
    sure, success = (np.concatenate(parts) for parts in zip(*months, strict=True))
    return fit_calibration(sure, success, len(months))
