from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.config import TrainingSettings
from trading.errors import DataError
from trading.evaluation.walk_forward import MIN_TRAINING_MONTHS, make_folds, outcome_ends
from trading.features.dataset import Dataset


@settings(max_examples=30, deadline=None)
@given(
    sessions=st.integers(500, 1100),
    phases=st.integers(1, 5),
    folds=st.integers(1, 4),
    embargo=st.integers(0, 42),
)
def test_folds_never_see_their_test_months(market, sessions, phases, folds, embargo):
    dataset: Dataset = market(sessions=sessions, names=2, phases=phases).dataset
    training = TrainingSettings(folds=folds, phases=phases, embargo_sessions=embargo)
    if sessions < 620:
        with suppress(DataError):
            check(dataset, training, make_folds(dataset, training))
        return
    check(dataset, training, make_folds(dataset, training))


def check(dataset, training, found):
    ends = outcome_ends(dataset)
    tested = np.concatenate([fold.test for fold in found])
    monthly = np.flatnonzero((dataset.phases == 0) & (ends >= 0))
    np.testing.assert_array_equal(tested, monthly[-len(tested) :])
    assert len(found) == training.folds
    for k, fold in enumerate(found):
        assert fold.index == k
        assert fold.test_start == dataset.decisions[fold.test[0]]
        assert fold.train_end == ends[fold.train].max()
        assert fold.train_end + training.embargo_sessions <= fold.test_start
        assert (dataset.phases[fold.train] == 0).sum() >= MIN_TRAINING_MONTHS
        assert set(dataset.phases[fold.train]) <= set(range(training.phases))
        if k:
            assert set(found[k - 1].train) < set(fold.train)
            assert found[k - 1].test[-1] < fold.test[0]


def test_a_training_window_holds_every_decision_that_may_be_in_it(market):
    dataset = market(sessions=800, names=2, phases=4).dataset
    for fold in make_folds(dataset, TrainingSettings(embargo_sessions=21)):
        ends = outcome_ends(dataset)
        allowed = (ends >= 0) & (ends + 21 <= fold.test_start)
        np.testing.assert_array_equal(fold.train, np.flatnonzero(allowed))


def test_outcomes_end_at_the_fill_of_the_next_decision_of_the_phase(market):
    dataset = market(sessions=420, names=2, phases=2).dataset
    ends = outcome_ends(dataset)
    assert ends[-1] == -1
    np.testing.assert_array_equal(ends >= 0, dataset.has_outcome)
    for i in np.flatnonzero(ends >= 0):
        same = dataset.decisions[dataset.phases == dataset.phases[i]]
        assert ends[i] == same[same > dataset.decisions[i]][0] + 1
        assert ends[i] < len(dataset.sessions)


def test_three_years_give_enough_months_for_the_gate(market):
    dataset = market(sessions=760, names=2, phases=4).dataset
    folds = make_folds(dataset, TrainingSettings())
    assert sum(len(fold.test) for fold in folds) >= 6


def test_a_short_history_is_refused_with_what_to_do(market):
    dataset = market(sessions=300, names=2, phases=1).dataset
    with pytest.raises(DataError, match=r"history is too short.*add history or lower"):
        make_folds(dataset, TrainingSettings())
