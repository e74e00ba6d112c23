"""Reductions over the last axis that answer NaN where a figure is not defined."""

import numpy as np
import numpy.typing as npt

from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]


def as_series(returns: npt.ArrayLike) -> FloatArray:
    """Return the returns as float64 `(..., n)`; `DataError` for a single number."""
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim == 0:
        raise DataError("expected a series of returns (..., n), got a single number")
    return series


def one_series(returns: npt.ArrayLike) -> FloatArray:
    """Return one series `(n,)` as float64; `DataError` for another shape or impossible returns.

    A return is impossible if it is infinite or below -100 %; NaN is allowed.
    """
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim != 1:
        raise DataError(f"expected one series of returns (n,), got an array of {series.shape}")
    if np.isinf(series).any() or (series < -1.0).any():
        raise DataError("a return is infinite or below -100 %; check the prices behind it")
    return series


def mean(series: FloatArray) -> FloatArray:
    """Return the mean; NaN without values."""
    if series.shape[-1] == 0:
        return np.full(series.shape[:-1], np.nan)
    return np.asarray(np.add.reduce(series, axis=-1) / series.shape[-1])


def deviation(series: FloatArray) -> FloatArray:
    """Return the sample standard deviation, exactly zero for a constant series; NaN below two."""
    if series.shape[-1] < 2:
        return np.full(series.shape[:-1], np.nan)
    # Spelt out, since an environment asks for it tens of thousands of times a second.
    centred = series - mean(series)[..., None]
    squares = np.add.reduce(centred * centred, axis=-1)
    constant = np.logical_and.reduce(series == series[..., :1], axis=-1)
    return np.where(constant, 0.0, np.sqrt(squares / (series.shape[-1] - 1)))


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the quotient; NaN where the denominator is not positive."""
    defined = denominator > 0.0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def plain(figure: npt.ArrayLike) -> float | None:
    """Return one figure as a plain number; None where it is not finite ("no data")."""
    value = float(np.asarray(figure))
    return value if np.isfinite(value) else None
