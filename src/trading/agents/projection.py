"""From an action to a portfolio: long only, over eligible slots, at most fully invested."""

import numpy as np
import numpy.typing as npt

from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SHARPNESS = 2.0
"""A conviction of +1 weighs e^4 = 55 times one of -1."""


def conviction_weights(
    convictions: npt.ArrayLike, eligible: BoolArray, sharpness: float = SHARPNESS
) -> FloatArray:
    """Return the fully invested weights `(..., S)` that convictions in -1..1 ask for.

    `w_i` is proportional to `exp(sharpness * conviction_i)` over the eligible slots. This is the
    smooth counterpart of production's selection, which holds the highest scores and nothing else:
    both put more on a higher rank and neither minds the scale of the rest. Without an eligible
    slot everything is cash.
    """
    wanted = _finite(convictions, eligible) * sharpness
    peak = np.where(eligible, wanted, -np.inf).max(axis=-1, keepdims=True, initial=-1e300)
    grown = np.where(eligible, np.exp(np.minimum(wanted - peak, 0.0)), 0.0)
    total = grown.sum(axis=-1, keepdims=True)
    return np.asarray(grown / np.where(total > 0.0, total, 1.0))


def _finite(action: npt.ArrayLike, eligible: BoolArray) -> FloatArray:
    values = np.asarray(action, dtype=np.float64)
    if values.shape[-1:] != eligible.shape[-1:]:
        raise DataError(
            f"an action needs one number for each of the {eligible.shape[-1]} slots, "
            f"found shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise DataError("an action holds numbers that are not finite; the policy has diverged")
    return values
