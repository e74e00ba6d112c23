import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.evaluation.information import (
    average_ranks,
    feature_information,
    information_coefficient,
    realised_returns,
)
from trading.evaluation.walk_forward import outcome_ends


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=40), st.randoms(use_true_random=False))
def test_it_is_spearmans_correlation(values, random):
    left = np.array(values, dtype=float)
    right = np.array([random.randint(-5, 5) for _ in values], dtype=float)
    found = information_coefficient(left, right)
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert np.isnan(found)
        return
    expected = pd.Series(left).rank().corr(pd.Series(right).rank())
    assert found == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal(average_ranks(left), pd.Series(left).rank())


def test_names_without_score_or_outcome_are_left_out():
    scores = [1.0, 2.0, 3.0, np.nan, 9.0]
    outcome = [0.1, 0.2, 0.3, -5.0, np.nan]
    assert information_coefficient(scores, outcome) == pytest.approx(1.0)
    assert np.isnan(information_coefficient(scores[:2], outcome[:2]))


def test_a_planted_factor_shows_in_the_table_and_no_other_does(market):
    dataset = market(information=0.0, factor=(6, -0.2), seed=9).dataset
    table = feature_information(dataset)
    known = outcome_ends(dataset) >= 0
    assert np.isnan(table[~known]).all()
    assert np.isfinite(table[known]).all()
    mean = table[known & (dataset.phases == 0)].mean(axis=0)
    assert mean[6] == pytest.approx(-0.2, abs=0.04)
    assert (np.abs(np.delete(mean, 6)) < 0.06).all()


def test_realised_returns_run_from_fill_to_fill(market):
    dataset = market(sessions=420, names=3).dataset
    dataset.returns[:, 2] = np.nan
    row, end = int(dataset.decisions[0]), int(outcome_ends(dataset)[0])
    found = realised_returns(dataset, 0, end)
    rows = dataset.returns[row + 2 : end + 1, :2].astype(float)
    np.testing.assert_allclose(found[:2], np.prod(1 + rows, axis=0) - 1)
    assert np.isnan(found[2])
