"""How sure a mean is: one-sided tests of a monthly series, in small samples.

Without SciPy, which the validation's function does not carry: Student's distribution is computed
here from the continued fraction of the incomplete beta function.
"""

from dataclasses import dataclass
from math import exp, floor, lgamma, log, log1p, sqrt

import numpy as np
import numpy.typing as npt

from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

MIN_OBSERVATIONS = 6
_TINY, _PRECISION, _MOST_TERMS = 1e-300, 1e-15, 500


@dataclass(frozen=True, slots=True)
class MeanTest:
    """A test of "the mean is not above zero".

    Attributes
    ----------
    mean : the mean, or the regression's intercept, per period
    error : its standard error
    t : mean / error
    degrees : of freedom
    p_value : one-sided, 0..1
    observations : periods used
    """

    mean: float
    error: float
    t: float
    degrees: int
    p_value: float
    observations: int


def mean_test(series: npt.ArrayLike, explained: npt.ArrayLike | None = None) -> MeanTest | None:
    """Return the test of a series' mean beyond what `explained` accounts for.

    The intercept of the least-squares regression on `explained`, over the larger of two standard
    errors: the classical one, exact for independent normal errors, and the one of Newey and West
    ("A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
    Covariance Matrix", 1987) with Bartlett weights and `floor(4 (n / 100)^(2/9))` lags. The latter
    is too small in short samples when there is no dependence, so that it may only add doubt. The
    quotient is referred to Student's distribution with n - 1 - k degrees of freedom.

    Parameters
    ----------
    series : (n,) one value a period; periods with NaN in either argument are left out
    explained : (n,) or (n, k) regressors

    Returns
    -------
    None with fewer than `MIN_OBSERVATIONS + k` periods, or where the series does not vary beyond
    what is explained: nothing can be said of its error then.

    Raises
    ------
    DataError
        The shapes do not fit, or a value is infinite.
    """
    values = np.asarray(series, dtype=np.float64)
    given = np.empty((len(values), 0)) if explained is None else np.asarray(explained, np.float64)
    columns = given[:, None] if given.ndim == 1 else given
    if values.ndim != 1 or columns.ndim != 2 or len(columns) != len(values):
        raise DataError(
            f"a series (n,) and regressors (n, k) were expected, got {values.shape} and "
            f"{columns.shape}"
        )
    if np.isinf(values).any() or np.isinf(columns).any():
        raise DataError("a series to be tested holds an infinite value; check what it is made of")
    known = np.isfinite(values) & np.isfinite(columns).all(axis=1)
    values, columns = values[known], columns[known]
    columns = columns[:, np.ptp(columns, axis=0) > 0.0] if len(columns) else columns
    n, k = columns.shape
    if n < MIN_OBSERVATIONS + k:
        return None
    design = np.column_stack([np.ones(n), columns - columns.mean(axis=0)])
    inverse = np.linalg.pinv(design.T @ design)
    slopes = inverse @ design.T @ values
    # Only the mean is wanted: its intercept is at regressors of zero, not at their mean.
    at_zero = np.concatenate([[1.0], -columns.mean(axis=0)])
    residuals = values - design @ slopes
    degrees = n - 1 - k
    scale = float(np.abs(values).max(initial=0.0))
    if float(np.abs(residuals).max(initial=0.0)) <= 1e-12 * max(scale, 1e-12):
        return None
    influence = (design @ inverse @ at_zero) * residuals
    classical = float(residuals @ residuals) / degrees * float(at_zero @ inverse @ at_zero)
    error = sqrt(max(classical, _long_run(influence) * n / degrees))
    mean = float(at_zero @ slopes)
    t = mean / error
    return MeanTest(mean, error, t, degrees, student_survival(t, degrees), n)


def family_p_value(p_value: float, trials: int) -> float:
    """Return the p-value of the best of `trials` independent tries (Sidak, 1967).

    Raises `DataError` for fewer than one trial.
    """
    if trials < 1:
        raise DataError(f"a p-value belongs to at least one trial, got {trials}")
    # 1 - (1 - p)^n, without losing the digits of a small p.
    return float(-np.expm1(trials * log1p(-min(p_value, 1.0 - 1e-16))))


def student_survival(t: float, degrees: int) -> float:
    """Return the probability that Student's t with `degrees` of freedom exceeds `t`."""
    if degrees < 1:
        raise DataError(f"Student's distribution needs at least 1 degree of freedom, not {degrees}")
    tail = 0.5 * _incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
    return tail if t >= 0.0 else 1.0 - tail


def _long_run(influence: FloatArray) -> float:
    """Return the Newey-West variance of the sum of `influence` `(n,)`."""
    n = len(influence)
    lags = min(floor(4.0 * (n / 100.0) ** (2.0 / 9.0)), n - 1)
    total = float(influence @ influence)
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        total += 2.0 * weight * float(influence[lag:] @ influence[:-lag])
    return max(total, 0.0)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function (Lentz's continued fraction)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - front * _fraction(1.0 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _away(1.0 + term * d)
            c = _away(1.0 + term / c)
            change = c * d
            value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return value


def _away(value: float) -> float:
    """Keep a denominator away from zero."""
    return value if abs(value) > _TINY else _TINY
