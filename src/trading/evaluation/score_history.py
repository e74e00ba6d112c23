"""Scores by symbol and month, as they were given before the month began.

They are kept with a champion, so that it can be replayed later on another panel: symbols and slots
may have changed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import DataError, ModelError
from trading.features.archive import read_archive, write_archive

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoreHistory:
    """Scores that were given before their month began.

    Attributes
    ----------
    months : M labels `YYYY-MM`, ascending
    symbols : S unique names
    scores : (M, S) float64, NaN where not scored
    confidence : (M, S) float64 in 0..1; NaN where there is none
    """

    months: tuple[str, ...]
    symbols: tuple[str, ...]
    scores: FloatArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.months), len(self.symbols))
        if self.scores.shape != shape or self.confidence.shape != shape:
            raise DataError(
                f"scores {self.scores.shape} and confidence {self.confidence.shape} must have "
                f"the shape (months, symbols) = {shape}"
            )
        if list(self.months) != sorted(set(self.months)):
            raise DataError("the months of a score history must be unique and ascending")
        if len(set(self.symbols)) != len(self.symbols):
            raise DataError("the symbols of a score history must be unique")

    def with_month(
        self, month: str, symbols: Sequence[str], scores: FloatArray, confidence: FloatArray
    ) -> "ScoreHistory":
        """Return the history with the scores `(n,)` of a month added, or replaced.

        So a champion's record goes on with the scores it gives in production. Empty symbols are
        left out; symbols that are not scored any more stay, without a score.
        """
        named = np.array([bool(symbol) for symbol in symbols], dtype=bool)
        added = tuple(symbol for symbol in symbols if symbol)
        everyone = tuple(sorted({*self.symbols, *added}))
        months = tuple(sorted({*self.months, month}))
        kept = np.array([m != month for m in months], dtype=bool)
        old = [self.months.index(m) for m in months if m != month]
        at = months.index(month)
        merged = []
        for before, new in ((self.scores, scores), (self.confidence, confidence)):
            table = np.full((len(months), len(everyone)), np.nan)
            table[np.ix_(kept, _positions(self.symbols, everyone))] = before[old]
            table[at, _positions(added, everyone)] = np.asarray(new, np.float64)[named]
            merged.append(table)
        return ScoreHistory(months, everyone, *merged)

    def to_bytes(self) -> bytes:
        """Return the history as an npz file; equal histories give equal bytes."""
        return write_archive(self.header(), self.arrays())

    @classmethod
    def from_bytes(cls, body: bytes) -> "ScoreHistory":
        """Read the history, also out of the bytes of an `OutOfSample`; raises `ModelError`."""
        header, arrays = read_scores(body)
        try:
            return cls(
                tuple(header["months"]),
                tuple(header["symbols"]),
                arrays["scores"],
                arrays["confidence"],
            )
        except (KeyError, TypeError) as error:
            raise broken_scores(error) from error

    def header(self) -> dict[str, Any]:
        """Return the plain values of the archive."""
        return {"months": self.months, "symbols": self.symbols}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of the archive."""
        return {"scores": self.scores, "confidence": self.confidence}


def _positions(symbols: Sequence[str], among: Sequence[str]) -> IntArray:
    column = {symbol: i for i, symbol in enumerate(among)}
    return np.array([column[symbol] for symbol in symbols], dtype=np.int64)


def read_scores(body: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return header and arrays of stored scores; raises `ModelError`."""
    try:
        return read_archive(body)
    except ValueError as error:
        raise broken_scores(error) from error


def broken_scores(error: Exception) -> ModelError:
    """Return the error for stored scores that are not as they were written."""
    return ModelError(
        f"the stored out-of-sample scores cannot be read ({error!r}); the model folder is broken, "
        "restore it from the models store or train again"
    )
