from dataclasses import replace

import numpy as np
import pytest

from trading.errors import DataError
from trading.evaluation.baselines import (
    Benchmark,
    baseline_tracks,
    best_factor,
    choose_factor,
    equal_weight,
    index,
    latest_factor,
)
from trading.evaluation.information import feature_information
from trading.evaluation.walk_forward import make_folds, outcome_ends
from trading.features.specification import FEATURES


@pytest.fixture(scope="module")
def factored(market):
    return market(factor=(6, -0.2), seed=9).dataset


@pytest.fixture(scope="module")
def folds(factored, settings):
    return make_folds(factored, settings.training)


def judged(folds):
    return np.concatenate([fold.test for fold in folds])


def test_the_planted_factor_is_found_with_its_sign_and_earns(factored, folds, settings):
    found = best_factor(factored, folds, settings).track
    assert f"-{FEATURES[6].name}" in found.label
    equal = equal_weight(factored, judged(folds), settings)
    assert np.prod(1 + found.net_returns) > np.prod(1 + equal.net_returns)
    assert found.information.mean() == pytest.approx(0.2, abs=0.05)
    assert latest_factor(factored).index == 6
    assert latest_factor(factored).sign == -1


def test_the_factor_is_chosen_from_training_decisions_alone(factored, folds):
    table = feature_information(factored)
    for fold in folds:
        spoiled = table.copy()
        others = np.setdiff1d(np.arange(len(table)), fold.train)
        spoiled[others, 2] = 1.0
        assert choose_factor(spoiled, fold.train) == choose_factor(table, fold.train)


def test_returns_after_the_training_data_change_no_choice(factored, folds):
    fold = folds[0]
    altered = factored.returns.copy()
    altered[fold.train_end + 1 :] = np.random.default_rng(0).normal(
        0, 0.02, altered[fold.train_end + 1 :].shape
    )
    before = choose_factor(feature_information(factored), fold.train)
    after = choose_factor(feature_information(replace(factored, returns=altered)), fold.train)
    assert before == after


def test_a_feature_that_never_varies_is_not_chosen():
    table = np.full((10, len(FEATURES)), 0.01)
    table[:, 3] = np.nan
    table[0, 3] = 0.9
    table[:, 5] = -0.04
    found = choose_factor(table, np.arange(10))
    assert (found.index, found.sign, found.mean_information) == (5, -1, pytest.approx(0.04))
    with pytest.raises(DataError, match="no feature varies"):
        choose_factor(np.full((10, 17), np.nan), np.arange(10))


def test_equal_weight_holds_the_eligible_names(factored, folds, settings):
    eligible = factored.eligible.copy()
    eligible[:, 10:] = False
    few = replace(factored, eligible=eligible)
    found = equal_weight(few, judged(folds), settings)
    np.testing.assert_array_equal(found.names, 10)
    noisy = few.returns.copy()
    noisy[:, 10:] = 0.9
    again = equal_weight(replace(few, returns=noisy), judged(folds), settings)
    np.testing.assert_array_equal(found.net_returns, again.net_returns)


def test_the_proxy_weighs_by_dollar_volume_and_says_what_it_is(factored, folds, settings):
    volume = np.full_like(factored.dollar_volume, 1e6)
    volume[:, 0] = 1e15
    found = index(replace(factored, dollar_volume=volume), judged(folds), settings)
    assert "proxy" in found.label
    rows = np.searchsorted(factored.sessions, found.sessions)
    np.testing.assert_allclose(found.net_returns[1:], factored.returns[rows[1:], 0], atol=1e-3)


def test_a_benchmark_is_taken_as_it_is(factored, folds, settings):
    returns = np.random.default_rng(1).normal(0, 0.01, len(factored.sessions))
    tracks = baseline_tracks(factored, folds, settings, Benchmark("SPY", returns))
    rows = np.searchsorted(factored.sessions, tracks["index"].sessions)
    np.testing.assert_array_equal(tracks["index"].net_returns, returns[rows])
    assert tracks["index"].label.startswith("SPY")
    assert (tracks["index"].costs == 0).all()


def test_a_benchmark_with_a_hole_gives_way_to_the_proxy(factored, folds, settings):
    returns = np.zeros(len(factored.sessions))
    returns[-30] = np.nan
    end = outcome_ends(factored)[judged(folds)].max()
    assert len(factored.sessions) - 30 <= end
    found = index(factored, judged(folds), settings, Benchmark("SPY", returns))
    assert "SPY lacks 1 session" in found.label
    with pytest.raises(DataError, match="align them first"):
        index(factored, judged(folds), settings, Benchmark("SPY", returns[1:]))


def test_decisions_without_an_outcome_cannot_be_judged(factored, settings):
    with pytest.raises(DataError, match="1 of 1 have none"):
        equal_weight(factored, np.array([len(factored.decisions) - 1]), settings)
