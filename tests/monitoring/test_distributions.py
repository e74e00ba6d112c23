"""Distributions by their quantiles: against SciPy, and at the edges."""

import numpy as np
import pytest
from scipy import stats

from trading.monitoring.distributions import (
    POINTS,
    largest_gap,
    pool,
    quantile_points,
    stability_index,
)


def points_of(*samples: np.ndarray) -> np.ndarray:
    """Return the points of one quantity over one month a sample."""
    size = max(len(sample) for sample in samples)
    table = np.full((len(samples), size, 1), np.nan)
    for row, sample in zip(table, samples, strict=True):
        row[: len(sample), 0] = sample
    return quantile_points(table)[:, 0]


def test_points_are_order_statistics_that_span_the_values() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1000.0))
    (points,) = points_of(values)
    assert points.shape == (POINTS,)
    assert (points[0], points[-1]) == (0.0, 999.0)
    assert np.isin(points, values).all()
    assert np.all(np.diff(points) > 0)


def test_unknown_and_left_out_values_do_not_count() -> None:
    values = np.array([1.0, np.nan, np.inf, 2.0, 100.0])
    among = np.array([True, True, True, True, False])
    points = quantile_points(values[None, :, None], among[None])[0, 0]
    assert (points.min(), points.max()) == (1.0, 2.0)
    nothing = quantile_points(np.full((1, 5, 2), np.nan))
    assert np.isnan(nothing).all()
    assert np.isnan(quantile_points(np.empty((2, 0, 3)))).all()


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(M, N, K\)"):
        quantile_points(np.zeros(3))


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_the_largest_gap_is_that_of_kolmogorov_and_smirnov(shift: float) -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=4000), rng.normal(shift, 1.3, 3000)
    one, other = points_of(first, second)
    wanted = stats.ks_2samp(first, second).statistic
    assert largest_gap(one, other) == pytest.approx(wanted, abs=2 / POINTS)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_the_stability_index_is_that_of_its_definition(scale: float) -> None:
    rng = np.random.default_rng(3)
    reference, now = rng.normal(size=20_000), rng.normal(0.3, scale, 20_000)
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    share = np.bincount(np.searchsorted(edges, now), minlength=10) / len(now)
    wanted = ((share - 0.1) * np.log(share / 0.1)).sum()
    one, other = points_of(reference, now)
    assert stability_index(one, other) == pytest.approx(wanted, rel=0.15)


def test_a_distribution_lies_at_no_distance_from_itself() -> None:
    for values in (np.arange(50.0), np.zeros(50), np.array([0.0, 0.0, 1.0])):
        one, other = points_of(values, values)
        assert stability_index(one, other) == 0.0
        assert largest_gap(one, other) == 0.0


def test_disjoint_and_constant_distributions_lie_far_apart_and_finite() -> None:
    zeros, ones = points_of(np.zeros(30), np.ones(30))
    assert largest_gap(zeros, ones) == 1.0
    assert 1.0 < stability_index(zeros, ones) < 100.0


def test_without_values_there_is_no_distance() -> None:
    known, unknown = points_of(np.arange(5.0), np.array([np.nan]))
    assert np.isnan(stability_index(known, unknown))
    assert np.isnan(largest_gap(unknown, known))


def test_a_pool_weighs_every_month_the_same() -> None:
    small, large = np.zeros(10), np.ones(10_000)
    pooled = pool(points_of(small, large)[:, None])[0]
    assert pooled.mean() == pytest.approx(0.5, abs=1 / POINTS)


def test_permuting_the_names_changes_nothing() -> None:
    values = np.random.default_rng(4).normal(size=(3, 200, 2))
    shuffled = values[:, np.random.default_rng(5).permutation(200)]
    assert np.array_equal(quantile_points(values), quantile_points(shuffled))
