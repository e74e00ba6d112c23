"""Value at risk and expected shortfall of one series of returns: the only definitions of both.

The functions take simple returns of equal periods along the last axis, `(..., n)`, and answer
`(...)`: a loss of one period as a fraction, >= 0. `level` is the confidence, 0.95 for the loss that
one period in twenty exceeds. A figure that the returns do not define (too few of them, a NaN among
them) is NaN; an infinite return, or a level outside 0..1, raises `RiskError`.

Sources: P. Jorion, "Value at Risk" (3rd ed., 2006); C. Acerbi and D. Tasche, "On the coherence of
expected shortfall" (2002); L. Favre and J.-A. Galeano, "Mean-modified value-at-risk optimization
with hedge funds" (2002); D. Maillard, "A user's guide to the Cornish Fisher expansion" (2012).
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError

FloatArray = npt.NDArray[np.float64]

NORMAL = NormalDist()


def value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> FloatArray:
    """Return the historical one-period value at risk, a loss >= 0; NaN with too few returns.

    The loss that was exceeded in a share `1 - level` of the periods (linear interpolation); fewer
    than `1 / (1 - level)` returns do not define it.
    """
    series = _series(returns, level)
    if series.shape[-1] < _fewest(level):
        return np.full(series.shape[:-1], np.nan)
    return np.maximum(-np.quantile(series, 1.0 - level, axis=-1), 0.0)


def expected_shortfall(returns: npt.ArrayLike, level: float = 0.95) -> FloatArray:
    """Return the historical expected shortfall, a loss >= 0; NaN with too few returns.

    The mean of the worst share `1 - level` of the periods; the period that straddles the border
    counts with the part that lies within, which makes the measure coherent (Acerbi and Tasche,
    2002). It is never less than `value_at_risk`.
    """
    series = _series(returns, level)
    count = series.shape[-1]
    if count < _fewest(level):
        return np.full(series.shape[:-1], np.nan)
    tail = count * (1.0 - level)
    # 0.05 * 100 is 5.000000000000004: whole numbers of periods must stay whole.
    whole = int(tail + 1e-9)
    weights = np.zeros(min(whole + 1, count))
    weights[:whole] = 1.0
    if whole < count:
        weights[whole] = max(tail - whole, 0.0)
    worst = np.sort(series, axis=-1)[..., : len(weights)]
    loss = np.maximum(-(worst @ weights) / tail, 0.0)
    # Sorting puts NaN last, out of the tail.
    return np.where(np.isnan(series).any(axis=-1), np.nan, loss)


def normal_value_at_risk(
    mean: npt.ArrayLike, deviation: npt.ArrayLike, level: float = 0.95
) -> FloatArray:
    """Return the value at risk of normal returns: `max(z * deviation - mean, 0)`.

    `mean` and `deviation` `(...)` are those of one period. A deviation of 0 is no risk beyond the
    mean; a negative one raises `RiskError`; NaN stays NaN.
    """
    centre, sigma = _moments(mean, deviation, level)
    return np.maximum(NORMAL.inv_cdf(level) * sigma - centre, 0.0)


def normal_expected_shortfall(
    mean: npt.ArrayLike, deviation: npt.ArrayLike, level: float = 0.95
) -> FloatArray:
    """Return the expected shortfall of normal returns: `phi(z) / (1 - level) * deviation - mean`.

    See `normal_value_at_risk` for the parameters and their edges.
    """
    centre, sigma = _moments(mean, deviation, level)
    density = NORMAL.pdf(NORMAL.inv_cdf(level))
    return np.maximum(density / (1.0 - level) * sigma - centre, 0.0)


def cornish_fisher_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> FloatArray:
    """Return the value at risk of normal returns corrected for skewness and excess kurtosis.

    The normal quantile z becomes

        z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36

    with the sample's S and K (population moments) and the sample's mean and deviation (n - 1).

    NaN with fewer than four returns, and where the skewness is so large that the corrected quantile
    does not rise with z between it and the median: there the expansion is not a distribution
    (Maillard, 2012). Without variation S and K count as 0.
    """
    series = _series(returns, level)
    return _cornish_fisher(series, level)[0]


def cornish_fisher_expected_shortfall(returns: npt.ArrayLike, level: float = 0.95) -> FloatArray:
    """Return the mean loss beyond the Cornish-Fisher value at risk.

    The mean of the corrected quantile over the worst `1 - level`, in closed form from the moments
    of a truncated normal: E[z] = -phi/a, E[z^2] = 1 - z phi/a, E[z^3] = -(z^2 + 2) phi/a. NaN where
    `cornish_fisher_value_at_risk` is, or where the expansion's tail turns back below it.
    """
    series = _series(returns, level)
    at_risk, skew, kurtosis = _cornish_fisher(series, level)
    alpha = 1.0 - level
    z = NORMAL.inv_cdf(alpha)
    ratio = NORMAL.pdf(z) / alpha
    first, second, third = -ratio, 1.0 - z * ratio, -(z * z + 2.0) * ratio
    corrected = (
        first
        + (second - 1.0) * skew / 6.0
        + (third - 3.0 * first) * kurtosis / 24.0
        - (2.0 * third - 5.0 * first) * skew**2 / 36.0
    )
    centre, sigma = _sample_moments(series)
    loss = np.maximum(-(centre + sigma * corrected), 0.0)
    return np.where(loss >= at_risk, loss, np.nan)


def _cornish_fisher(series: FloatArray, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value at risk, skewness and excess kurtosis."""
    if series.shape[-1] < 4:
        nothing = np.full(series.shape[:-1], np.nan)
        return nothing, nothing, nothing
    centre, sigma = _sample_moments(series)
    varies = sigma > 0.0
    away = series - centre[..., None]
    scale = np.where(varies, np.sqrt((away**2).mean(axis=-1)), 1.0)
    skew = np.where(varies, (away**3).mean(axis=-1) / scale**3, 0.0)
    kurtosis = np.where(varies, (away**4).mean(axis=-1) / scale**4 - 3.0, 0.0)
    z = NORMAL.inv_cdf(1.0 - level)
    corrected = (
        z
        + (z**2 - 1.0) * skew / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skew**2 / 36.0
    )
    grid = np.linspace(min(z, 0.0), max(z, 0.0), 65)
    slope = (
        1.0
        + grid * skew[..., None] / 3.0
        + (grid**2 - 1.0) * kurtosis[..., None] / 8.0
        - (6.0 * grid**2 - 5.0) * skew[..., None] ** 2 / 36.0
    )
    rises = (slope >= 0.0).all(axis=-1)
    loss = np.maximum(-(centre + sigma * corrected), 0.0)
    return np.where(rises, loss, np.nan), skew, kurtosis


