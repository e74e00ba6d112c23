"""How much a portfolio may hold, be short and borrow, and what borrowing costs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.config import ExposureSettings
from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

WEIGHT_TOLERANCE = 1e-6
SESSIONS_PER_YEAR = 252


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a portfolio may hold, and what holding more than its own money costs.

    Attributes
    ----------
    gross : sum of the weights without their sign, at most
    short : sum of the weights sold short, at most; 0 is long only
    borrow_rate : a year, of the value sold short at the fill
    margin_rate : a year, of the cash borrowed at the fill
    """

    gross: float = 1.0
    short: float = 0.0
    borrow_rate: float = 0.0
    margin_rate: float = 0.0

    @classmethod
    def from_settings(cls, settings: ExposureSettings) -> "Exposure":
        """Return the exposure that the configuration allows."""
        return cls(
            settings.max_gross, settings.max_short, settings.borrow_rate, settings.margin_rate
        )

    @property
    def long_only(self) -> bool:
        """Whether nothing is sold short and nothing borrowed."""
        return self.short == 0.0 and self.gross <= 1.0

    def charge(self, weights: FloatArray) -> FloatArray:
        """Return what weights `(..., S)` cost a session, `(...)` of the value at the fill."""
        short = np.maximum(-weights, 0.0).sum(axis=-1)
        loan = np.maximum(weights.sum(axis=-1) - 1.0, 0.0)
        yearly = self.borrow_rate * short + self.margin_rate * loan
        return np.asarray(yearly / SESSIONS_PER_YEAR)


LONG_ONLY = Exposure()


def require_weights(
    weights: npt.ArrayLike, what: str, exposure: Exposure = LONG_ONLY
) -> FloatArray:
    """Return weights `(..., S)` as float64 if they lie within the exposure.

    By default they must be long-only and sum to at most 1. A sum up to `WEIGHT_TOLERANCE` above the
    limit is rounding and is scaled back to it.
    """
    checked = np.asarray(weights, dtype=np.float64)
    if not exposure.long_only:
        return _within(checked, what, exposure)
    if not np.isfinite(checked).all() or (checked < 0.0).any():
        raise DataError(f"{what} must be finite and not negative (the portfolio is long only)")
    total = checked.sum(axis=-1, keepdims=True)
    if (total > 1.0 + WEIGHT_TOLERANCE).any():
        raise DataError(f"{what} sum to {float(total.max()):.6f}; at most 1 can be invested")
    return np.asarray(checked / np.maximum(total, 1.0))


def _within(weights: FloatArray, what: str, exposure: Exposure) -> FloatArray:
    if not np.isfinite(weights).all():
        raise DataError(f"{what} must be finite")
    short = np.maximum(-weights, 0.0).sum(axis=-1)
    if (short > exposure.short + WEIGHT_TOLERANCE).any():
        raise DataError(
            f"{what} sell {float(short.max()):.6f} short; at most {exposure.short} is allowed"
        )
    gross = np.abs(weights).sum(axis=-1, keepdims=True)
    if (gross > exposure.gross + WEIGHT_TOLERANCE).any():
        raise DataError(
            f"{what} have a gross exposure of {float(gross.max()):.6f}; "
            f"at most {exposure.gross} is allowed"
        )
    return np.asarray(weights * np.minimum(exposure.gross / np.maximum(gross, 1e-300), 1.0))
