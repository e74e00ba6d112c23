"""Context gates: exposures to the features that the state of the market sets.

    score_i = x_i @ beta(c),    beta(c) = loadings @ (output * tanh(c @ directions + offsets))

`x_i` are a slot's features and `c` is the market context. A feature may be good in one regime and
bad in another; a gate is the smooth switch between the two. The hyperbolic tangent bounds what an
extreme context can do. In the terms of asset pricing these are conditional characteristics, linear
in the features and not linear in the instruments (W. Ferson and C. Harvey, "Conditioning Variables
and the Cross Section of Stock Returns", 1999); as a network they are gated bilinear units (Y.
Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import ModelError

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Gates:
    """K gates on F features, set by C numbers of the market context.

    Attributes
    ----------
    loadings : (F, K) float32, what each gate lets through
    directions : (C, K) float32, what of the context each gate listens to
    offsets : (K,) float32
    output : (K,) float32, the weight of each gate in the score

    Raises
    ------
    ModelError
        When the arrays do not fit together or hold numbers that are not finite.
    """

    loadings: Float32Array
    directions: Float32Array
    offsets: Float32Array
    output: Float32Array

    def __post_init__(self) -> None:
        count = self.offsets.shape
        fits = (
            len(count) == 1
            and self.output.shape == count
            and self.loadings.ndim == self.directions.ndim == 2
            and self.loadings.shape[1:] == count
            and self.directions.shape[1:] == count
        )
        if not fits:
            raise ModelError(
                "gates need loadings (F, K), directions (C, K), offsets (K,) and output (K,), "
                f"found {self.loadings.shape}, {self.directions.shape}, {self.offsets.shape} and "
                f"{self.output.shape}"
            )
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise ModelError("the gates of the slot policy are not finite: train it again")

    def exposures(self, context: Float32Array) -> Float32Array:
        """Return beta `(F,)` float32: what a unit of each feature adds to the score now."""
        opened = np.tanh(context @ self.directions + self.offsets) * self.output
        return np.asarray(self.loadings @ opened, dtype=np.float32)

    def arrays(self) -> dict[str, Float32Array]:
        """Return the arrays by the names that a policy file gives them."""
        return {
            "gate_loadings": self.loadings.astype(np.float32),
            "gate_directions": self.directions.astype(np.float32),
            "gate_offsets": self.offsets.astype(np.float32),
            "gate_output": self.output.astype(np.float32),
        }

    @classmethod
    def of(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Gates | None":
        """Return the gates among the arrays of a policy file, None where there are none.

        Raises `KeyError` when only some of their arrays are there.
        """
        if "gate_output" not in arrays:
            return None
        names = ("gate_loadings", "gate_directions", "gate_offsets", "gate_output")
        return cls(*(arrays[name].astype(np.float32) for name in names))
