import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.config import PortfolioSettings
from trading.errors import DataError
from trading.risk.limits import Outcome, enforce_limits

SETTINGS = PortfolioSettings(max_weight=0.3, exclude=("BAD",), max_participation=0.1)
SYMBOLS = ("A", "B", "C", "BAD", "")


def enforce(target, held=None, volume=None, *, min_names=1, nav=1e6):
    held = np.zeros(5) if held is None else np.array(held)
    volume = np.full(5, 1e9) if volume is None else np.array(volume)
    found = enforce_limits(
        target, held, SYMBOLS, volume, SETTINGS, nav_usd=nav, min_names=min_names
    )
    return found, {check.name: check for check in found.checks}


def test_a_portfolio_within_the_limits_is_left_as_it_is():
    found, checks = enforce([0.3, 0.3, 0.2, 0, 0])
    np.testing.assert_array_equal(found.weights, [0.3, 0.3, 0.2, 0, 0])
    assert {check.outcome for check in checks.values()} == {Outcome.PASSED}
    assert found.accepted
    assert "80.0% is invested" in checks["invested"].reason


def test_excluded_names_and_empty_slots_are_taken_out():
    found, checks = enforce([0.2, 0, 0, 0.2, 0.2])
    np.testing.assert_array_equal(found.weights, [0.2, 0, 0, 0, 0])
    assert checks["excluded_names"].outcome is Outcome.RESIZED
    assert "BAD" in checks["excluded_names"].reason


def test_a_weight_above_the_limit_is_cut():
    found, checks = enforce([0.5, 0.2, 0, 0, 0])
    np.testing.assert_array_equal(found.weights, [0.3, 0.2, 0, 0, 0])
    assert checks["max_weight"].value == 0.5


def test_purchases_are_cut_to_a_share_of_the_volume_and_sales_are_not():
    # 10 % of 500,000 USD is 50,000 USD: 5 % of the portfolio more than what is held.
    found, checks = enforce([0.3, 0.0, 0.2, 0, 0], [0.1, 0.3, 0, 0, 0], [5e5, 1, 1e9, 1, 1])
    np.testing.assert_allclose(found.weights, [0.15, 0.0, 0.2, 0, 0])
    assert checks["participation"].value == pytest.approx(0.4)
    assert checks["participation"].outcome is Outcome.RESIZED


@pytest.mark.parametrize("volume", [np.nan, 0.0])
def test_nothing_is_bought_where_the_volume_is_not_known(volume):
    found, _ = enforce([0.2, 0.2, 0, 0, 0], [0, 0.1, 0, 0, 0], [volume, volume, 1, 1, 1])
    np.testing.assert_allclose(found.weights, [0.0, 0.1, 0, 0, 0])


def test_a_sum_above_one_is_scaled():
    wide = PortfolioSettings(max_weight=1.0)
    found = enforce_limits([0.9, 0.6], [0, 0], ("A", "B"), [1e12, 1e12], wide, nav_usd=1e6)
    np.testing.assert_allclose(found.weights, [0.6, 0.4])


def test_too_few_names_reject_the_portfolio():
    found, checks = enforce([0.3, 0, 0, 0, 0], min_names=2)
    assert not found.accepted
    assert (found.weights == 0).all()
    assert "only 1 name(s) are left, 2 are needed" in checks["min_names"].reason


@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.lists(st.floats(0, 0.2), min_size=5, max_size=5),
    st.lists(st.floats(0, 1e8), min_size=5, max_size=5),
)
def test_the_result_keeps_every_limit_whatever_is_asked(target, held, volume):
    found, _ = enforce(target, held, volume)
    weights = found.weights
    assert weights.max() <= 0.3
    assert weights.sum() <= 1.0 + 1e-12
    assert weights[3] == weights[4] == 0.0
    bought = np.maximum(weights - np.array(held), 0.0) * 1e6
    assert (bought <= 0.1 * np.array(volume) + 0.01).all()
    again, checks = enforce(weights, held, volume)
    np.testing.assert_array_equal(again.weights, weights)
    assert Outcome.RESIZED not in {check.outcome for check in checks.values()}


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="one shape"):
        enforce([0.1])
    with pytest.raises(DataError, match="target weights must be finite"):
        enforce([np.nan, 0, 0, 0, 0])
    with pytest.raises(DataError, match="held weights"):
        enforce([0.1, 0, 0, 0, 0], [-0.1, 0, 0, 0, 0])