def _sample_moments(series: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation (n - 1), the latter exactly 0 for a constant series."""
    if series.shape[-1] < 2:
        nothing = np.full(series.shape[:-1], np.nan)
        return nothing, nothing
    constant = np.ptp(series, axis=-1) == 0.0
    return series.mean(axis=-1), np.where(constant, 0.0, series.std(axis=-1, ddof=1))


def _moments(
    mean: npt.ArrayLike, deviation: npt.ArrayLike, level: float
) -> tuple[FloatArray, FloatArray]:
    require_level(level)
    centre = np.asarray(mean, dtype=np.float64)
    sigma = np.asarray(deviation, dtype=np.float64)
    if (sigma < 0.0).any() or np.isinf(sigma).any() or np.isinf(centre).any():
        raise RiskError("a mean or deviation is infinite, or a deviation negative; check the input")
    return centre, sigma


def _series(returns: npt.ArrayLike, level: float) -> FloatArray:
    require_level(level)
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim == 0:
        raise RiskError("expected a series of returns (..., n), got a single number")
    if np.isinf(series).any():
        raise RiskError("a return is infinite; check the prices behind it")
    return series


def require_level(level: float) -> None:
    """Raise `RiskError` unless `level` is a confidence between 0 and 1, both excluded."""
    if not 0.0 < level < 1.0:
        raise RiskError(f"the level must lie between 0 and 1, such as 0.95; got {level}")


def _fewest(level: float) -> int:
    return round(1.0 / (1.0 - level))
