"""How much the names of a portfolio move together.

A return that is missing (NaN) counts as the mean of its name's known ones, which makes correlations
no stronger; a name with fewer than half of its returns known, or fewer than two, has none: its row
and column are NaN. An infinite return raises `RiskError`.

Sources: O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices" (2004); Y. Choueifaty and Y. Coignard, "Toward Maximum Diversification" (2008);
R. Mantegna, "Hierarchical structure in financial markets" (1999).
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError

FloatArray = npt.NDArray[np.float64]

# Deviations per bar at or below this are rounding, not risk.
LEAST_DEVIATION = 1e-9


def filled_returns(returns: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return returns `(T, N)` without NaN, and which names have enough known ones `(N,)`."""
    given = np.asarray(returns, dtype=np.float64)
    if given.ndim != 2:
        raise RiskError(f"expected returns (T, N), got an array of shape {given.shape}")
    if np.isinf(given).any():
        raise RiskError("a return is infinite; check the prices behind it")
    missing = np.isnan(given)
    count = len(given) - missing.sum(axis=0)
    mean = np.where(missing, 0.0, given).sum(axis=0) / np.maximum(count, 1)
    return np.where(missing, mean, given), (2 * count >= len(given)) & (count > 1)


def covariance(returns: npt.ArrayLike, *, shrink: bool = True) -> FloatArray:
    """Return the covariance matrix `(N, N)` of returns `(T, N)`, per period.

    The variances are the sample's (n - 1). With `shrink` the correlations are pulled towards 0 by
    the intensity of Ledoit and Wolf, estimated on the standardised returns: the matrix is then
    invertible with more names than periods. Names without variation have zeros.
    """
    filled, known = filled_returns(returns)
    names = filled.shape[1]
    matrix = np.full((names, names), np.nan)
    if not known.any():
        return matrix
    centred = filled[:, known] - filled[:, known].mean(axis=0)
    deviation = np.sqrt((centred**2).sum(axis=0) / (len(filled) - 1))
    varies = deviation > LEAST_DEVIATION
    inner = np.zeros((len(varies), len(varies)))
    if varies.any():
        sigma = deviation[varies]
        correlated = _correlate(centred[:, varies] / sigma, shrink)
        inner[np.ix_(varies, varies)] = correlated * np.outer(sigma, sigma)
    matrix[np.ix_(known, known)] = inner
    return matrix


