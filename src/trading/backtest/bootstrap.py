"""The paired block bootstrap: how easily chance alone makes one track beat another."""

import numpy as np
import numpy.typing as npt

from trading.errors import DataError

BLOCK_SESSIONS = 21
SEED = 1992


def paired_p_value(candidate: npt.ArrayLike, other: npt.ArrayLike, samples: int) -> float | None:
    """Return the one-sided p-value of "the candidate's mean daily return is not the larger".

    Blocks of `BLOCK_SESSIONS` consecutive differences are drawn from the circle of all sessions
    (D. Politis and J. Romano, "A Circular Block-Resampling Procedure for Stationary Data", 1992),
    which keeps the pairing and the dependence within a month; differences are centred on zero to
    stand for the hypothesis. The seed is fixed: the same returns give the same p-value.

    Parameters
    ----------
    candidate, other : (n,) net returns of the same sessions
    samples : resamples; the smallest p-value is 1 / (samples + 1)

    Returns
    -------
    0..1, or None when there are fewer than two blocks of returns, or the two never differ.

    Raises
    ------
    DataError
        The series differ in length or hold a return that is not finite.
    """
    left, right = np.asarray(candidate, np.float64), np.asarray(other, np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise DataError(f"paired returns must be of the same sessions: {left.shape}, {right.shape}")
    difference = left - right
    if not np.isfinite(difference).all():
        raise DataError("paired returns must be finite; restrict both tracks to common sessions")
    n = len(difference)
    if n < 2 * BLOCK_SESSIONS or not difference.any():
        return None
    observed = float(difference.mean())
    centred = difference - observed
    blocks = -(-n // BLOCK_SESSIONS)
    starts = np.random.default_rng(SEED).integers(0, n, size=(samples, blocks))
    means = _block_means(centred, starts, n)
    return float((1 + np.sum(means >= observed)) / (samples + 1))


def _block_means(
    series: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.float64]:
    """Return means `(samples,)` of `n` returns made of circular blocks, the last cut to length."""
    circle = np.concatenate([[0.0], np.cumsum(np.concatenate([series, series[:BLOCK_SESSIONS]]))])
    lengths = np.full(starts.shape[1], BLOCK_SESSIONS)
    lengths[-1] = n - BLOCK_SESSIONS * (starts.shape[1] - 1)
    return np.asarray((circle[starts + lengths] - circle[starts]).sum(axis=1) / n)
