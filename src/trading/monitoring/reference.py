"""The reference of a model: the distributions that it learnt from, a few kilobytes beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import ModelError
from trading.features.archive import read_archive, write_archive
from trading.monitoring.distributions import (
    BoolArray,
    FloatArray,
    largest_gap,
    pool,
    quantile_points,
    stability_index,
)

USUAL = 0.95


@dataclass(frozen=True)
class Profile:
    """K quantities over the names of M months.

    Attributes
    ----------
    names : K
    points : (M, K, POINTS) float64, see `quantile_points`
    known : (M, K) float64, share of the names that each was known of
    """

    names: tuple[str, ...]
    points: FloatArray
    known: FloatArray

    @classmethod
    def of(cls, names: Sequence[str], values: npt.ArrayLike, among: BoolArray) -> "Profile":
        """Return the profile of `values (M, N, K)` over the names `among (M, N)`."""
        table = np.asarray(values)
        count = np.maximum(among.sum(axis=1), 1)[:, None]
        known = (np.isfinite(table) & among[:, :, None]).sum(axis=1) / count
        return cls(tuple(names), quantile_points(table, among), known)

    def months(self, rows: slice | npt.NDArray[np.int64]) -> "Profile":
        """Return the profile of some of its months."""
        return Profile(self.names, self.points[rows], self.known[rows])

    def to_bytes(self) -> bytes:
        """Return the profile as a numpy archive."""
        return write_archive({"names": self.names}, {"points": self.points, "known": self.known})

    @classmethod
    def from_bytes(cls, body: bytes) -> "Profile":
        """Read what `to_bytes` wrote; raises `ModelError` for anything else."""
        try:
            header, arrays = read_archive(body)
            return cls(tuple(header["names"]), arrays["points"], arrays["known"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"a profile of features cannot be read ({error!r})") from error


@dataclass(frozen=True)
class Usual:
    """What K quantities were like over the months of a reference.

    Attributes
    ----------
    names : K
    points : (K, POINTS), the months pooled
    psi, ks : (K,), what a month usually lies apart from the others: their 95th percentile
    known : (K,), mean share of names that it was known of
    """

    names: tuple[str, ...]
    points: FloatArray
    psi: FloatArray
    ks: FloatArray
    known: FloatArray

    @classmethod
    def of(cls, profile: Profile) -> "Usual":
        """Return what the months of a profile have in common; each is held against the others."""
        points = profile.points
        months, kinds = points.shape[:2]
        psi, ks = np.full((months, kinds), np.nan), np.full((months, kinds), np.nan)
        for month in range(months if months > 1 else 0):
            others = pool(np.delete(points, month, axis=0))
            psi[month] = stability_index(others, points[month])
            ks[month] = largest_gap(others, points[month])
        return cls(profile.names, pool(points), _usual(psi), _usual(ks), profile.known.mean(axis=0))


@dataclass(frozen=True)
class Reference:
    """What a model's inputs and scores were like in the months before its training ended.

    Attributes
    ----------
    months : the M months, `YYYY-MM`
    features, scores : their usual distributions over the names; scores by member
    context_names, context : the market context of each month, (M, C)
    """

    months: tuple[str, ...]
    features: Usual
    scores: Usual
    context_names: tuple[str, ...]
    context: FloatArray

    def to_bytes(self) -> bytes:
        """Return the reference as a numpy archive, the same bytes for the same content."""
        header = {
            "months": self.months,
            "features": self.features.names,
            "scores": self.scores.names,
            "context": self.context_names,
        }
        arrays: dict[str, FloatArray] = {"context": self.context}
        for kind, usual in (("features", self.features), ("scores", self.scores)):
            arrays |= {f"{kind}_{name}": getattr(usual, name) for name in _ARRAYS}
        return write_archive(header, arrays)

    @classmethod
    def from_bytes(cls, body: bytes) -> "Reference":
        """Read what `to_bytes` wrote; raises `ModelError` for anything else."""
        try:
            header, arrays = read_archive(body)
            kinds = {
                kind: Usual(
                    tuple(header[kind]), **{name: arrays[f"{kind}_{name}"] for name in _ARRAYS}
                )
                for kind in ("features", "scores")
            }
            return cls(
                months=tuple(header["months"]),
                context_names=tuple(header["context"]),
                context=arrays["context"],
                **kinds,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"the model's drift reference cannot be read ({error!r}); restore the model folder"
                " from the models store"
            ) from error


_ARRAYS = ("points", "psi", "ks", "known")


def _usual(figures: FloatArray) -> FloatArray:
    """Return the 95th percentile over the months of each column; 0 where there is no figure."""
    known = np.isfinite(figures)
    filled = np.where(known, figures, -np.inf)
    ordered = np.sort(filled, axis=0)
    if not len(ordered):
        return np.zeros(figures.shape[1])
    count = known.sum(axis=0)
    place = len(ordered) - count + np.floor(USUAL * np.maximum(count - 1, 0)).astype(np.int64)
    found = np.take_along_axis(ordered, np.minimum(place, len(ordered) - 1)[None], axis=0)[0]
    return np.asarray(np.where(count > 0, found, 0.0))
