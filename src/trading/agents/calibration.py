"""Calibration: from how much the members agree to how often such scores came true.

Isotonic regression of success on confidence (M. Ayer et al., "An Empirical Distribution Function
for Sampling with Incomplete Information", 1955; for classifiers B. Zadrozny and C. Elkan,
"Transforming Classifier Scores into Accurate Multiclass Probability Estimates", 2002): the rising
function that fits best, found by pooling adjacent violators. It is fitted on months that no member
was trained on and travels with the model; serving only interpolates.
"""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import ModelError

FloatArray = npt.NDArray[np.float64]

CALIBRATION = "calibration.json"
BINS = 50
MIN_SCORES = 200


@dataclass(frozen=True)
class Calibration:
    """A rising function from confidence to probability, linear between its knots.

    Attributes
    ----------
    confidence : (k,) knots, strictly ascending, k >= 1
    probability : (k,) not descending, 0..1
    scores, months : how many scores of how many months it was fitted on

    Raises
    ------
    ModelError
        When the knots are not as described.
    """

    confidence: tuple[float, ...]
    probability: tuple[float, ...]
    scores: int
    months: int

    def __post_init__(self) -> None:
        knots, values = np.array(self.confidence), np.array(self.probability)
        fits = len(knots) == len(values) > 0 and np.isfinite(knots).all()
        if not fits or not ((values >= 0.0) & (values <= 1.0)).all():
            raise ModelError("a calibration needs as many probabilities in 0..1 as knots")
        if (np.diff(knots) <= 0.0).any() or (np.diff(values) < 0.0).any():
            raise ModelError("the knots of a calibration ascend, and its probabilities never fall")

    def apply(self, confidence: npt.ArrayLike) -> FloatArray:
        """Return the probability of each confidence, NaN for NaN; flat beyond the outer knots."""
        sure = np.asarray(confidence, dtype=np.float64)
        return np.asarray(np.interp(sure, self.confidence, self.probability))

    def to_bytes(self) -> bytes:
        """Return the calibration as JSON; equal ones give equal bytes."""
        return (json.dumps(vars(self), sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> "Calibration":
        """Read what `to_bytes` wrote; raises `ModelError` for anything else."""
        try:
            values = json.loads(body)
            return cls(
                tuple(float(knot) for knot in values["confidence"]),
                tuple(float(value) for value in values["probability"]),
                int(values["scores"]),
                int(values["months"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{CALIBRATION} is not a calibration: {error}") from error


def fit_calibration(
    confidence: npt.ArrayLike, success: npt.ArrayLike, months: int
) -> Calibration | None:
    """Fit a calibration; None with fewer than `MIN_SCORES` scores.

    Parameters
    ----------
    confidence : (n,) finite, as the ensemble gave it out of sample
    success : (n,) bool, whether each score came true
    months : how many months they are from; it is only kept

    Raises
    ------
    ModelError
        The two differ in length, or a confidence is not finite.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    came = np.asarray(success, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != came.shape or not np.isfinite(sure).all():
        raise ModelError(
            f"a calibration takes finite confidence (n,) and success (n,), found {sure.shape} and "
            f"{came.shape}"
        )
    if len(sure) < MIN_SCORES:
        return None
    edges = np.unique(np.quantile(sure, np.linspace(0.0, 1.0, BINS + 1)))
    place = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, max(len(edges) - 2, 0))
    count = np.bincount(place).astype(np.float64)
    filled = count > 0.0
    knots = np.bincount(place, sure)[filled] / count[filled]
    means = np.bincount(place, came)[filled] / count[filled]
    fitted = _pool_violators(means, count[filled])
    return Calibration(tuple(knots.tolist()), tuple(fitted.tolist()), len(sure), months)


def _pool_violators(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the rising sequence nearest to `values` in weighted squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, more, count = blocks.pop()
            mean = (before * more + mean * mass) / (more + mass)
            mass, length = mass + more, length + count
        blocks.append((mean, mass, length))
    means, _, lengths = zip(*blocks, strict=True)
    # Weighted means of shares can leave 0..1, or the order, by a rounding.
    rising = np.maximum.accumulate(np.repeat(means, lengths))
    return np.asarray(np.clip(rising, 0.0, 1.0))
