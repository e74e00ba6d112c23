"""The ensemble: what several policies agree on.

Members are trained apart, so their scores have no common scale. Each is turned into ranks over the
eligible cross-section first; the ensemble's score is the mean rank. Ranks need the whole
cross-section and networks do not, so the work splits in two: `raw` for each batch of slots, then
`combine` once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.agents.calibration import Calibration
from trading.agents.policy import Float32Array, Policy
from trading.errors import ModelError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Scores of a cross-section of n slots.

    Attributes
    ----------
    score : (n,) float64 in (-1, 1), the mean over members of the rank; NaN where not eligible
    confidence : (n,) float64 in 0..1, strength times agreement; 0 where not eligible
    probability : (n,) float64, how often scores of such confidence put a name on the right side of
        the month's median return, out of sample; NaN where not eligible. None without a calibration
    """

    score: FloatArray
    confidence: FloatArray
    probability: FloatArray | None = None


@dataclass(frozen=True)
class Ensemble:
    """Policies whose ranks are averaged with equal weight.

    Attributes
    ----------
    members : the policies
    calibration : what their agreement has been worth; None where that is not known

    Raises `ModelError` when there is no member.
    """

    members: tuple[Policy, ...]
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise ModelError("an ensemble needs at least one member")

    def raw(
        self, features: Float32Array, held: Float32Array, context: Float32Array
    ) -> Float32Array:
        """Return every member's scores `(members, n)` float32 of a batch of n slots."""
        return np.stack([member.score(features, held, context) for member in self.members])

    def score(
        self,
        features: Float32Array,
        held: Float32Array,
        context: Float32Array,
        eligible: BoolArray,
    ) -> Scores:
        """Return the `Scores` of a whole cross-section; only the `eligible (n,)` slots rank."""
        return combine(self.raw(features, held, context), eligible, self.calibration)


def combine(
    raw: Float32Array, eligible: BoolArray, calibration: Calibration | None = None
) -> Scores:
    """Return the ensemble's scores of a cross-section from its members' scores.

    Member m gives slot i the rank `u = 2 (rank + 1/2) / n - 1`, in (-1, 1), among the n eligible
    slots; equal scores share their mean rank. The score is the mean of u over the members. The
    confidence is `|score| * (1 - spread)`, `spread` the population standard deviation of u over the
    members (at most 1): near 1 where all members put the slot at the same end, near 0 in the middle
    or where they contradict each other. It orders names by conviction; a calibration turns it into
    a probability.

    Parameters
    ----------
    raw : (members, S) float32, scores; only the eligible columns are read
    eligible : (S,) bool
    calibration : of this ensemble's confidence

    Raises
    ------
    ModelError
        When the shapes differ or an eligible slot has a score that is not finite.
    """
    if raw.ndim != 2 or not len(raw) or eligible.shape != raw.shape[1:]:
        raise ModelError(
            f"combine takes scores (members, S) and eligible (S,), "
            f"found {raw.shape} and {eligible.shape}"
        )
    chosen = raw[:, eligible]
    if not np.isfinite(chosen).all():
        missing = int((~np.isfinite(chosen)).any(axis=0).sum())
        raise ModelError(
            f"{missing} of {chosen.shape[1]} eligible slots have no finite score; "
            "score every batch of slots before ranking"
        )
    members, count = chosen.shape
    ranks = np.stack([_centred_ranks(scores) for scores in chosen])
    score = np.full(eligible.shape, np.nan)
    confidence = np.zeros(eligible.shape)
    score[eligible] = ranks.sum(axis=0) / max(members * count, 1)
    spread = ranks.std(axis=0) / max(count, 1)
    confidence[eligible] = np.abs(score[eligible]) * (1.0 - spread)
    confidence = np.clip(confidence, 0.0, 1.0)
    if calibration is None:
        return Scores(score, confidence)
    return Scores(score, confidence, np.where(eligible, calibration.apply(confidence), np.nan))


def join_batches(batches: Sequence[Float32Array]) -> Float32Array:
    """Return `raw` scores of consecutive batches `(members, n_b)` as one `(members, S)`.

    Raises `ModelError` when there is no batch or they come from ensembles of different sizes.
    """
    sizes = {len(batch) for batch in batches}
    if len(sizes) != 1:
        raise ModelError(
            f"score batches must come from one ensemble, found ensembles of {sorted(sizes)} members"
        )
    return np.concatenate(list(batches), axis=1)


def _centred_ranks(scores: Float32Array) -> npt.NDArray[np.int64]:
    """Return n times the rank u of `combine`, an integer: sums of ranks tie exactly."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return np.asarray((2 * np.cumsum(counts) - counts - len(scores))[group], dtype=np.int64)
