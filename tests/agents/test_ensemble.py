import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trading.agents.ensemble import Ensemble, combine, join_batches
from trading.agents.policy import FactorPolicy
from trading.errors import ModelError

raw_scores = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 40)),
    elements=st.floats(-100, 100, width=32),
)


@settings(max_examples=60, deadline=None)
@given(raw=raw_scores, seed=st.integers(0, 999))
def test_scores_are_bounded_monotone_and_permutation_equivariant(raw, seed):
    eligible = np.ones(raw.shape[1], dtype=bool)
    scores = combine(raw, eligible)
    assert (np.abs(scores.score) < 1).all()
    assert ((scores.confidence >= 0) & (scores.confidence <= 1)).all()
    order = np.random.default_rng(seed).permutation(raw.shape[1])
    permuted = combine(raw[:, order], eligible)
    np.testing.assert_array_equal(permuted.score, scores.score[order])
    np.testing.assert_array_equal(permuted.confidence, scores.confidence[order])
    if len(raw) == 1:
        assert (np.diff(scores.score[np.argsort(raw[0], kind="stable")]) >= 0).all()


def test_ranks_by_hand():
    scores = combine(np.array([[3.0, 1.0, 2.0, 2.0]], np.float32), np.ones(4, bool))
    np.testing.assert_allclose(scores.score, [0.75, -0.75, 0.0, 0.0])
    np.testing.assert_allclose(scores.confidence, [0.75, 0.75, 0.0, 0.0])


def test_scale_of_a_member_does_not_matter():
    random = np.random.default_rng(0)
    raw = random.standard_normal((3, 50)).astype(np.float32)
    louder = raw * np.array([[1.0], [1000.0], [0.001]], np.float32)
    everyone = np.ones(50, bool)
    np.testing.assert_array_equal(combine(raw, everyone).score, combine(louder, everyone).score)


def test_disagreement_lowers_confidence():
    rising = np.arange(10, dtype=np.float32)
    everyone = np.ones(10, bool)
    agreed = combine(np.stack([rising, rising]), everyone)
    split = combine(np.stack([rising, -rising]), everyone)
    assert agreed.confidence[-1] == pytest.approx(0.9)
    np.testing.assert_allclose(split.score, 0.0)
    np.testing.assert_allclose(split.confidence, 0.0)


def test_only_eligible_slots_rank_and_others_may_lack_a_score():
    raw = np.array([[5.0, np.nan, 1.0]], np.float32)
    scores = combine(raw, np.array([True, False, True]))
    assert np.isnan(scores.score[1])
    assert scores.confidence[1] == 0
    np.testing.assert_allclose(scores.score[[0, 2]], [0.5, -0.5])


def test_an_eligible_slot_without_a_score_is_refused():
    with pytest.raises(ModelError, match="1 of 2 eligible slots"):
        combine(np.array([[1.0, np.nan]], np.float32), np.ones(2, bool))


def test_nobody_eligible_is_no_score_at_all():
    scores = combine(np.zeros((2, 3), np.float32), np.zeros(3, bool))
    assert np.isnan(scores.score).all()
    assert (scores.confidence == 0).all()


def test_batches_join_to_the_whole():
    ensemble = Ensemble((FactorPolicy("rsi_14", 1), FactorPolicy("return_5", -1)))
    random = np.random.default_rng(3)
    features = random.uniform(-1, 1, (900, 17)).astype(np.float32)
    held, context = np.zeros(900, np.float32), np.zeros(8, np.float32)
    batches = [
        ensemble.raw(features[i : i + 400], held[i : i + 400], context) for i in (0, 400, 800)
    ]
    np.testing.assert_array_equal(join_batches(batches), ensemble.raw(features, held, context))
    with pytest.raises(ModelError, match="one ensemble"):
        join_batches([batches[0], batches[1][:1]])


def test_an_ensemble_needs_a_member():
    with pytest.raises(ModelError, match="at least one"):
        Ensemble(())
