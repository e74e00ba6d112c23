import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trading.agents.projection import conviction_weights
from trading.errors import DataError

cases = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, n, elements=st.floats(-1, 1, width=32)), hnp.arrays(np.bool_, n)
    )
)


@settings(max_examples=80, deadline=None)
@given(case=cases)
def test_weights_are_long_only_over_eligible_slots(case):
    action, eligible = case
    weights = conviction_weights(action, eligible)
    assert (weights >= 0).all()
    assert (weights[~eligible] == 0).all()
    assert weights.sum() <= 1 + 1e-9
    if eligible.any():
        assert weights.sum() == pytest.approx(1.0)


def test_a_higher_conviction_weighs_more():
    weights = conviction_weights(np.array([-1.0, 0.0, 1.0]), np.ones(3, bool))
    assert weights[2] / weights[0] == pytest.approx(np.exp(4.0))
    assert (np.diff(weights) > 0).all()


def test_batches_equal_single_rows():
    action = np.random.default_rng(0).uniform(-1, 1, (4, 9))
    eligible = np.random.default_rng(1).random((4, 9)) < 0.6
    both = conviction_weights(action, eligible)
    for row in range(4):
        np.testing.assert_allclose(both[row], conviction_weights(action[row], eligible[row]))


@pytest.mark.parametrize("action", [[0.1, np.nan], [0.1]])
def test_bad_actions_are_refused(action):
    with pytest.raises(DataError, match="an action"):
        conviction_weights(action, np.ones(2, bool))
