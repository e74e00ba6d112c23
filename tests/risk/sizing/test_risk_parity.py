import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sized_market import market, random_market, sized

from trading.errors import RiskError
from trading.risk.sizing import build_sizer
from trading.risk.sizing.risk_parity import risk_parity_weights


def contributions(weights, matrix):
    risk = weights * (matrix @ weights)
    return risk / risk.sum()


def covariances(volatilities, correlations):
    sigma = np.asarray(volatilities)
    return np.asarray(correlations) * np.outer(sigma, sigma)


def test_the_four_assets_of_maillard_roncalli_and_teiletche():
    """ "The properties of equally weighted risk contribution portfolios" (2010), second example."""
    rho = [[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]]
    found = risk_parity_weights(covariances([0.1, 0.2, 0.3, 0.4], rho))
    np.testing.assert_allclose(found, [0.384, 0.192, 0.243, 0.182], atol=5e-4)


def test_the_three_assets_of_roncalli():
    """T. Roncalli, "Introduction to Risk Parity and Budgeting" (2013), 2.2: 50, 20, 30 %."""
    rho = [[1, 0.8, 0.5], [0.8, 1, 0.3], [0.5, 0.3, 1]]
    matrix = covariances([0.3, 0.2, 0.15], rho)
    budgeted = risk_parity_weights(matrix, [0.5, 0.2, 0.3])
    np.testing.assert_allclose(budgeted, [0.3115, 0.2190, 0.4696], atol=5e-5)
    np.testing.assert_allclose(contributions(budgeted, matrix), [0.5, 0.2, 0.3], rtol=1e-9)
    equal = risk_parity_weights(matrix)
    np.testing.assert_allclose(equal, [0.1969, 0.3244, 0.4787], atol=5e-5)


@given(st.floats(0.01, 0.6), st.floats(0.01, 0.6), st.floats(-0.95, 0.99))
def test_two_assets_are_weighted_by_inverse_volatility(one, two, rho):
    """Maillard et al. (2010), equation 5: whatever their correlation."""
    found = risk_parity_weights(covariances([one, two], [[1, rho], [rho, 1]]))
    np.testing.assert_allclose(found, np.array([two, one]) / (one + two), rtol=1e-7)


def test_equal_correlations_weigh_by_inverse_volatility():
    """Maillard et al. (2010), equation 6."""
    sigma = np.array([0.1, 0.2, 0.25, 0.4])
    found = risk_parity_weights(covariances(sigma, np.full((4, 4), 0.3) + 0.7 * np.eye(4)))
    np.testing.assert_allclose(found, (1 / sigma) / (1 / sigma).sum(), rtol=1e-9)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_contributions_equal_their_budgets(names, seed):
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(names, 3))
    matrix = factors @ factors.T + np.diag(generator.uniform(0.01, 2.0, names))
    budgets = generator.uniform(0.1, 1.0, names)
    found = risk_parity_weights(matrix, budgets)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(contributions(found, matrix), budgets / budgets.sum(), rtol=1e-8)


def test_singular_covariances():
    same = covariances([0.1, 0.1, 0.2], [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    found = risk_parity_weights(same)
    np.testing.assert_allclose(contributions(found, same), np.full(3, 1 / 3), rtol=1e-9)
    hedge = covariances([0.1, 0.2], [[1, -1], [-1, 1]])
    with pytest.raises(RiskError, match="hedge each other perfectly"):
        risk_parity_weights(hedge)


def test_the_edges():
    assert risk_parity_weights(np.empty((0, 0))).shape == (0,)
    assert risk_parity_weights([[0.04]]) == [1.0]
    with pytest.raises(RiskError, match="name 1 has no variance"):
        risk_parity_weights(np.diag([0.1, 0.0]))
    with pytest.raises(RiskError, match="finite"):
        risk_parity_weights([[0.1, np.nan], [np.nan, 0.1]])
    with pytest.raises(RiskError, match="finite"):
        risk_parity_weights(np.ones((2, 3)))
    with pytest.raises(RiskError, match="budgets"):
        risk_parity_weights(np.eye(2), [1.0, 0.0])


def test_two_names_get_inverse_volatilities_and_a_short_its_sign():
    data = random_market(60, 3, seed=8)
    sizer = build_sizer("risk_parity", {"window": 40, "gross_exposure": 0.8})
    found = sized(sizer, data, (50, 0, 1, 1.0), (50, 2, -1, 1.0))
    returns = data.close[11:51] / data.close[10:50] - 1.0
    inverse = 1.0 / returns[:, [0, 2]].std(axis=0, ddof=1)
    np.testing.assert_allclose(found.weights, 0.8 * inverse / inverse.sum() * [1, -1], rtol=1e-8)


def test_a_signal_weighs_all_wanted_names_anew_and_hold_none():
    data = random_market(90, 4, seed=9)
    sizer = build_sizer("risk_parity", {"window": 20})
    found = sized(
        sizer, data, (30, 0, 1, 1.0), (30, 1, 1, 1.0), (40, 2, 1, 1.0), (50, 1, -1, 1.0),
        (60, 3, 0, 1.0), long_only=True,
    )  # fmt: skip
    np.testing.assert_array_equal(found.rows, [30, 30, 40, 40, 40, 50, 50, 50])
    np.testing.assert_array_equal(found.columns, [0, 1, 0, 1, 2, 0, 1, 2])
    assert found.weights[6] == 0.0
    for row in (30, 40, 50):
        assert found.at(row).weights.sum() == pytest.approx(1.0)


def test_a_weight_is_cut_to_the_largest():
    data = random_market(60, 2, seed=8)
    sizer = build_sizer("risk_parity", {"window": 20, "max_weight": 0.3})
    found = sized(sizer, data, (50, 0, 1, 1.0), (50, 1, 1, 1.0))
    assert found.weights.max() == 0.3


def test_more_names_than_bars_and_doubled_names_are_sized():
    data = random_market(30, 60, seed=2)
    prices = np.hstack([data.close, data.close[:, :5]])
    sizer = build_sizer("risk_parity", {"window": 25})
    found = sized(sizer, market(prices), *[(29, i, 1, 1.0) for i in range(65)])
    assert (found.weights > 0.0).all()
    assert found.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.weights[:5], found.weights[60:], rtol=1e-6)
