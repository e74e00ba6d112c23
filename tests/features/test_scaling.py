"""Ranks among the names of a session."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading.errors import DataError
from trading.features.scaling import rank_to_unit, scale_features
from trading.features.specification import FEATURES

VALUES = arrays(
    np.float32, (3, 9), elements=st.floats(-1e6, 1e6, width=32) | st.just(np.float32(np.nan))
)
REFERENCE = arrays(np.bool_, (3, 9))


def test_ranks_run_from_minus_one_to_one_with_ties_shared() -> None:
    values = np.array([[10.0, 20.0, 20.0, 40.0, np.nan]], dtype=np.float32)
    ranked = rank_to_unit(values, np.ones((1, 5), dtype=bool))
    np.testing.assert_allclose(ranked[0], [-0.75, 0.0, 0.0, 0.75, np.nan])


def test_names_outside_the_reference_are_placed_among_it() -> None:
    values = np.array([[1.0, 2.0, 3.0, -9.0, 9.0, 2.5]], dtype=np.float32)
    reference = np.array([[True, True, True, False, False, False]])
    ranked = rank_to_unit(values, reference)[0]
    np.testing.assert_allclose(ranked, [-2 / 3, 0, 2 / 3, -1, 1, 1 / 3], rtol=1e-6)


@given(VALUES, REFERENCE)
def test_ranks_keep_the_order_and_the_unknown(values: np.ndarray, reference: np.ndarray) -> None:
    ranked = rank_to_unit(values, reference)
    measured = (reference & ~np.isnan(values)).any(axis=1)
    assert (np.isnan(ranked) == (np.isnan(values) | ~measured[:, None])).all()
    assert (np.abs(ranked[~np.isnan(ranked)]) <= 1.0).all()
    for row, rank in zip(values[measured], ranked[measured], strict=True):
        known = ~np.isnan(row)
        order = np.argsort(row[known], kind="stable")
        assert (np.diff(rank[known][order]) >= 0).all()


@given(VALUES, REFERENCE, st.permutations(range(9)))
def test_ranks_do_not_depend_on_where_a_name_stands(
    values: np.ndarray, reference: np.ndarray, order: list[int]
) -> None:
    moved = rank_to_unit(values[:, order], reference[:, order])
    assert (
        moved.tobytes() == np.ascontiguousarray(rank_to_unit(values, reference)[:, order]).tobytes()
    )


def test_the_temporal_features_are_kept_as_they_are() -> None:
    features = np.random.default_rng(0).normal(size=(2, 6, 17)).astype(np.float32)
    scaled = scale_features(features, np.ones((2, 6), dtype=bool))
    kept = [feature.scaling == "as is" for feature in FEATURES]
    assert [f.name for f, k in zip(FEATURES, kept, strict=True) if k] == ["new_listing", "tenure"]
    np.testing.assert_array_equal(scaled[:, :, kept], features[:, :, kept])
    assert (np.abs(scaled[:, :, ~np.array(kept)]) < 1.0).all()


def test_a_reference_of_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match="expected"):
        rank_to_unit(np.zeros((2, 3), dtype=np.float32), np.ones((3, 2), dtype=bool))