def _correlate(standardised: FloatArray, shrink: bool) -> FloatArray:
    """Return the correlation matrix of standardised returns, its diagonal exactly 1."""
    matrix = standardised.T @ standardised / (len(standardised) - 1)
    if shrink:
        matrix *= 1.0 - shrinkage_intensity(standardised)
    matrix = np.clip((matrix + matrix.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def shrinkage_intensity(centred: npt.ArrayLike) -> float:
    """Return the optimal weight, 0..1, of the scaled identity in a shrunk covariance matrix.

    Ledoit and Wolf (2004), for returns `(T, N)` of mean zero. Equal to scikit-learn's, in
    O(T N min(T, N)): the sum of the squared covariances is that of the smaller Gram matrix, and the
    sum of the fourth moments collapses to the fourth powers of the rows' lengths. One name is not
    shrunk.
    """
    x = np.asarray(centred, dtype=np.float64)
    periods, names = x.shape
    if names < 2 or not periods:
        return 0.0
    gram = x @ x.T if periods < names else x.T @ x
    squared = float((gram**2).sum()) / periods**2
    mean_variance = float(np.trace(gram)) / (periods * names)
    distance = squared / names - mean_variance**2
    noise = (float(((x**2).sum(axis=1) ** 2).sum()) / periods - squared) / (periods * names)
    return min(max(noise, 0.0) / distance, 1.0) if distance > 0.0 else 0.0


def correlation(returns: npt.ArrayLike, *, shrink: bool = False) -> FloatArray:
    """Return the Pearson correlations `(N, N)` of returns `(T, N)`, NaN where a name is still."""
    matrix = covariance(returns, shrink=shrink)
    deviation = np.sqrt(np.diag(matrix))
    deviation = np.where(deviation > LEAST_DEVIATION, deviation, np.nan)
    found = np.clip(matrix / np.outer(deviation, deviation), -1.0, 1.0)
    np.fill_diagonal(found, np.where(np.isnan(deviation), np.nan, 1.0))
    return np.asarray(found)


def average_correlation(matrix: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the mean correlation of different names; NaN without a known pair.

    With `weights` `(N,)` a pair counts `|w_i w_j|` and its correlation takes the sign of
    `w_i w_j`: a short position in what moves together with a long one lowers the mean.
    """
    rho = _square(matrix)
    size = np.ones(len(rho)) if weights is None else _weights(weights, len(rho))
    pairs = np.outer(size, size)
    counted = ~np.isnan(rho) & ~np.eye(len(rho), dtype=bool)
    total = float(np.abs(pairs[counted]).sum())
    return float((pairs * rho)[counted].sum() / total) if total > 0.0 else float("nan")


def diversification_ratio(weights: npt.ArrayLike, matrix: npt.ArrayLike) -> float:
    """Return the weighted sum of the names' volatilities over that of the portfolio, >= 1.

    Parameters
    ----------
    weights : (N,), either sign; names of weight 0 may be unknown
    matrix : (N, N) covariances

    1 is no diversification, sqrt(N) that of N equal uncorrelated names. NaN without risk, or where
    a held name's covariances are not known.
    """
    sigma = _square(matrix)
    held = _weights(weights, len(sigma))
    used = held != 0.0
    inner, held = sigma[np.ix_(used, used)], held[used]
    variance = float(held @ inner @ held)
    if not variance > LEAST_DEVIATION**2:
        return float("nan")
    return float(np.abs(held) @ np.sqrt(np.diag(inner)) / sqrt(variance))


def correlated_clusters(
    matrix: npt.ArrayLike, symbols: Sequence[str], threshold: float = 0.7
) -> tuple[tuple[str, ...], ...]:
    """Return groups of names of which every pair correlates at `threshold` or more.

    Complete linkage on the distance 1 - correlation. Every name is in one group; groups are ordered
    by size, then by their first name in the order given. A name of unknown correlation stands
    alone. `RiskError` for a threshold outside -1..1.
    """
    rho = _square(matrix)
    if len(symbols) != len(rho):
        raise RiskError(f"{len(symbols)} symbols for {len(rho)} correlations; give one for each")
    if not -1.0 <= threshold <= 1.0:
        raise RiskError(f"the threshold must be a correlation within -1..1, got {threshold}")
    labels = np.arange(len(rho))
    known = np.flatnonzero(~np.isnan(np.diag(rho)))
    if len(known) > 1:
        # Imported here: only reports look for clusters.
        from scipy.cluster.hierarchy import fcluster, linkage
        from scipy.spatial.distance import squareform

        distance = 1.0 - rho[np.ix_(known, known)]
        distance = np.where(np.isnan(distance), 2.0, distance)
        np.fill_diagonal(distance, 0.0)
        tree = linkage(squareform(distance, checks=False), method="complete")
        found = fcluster(tree, 1.0 - threshold + 1e-12, criterion="distance")
        labels[known] = len(rho) + found
    groups: dict[int, list[str]] = {}
    for label, symbol in zip(labels.tolist(), symbols, strict=True):
        groups.setdefault(label, []).append(symbol)
    return tuple(sorted((tuple(group) for group in groups.values()), key=lambda one: -len(one)))


def _square(matrix: npt.ArrayLike) -> FloatArray:
    given = np.asarray(matrix, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise RiskError(f"expected a square matrix (N, N), got an array of shape {given.shape}")
    return given


def _weights(weights: npt.ArrayLike, names: int) -> FloatArray:
    held = np.asarray(weights, dtype=np.float64)
    if held.shape != (names,) or not np.isfinite(held).all():
        raise RiskError(f"expected {names} finite weights, got an array of shape {held.shape}")
    return held
