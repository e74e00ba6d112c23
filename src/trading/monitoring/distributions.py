"""Distributions by their quantiles, and how far two lie apart.

A distribution of n values is kept as `POINTS` of its order statistics: small enough to lie beside a
model, and enough for the population stability index over ten bins and the Kolmogorov-Smirnov
distance to about 1 / `POINTS`.

Sources: Siddiqi, Credit Risk Scorecards (2006), ch. 11, for the index and its customary limits (.10
some, .25 much); Kolmogorov (1933) and Smirnov (1948) for the distance.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
POINTS = 201
BINS = 10
FLOOR = 0.5 / POINTS
"""Share that an empty bin counts as: half a point."""


def quantile_points(values: npt.ArrayLike, among: BoolArray | None = None) -> FloatArray:
    """Return `POINTS` order statistics of every distribution, evenly spaced in rank.

    Parameters
    ----------
    values : (M, N, K), N values each of M x K distributions; what is not finite is left out
    among : (M, N) bool, the values that count; all by default

    Returns
    -------
    (M, K, POINTS) float64, ascending; NaN where a distribution has no value
    """
    table = np.array(values, dtype=np.float64)
    if table.ndim != 3:
        raise ValueError(f"values must be (M, N, K), found the shape {table.shape}")
    table[~np.isfinite(table)] = np.nan
    if among is not None:
        table[~np.asarray(among, dtype=bool)] = np.nan
    months, _, kinds = table.shape
    if not table.shape[1]:
        return np.full((months, kinds, POINTS), np.nan)
    table.sort(axis=1)  # NaN goes last
    count = np.isfinite(table).sum(axis=1)
    share = np.linspace(0.0, 1.0, POINTS)
    place = np.rint(share[None, :, None] * np.maximum(count - 1, 0)[:, None, :]).astype(np.int64)
    return np.asarray(np.moveaxis(np.take_along_axis(table, place, axis=1), 1, 2))


def pool(points: FloatArray) -> FloatArray:
    """Return the points `(K, POINTS)` of the M distributions `(M, K, POINTS)` taken together.

    Every distribution weighs the same; those without a value are left out.
    """
    kinds = points.shape[1]
    together = np.moveaxis(points, 1, 0).reshape(1, kinds, -1)
    return np.asarray(quantile_points(np.moveaxis(together, 1, 2))[0])


def stability_index(reference: FloatArray, points: FloatArray) -> FloatArray:
    """Return the population stability index of `points` against `reference`, `(...,)`.

    `sum((p - q) ln(p / q))` over ten bins between the deciles of the reference; an empty bin counts
    as half a point. Both are `(..., POINTS)`; NaN where either has no value.
    """
    inner = np.linspace(0, POINTS - 1, BINS + 1).round().astype(np.int64)[1:-1]
    edges = reference[..., inner]
    expected, found = _shares(reference, edges), _shares(points, edges)
    index = ((found - expected) * np.log(found / expected)).sum(axis=-1)
    return np.where(_known(reference, points), index, np.nan)


def largest_gap(reference: FloatArray, points: FloatArray) -> FloatArray:
    """Return the Kolmogorov-Smirnov distance of two distributions `(..., POINTS)`, 0..1.

    NaN where either has no value.
    """
    where = np.concatenate([reference, points], axis=-1)
    gap = np.abs(_share_upto(reference, where) - _share_upto(points, where)).max(axis=-1)
    return np.where(_known(reference, points), gap, np.nan)


def _shares(points: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the share of the points in each of the bins between the edges, at least `FLOOR`."""
    upto = _share_upto(points, edges)
    first = np.zeros((*upto.shape[:-1], 1))
    shares = np.diff(np.concatenate([first, upto, first + 1.0], axis=-1), axis=-1)
    return np.asarray(np.maximum(shares, FLOOR))


def _share_upto(points: FloatArray, where: FloatArray) -> FloatArray:
    """Return the share of the points `(..., P)`, ascending, that are at most `where (..., W)`."""
    rows = zip(
        points.reshape(-1, points.shape[-1]), where.reshape(-1, where.shape[-1]), strict=True
    )
    counts = [np.searchsorted(row, values, side="right") for row, values in rows]
    return np.asarray(np.array(counts).reshape(where.shape) / points.shape[-1])


def _known(*points: FloatArray) -> BoolArray:
    return np.asarray(np.logical_and.reduce([np.isfinite(one).all(axis=-1) for one in points]))
