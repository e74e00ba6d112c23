"""Policies: functions from what is known of a slot to a score, the same function for every slot.

Scoring runs in blocks of `BLOCK` rows, the last one padded, so that the matrix products always have
the same shape: nine batches of 400 slots give the bits that one pass over 3,600 gives.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from trading.agents.gates import Gates
from trading.errors import ModelError
from trading.features.specification import FEATURE_NAMES, FEATURES

BLOCK = 400
HELD_SCALE = 50.0
"""A held weight of 2 % of the portfolio enters the network as 1."""
CONTEXT_SCALE = 0.25
"""The context, of order one, enters this much smaller than the features: it has one value a
decision, so a network that listens to it closely learns the decisions of the past by heart."""

Float32Array = npt.NDArray[np.float32]
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Policy(Protocol):
    """What scores slots: a higher score is a stronger wish to hold."""

    @property
    def kind(self) -> Literal["slot", "factor"]:
        """Which of the policies this is."""

    @property
    def hash(self) -> str:
        """The sha256 of `to_bytes()`."""

    def score(
        self, features: Float32Array, held: Float32Array, context: Float32Array
    ) -> Float32Array:
        """Return the scores `(n,)` of `features (n, 17)`, `held (n,)` weights, `context (C,)`."""

    def to_bytes(self) -> bytes:
        """Return the policy as an npz file, the same bytes for the same policy."""


@dataclass(frozen=True)
class SlotPolicy:
    """One small network that every slot shares: rectified layers and a linear score.

    Its input is a slot's features, its held weight times `HELD_SCALE` and the market context times
    `CONTEXT_SCALE`, in this order. Gates, where there are any, add to its score exposures to the
    features that the context sets at its full size (`gates.Gates`). Slots meet nowhere in it, so
    permuting slots permutes scores.

    Attributes
    ----------
    weights : one (inputs, outputs) float32 matrix a layer; the last has one output
    biases : one (outputs,) float32 vector a layer
    context_size : C, the length of the context
    gates : K gates, None for a network alone

    Raises
    ------
    ModelError
        When layers or gates do not fit together or hold numbers that are not finite.
    """

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]
    context_size: int
    gates: Gates | None = None

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise ModelError(
                f"a slot policy needs a bias for each of its layers, found {len(self.weights)} "
                f"matrices and {len(self.biases)} biases"
            )
        width = self.input_size
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.ndim != 2 or weight.shape[0] != width or bias.shape != weight.shape[1:]:
                raise ModelError(
                    f"layer {layer} of the slot policy has a matrix {weight.shape} and a bias "
                    f"{bias.shape}, expected ({width}, m) and (m,)"
                )
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ModelError(f"layer {layer} of the slot policy is not finite: train it again")
            width = weight.shape[1]
        if width != 1:
            raise ModelError(f"a slot policy ends in one score, this one in {width}")
        gates, expected = self.gates, (len(FEATURES), self.context_size)
        if gates and (len(gates.loadings), len(gates.directions)) != expected:
            raise ModelError(
                f"the gates are of {len(gates.loadings)} features and {len(gates.directions)} "
                f"context features, expected {expected[0]} and {expected[1]}"
            )

    @property
    def kind(self) -> Literal["slot"]:
        """Always `slot`."""
        return "slot"

    @property
    def input_size(self) -> int:
        """Inputs of the network: features, held weight, context."""
        return len(FEATURES) + 1 + self.context_size

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return tuple(weight.shape[1] for weight in self.weights[:-1])

    @cached_property
    def hash(self) -> str:
        """The sha256 of `to_bytes()`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def score(
        self, features: Float32Array, held: Float32Array, context: Float32Array
    ) -> Float32Array:
        """Return the scores `(n,)` float32; see `Policy.score`.

        Raises `ModelError` when the shapes are not those of this policy or an input is not finite.
        """
        _require_inputs(features, held, context)
        if context.shape != (self.context_size,):
            raise ModelError(
                f"this policy was trained with {self.context_size} context features, "
                f"found {context.shape}: score with the features version it was trained on"
            )
        rows = len(features)
        exposures = self.gates.exposures(context) if self.gates else None
        scores = np.empty(rows, dtype=np.float32)
        for start in range(0, rows, BLOCK):
            stop = min(start + BLOCK, rows)
            block = np.zeros((BLOCK, self.input_size), dtype=np.float32)
            filled = block[: stop - start]
            filled[:, : features.shape[1]] = features[start:stop]
            filled[:, features.shape[1]] = held[start:stop] * np.float32(HELD_SCALE)
            filled[:, features.shape[1] + 1 :] = context * np.float32(CONTEXT_SCALE)
            found = self._forward(block)
            if exposures is not None:
                found = found + block[:, : features.shape[1]] @ exposures
            scores[start:stop] = found[: stop - start]
        return scores

    def _forward(self, block: Float32Array) -> Float32Array:
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            block = np.maximum(block @ weight + bias, np.float32(0.0))
        return (block @ self.weights[-1] + self.biases[-1])[:, 0]

    def to_bytes(self) -> bytes:
        """Return the policy as an npz file, the same bytes for the same policy."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "kind": np.array(self.kind),
            "context_size": np.array(self.context_size, dtype=np.int64),
        }
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays[f"weight_{layer}"] = weight.astype(np.float32)
            arrays[f"bias_{layer}"] = bias.astype(np.float32)
        if self.gates:
            arrays |= self.gates.arrays()
        return _npz(arrays)


@dataclass(frozen=True)
class FactorPolicy:
    """Rank by one feature: the score is `sign` times the feature. The baseline champion.

    Attributes
    ----------
    feature : name of one of the 17 features
    sign : +1 or -1

    Raises
    ------
    ModelError
        When there is no such feature, or the sign is another number.
    """

    feature: str
    sign: int

    def __post_init__(self) -> None:
        if self.feature not in FEATURE_NAMES:
            raise ModelError(
                f"there is no feature {self.feature!r}, expected one of {', '.join(FEATURE_NAMES)}"
            )
        if self.sign not in (-1, 1):
            raise ModelError(f"the sign of a factor is 1 or -1, not {self.sign}")

    @property
    def kind(self) -> Literal["factor"]:
        """Always `factor`."""
        return "factor"

    @cached_property
    def hash(self) -> str:
        """The sha256 of `to_bytes()`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def score(
        self, features: Float32Array, held: Float32Array, context: Float32Array
    ) -> Float32Array:
        """Return the scores `(n,)` float32; held weights and context play no part."""
        _require_inputs(features, held, context)
        column = features[:, FEATURE_NAMES.index(self.feature)].astype(np.float32)
        return column * np.float32(self.sign)

    def to_bytes(self) -> bytes:
        """Return the policy as an npz file, the same bytes for the same policy."""
        return _npz(
            {
                "kind": np.array(self.kind),
                "feature": np.array(self.feature),
                "sign": np.array(self.sign, dtype=np.int64),
            }
        )


