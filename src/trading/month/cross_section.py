"""The cross-section of a month: what one scoring pass and the ranking need, a few hundred KB."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.features.archive import read_archive, write_archive

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CrossSection:
    """The S slots on the last session before a month.

    Attributes
    ----------
    symbols : S names, "" for an empty slot
    features : (S, 17) float32, scaled
    context : (C,) float32, the market context
    eligible : (S,) bool, may be held: an active member that passes the limits of price and volume
    held : (S,) float64, weights of the model portfolio now, drifted; the rest to 1 is cash
    dollar_volume, volatility : (S,) float32, see `Dataset`
    price : (S,) float64, last close in USD, NaN where there is none
    nav : net asset value of the model portfolio, 1 at inception
    """

    symbols: tuple[str, ...]
    features: Float32Array
    context: Float32Array
    eligible: BoolArray
    held: FloatArray
    dollar_volume: Float32Array
    volatility: Float32Array
    price: FloatArray
    nav: float

    def to_bytes(self) -> bytes:
        """Return it as a numpy archive, the same bytes for the same content."""
        arrays = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("symbols", "nav")
        }
        return write_archive({"symbols": list(self.symbols), "nav": self.nav}, arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote; raises `DataError` for anything else."""
        try:
            header, arrays = read_archive(content)
            values: dict[str, Any] = {**arrays, "symbols": tuple(header["symbols"])}
            return cls(nav=float(header["nav"]), **values)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"this is not a cross-section ({error}); run the month again"
            ) from error