def load_policy(body: bytes, name: str = "policy") -> Policy:
    """Return the policy that `to_bytes` wrote; `name` is what an error calls the file.

    Raises `ModelError` when the bytes are not a policy, or one of another shape.
    """
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        kind = str(arrays["kind"])
        if kind == "factor":
            return FactorPolicy(str(arrays["feature"]), int(arrays["sign"]))
        if kind == "slot":
            layers = sum(key.startswith("weight_") for key in arrays)
            return SlotPolicy(
                tuple(arrays[f"weight_{layer}"].astype(np.float32) for layer in range(layers)),
                tuple(arrays[f"bias_{layer}"].astype(np.float32) for layer in range(layers)),
                int(arrays["context_size"]),
                Gates.of(arrays),
            )
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{name} is not a policy file: {error}") from error
    raise ModelError(f"{name} holds a policy of kind {kind!r}, expected slot or factor")


def _require_inputs(features: Float32Array, held: Float32Array, context: Float32Array) -> None:
    rows = len(features)
    if features.shape != (rows, len(FEATURES)) or held.shape != (rows,) or context.ndim != 1:
        raise ModelError(
            f"a policy scores features (n, {len(FEATURES)}), held (n,) and context (C,), "
            f"found {features.shape}, {held.shape} and {context.shape}"
        )
    for name, values in (("features", features), ("held", held), ("context", context)):
        if not np.isfinite(values).all():
            raise ModelError(
                f"{name} hold {int((~np.isfinite(values)).sum())} numbers that are not finite; "
                "scale them as features.dataset does before scoring"
            )


def _npz(arrays: dict[str, npt.NDArray[np.generic]]) -> bytes:
    """Return an npz file; unlike `np.savez` it carries no time of writing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(values, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue())
    return buffer.getvalue()
