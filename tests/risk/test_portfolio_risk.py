import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import RiskError
from trading.risk.measures import (
    expected_shortfall,
    normal_expected_shortfall,
    normal_value_at_risk,
    value_at_risk,
)
from trading.risk.portfolio_risk import (
    portfolio_returns,
    portfolio_tail_risk,
    simulated_returns,
    value_at_risk_contributions,
)

METHODS = ("historical", "normal", "cornish_fisher", "monte_carlo")


def returns(periods=250, names=4, seed=0):
    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.01, (periods, 1))
    return common + generator.normal(0, 0.01, (periods, names))


def test_the_two_currencies_of_jorion():
    """P. Jorion, "Value at Risk" (2006), chapter 7: $2 million of CAD at 5 %, $1 million of EUR
    at 12 %, uncorrelated, 95 % (z = 1.65)."""
    found = value_at_risk_contributions([2e6, 1e6], np.diag([0.05**2, 0.12**2]), 0.95)
    published = 1.65 / 1.6448536269514722
    assert found.total * published == pytest.approx(257_738, abs=2)
    np.testing.assert_allclose(found.component * published, [105_630, 152_108], atol=2)
    np.testing.assert_allclose(found.marginal * published, [0.0528, 0.1521], atol=5e-5)
    np.testing.assert_allclose(found.share, [0.410, 0.590], atol=5e-4)


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_components_sum_to_the_total_and_marginals_are_its_gradient(names, seed):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(names, names + 1))
    matrix, weights = root @ root.T, generator.uniform(-1, 1, names)
    found = value_at_risk_contributions(weights, matrix, 0.99)
    assert found.component.sum() == pytest.approx(found.total)
    assert found.share.sum() == pytest.approx(1.0)
    step = 1e-6 * (np.arange(names) == 0)
    up = value_at_risk_contributions(weights + step, matrix, 0.99).total
    down = value_at_risk_contributions(weights - step, matrix, 0.99).total
    assert (up - down) / 2e-6 == pytest.approx(found.marginal[0], rel=1e-4, abs=1e-4)


def test_contributions_at_the_edges():
    unknown = np.array([[0.04, np.nan], [np.nan, np.nan]])
    found = value_at_risk_contributions([0.5, 0.0], unknown)
    assert found.component[1] == 0.0
    assert np.isnan(found.marginal[1])
    assert found.total == pytest.approx(0.5 * 0.2 * 1.6448536269514722)
    hedge = value_at_risk_contributions([0.5, 0.5], [[0.04, -0.04], [-0.04, 0.04]])
    assert hedge.total == 0.0
    assert np.isnan(hedge.share).all()
    assert value_at_risk_contributions([], np.empty((0, 0))).total == 0.0
    with pytest.raises(RiskError, match="not finite"):
        value_at_risk_contributions([0.5, 0.1], unknown)
    with pytest.raises(RiskError, match=r"\(N, N\)"):
        value_at_risk_contributions([0.5], np.eye(2))
    for level in (0.3, 1.0, float("nan")):
        with pytest.raises(RiskError, match="level"):
            value_at_risk_contributions([1.0], [[1.0]], level)


def test_a_portfolio_is_the_series_of_todays_weights():
    x, weights = returns(), np.array([0.5, -0.3, 0.0, 0.2])
    path = x @ weights
    historical = portfolio_tail_risk(weights, x, 0.9)
    assert historical.value_at_risk == pytest.approx(float(value_at_risk(path, 0.9)))
    assert historical.expected_shortfall == pytest.approx(float(expected_shortfall(path, 0.9)))
    normal = portfolio_tail_risk(weights, x, 0.9, method="normal")
    mean, deviation = path.mean(), path.std(ddof=1)
    assert normal.value_at_risk == pytest.approx(float(normal_value_at_risk(mean, deviation, 0.9)))
    assert normal.expected_shortfall == pytest.approx(
        float(normal_expected_shortfall(mean, deviation, 0.9))
    )


def test_monte_carlo_agrees_with_the_closed_form_and_repeats():
    x, weights = returns(), np.array([0.5, -0.3, 0.1, 0.2])
    normal = portfolio_tail_risk(weights, x, 0.99, method="normal")
    drawn = portfolio_tail_risk(weights, x, 0.99, method="monte_carlo", paths=200_000, seed=7)
    assert drawn.value_at_risk == pytest.approx(normal.value_at_risk, rel=0.015)
    assert drawn.expected_shortfall == pytest.approx(normal.expected_shortfall, rel=0.015)
    again = portfolio_tail_risk(weights, x, 0.99, method="monte_carlo", paths=200_000, seed=7)
    assert again == drawn
    other = portfolio_tail_risk(weights, x, 0.99, method="monte_carlo", paths=200_000, seed=8)
    assert other != drawn
    fat = portfolio_tail_risk(
        weights, x, 0.99, method="monte_carlo", paths=200_000, degrees_of_freedom=4.0
    )
    # The quantiles of Student's t with 4 degrees of freedom, scaled to variance 1.
    assert fat.value_at_risk / drawn.value_at_risk == pytest.approx(
        3.747 / 2**0.5 / 2.326, rel=0.03
    )


def test_simulated_returns_have_the_moments_asked_for():
    matrix = np.array([[4.0, 2.0, 2.0], [2.0, 1.0, 1.0], [2.0, 1.0, 5.0]]) * 1e-4
    assert np.linalg.matrix_rank(matrix) == 2
    for nu in (None, 8.0):
        drawn = simulated_returns(
            [0.01, 0.0, -0.01], matrix, paths=400_000, seed=1, degrees_of_freedom=nu
        )
        np.testing.assert_allclose(drawn.mean(axis=0), [0.01, 0.0, -0.01], atol=2e-4)
        np.testing.assert_allclose(np.cov(drawn.T), matrix, atol=6e-6)
    assert simulated_returns([], np.empty((0, 0)), paths=3).shape == (3, 0)
    with pytest.raises(RiskError, match="negative eigenvalue"):
        simulated_returns([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(RiskError, match="not finite"):
        simulated_returns([np.nan], [[1.0]])
    with pytest.raises(RiskError, match="degrees of freedom"):
        simulated_returns([0.0], [[1.0]], degrees_of_freedom=2.0)
    with pytest.raises(RiskError, match=r"covariances \(N, N\)"):
        simulated_returns([0.0], np.eye(2))
    with pytest.raises(RiskError, match="at least one path"):
        simulated_returns([0.0], [[1.0]], paths=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_edges(method):
    x = returns()

    def risk(weights, series, level=0.95):
        return portfolio_tail_risk(weights, series, level, method=method, paths=2_000)

    nothing = risk(np.zeros(4), x)
    assert (nothing.value_at_risk, nothing.expected_shortfall) == (0.0, 0.0)
    assert risk([], np.empty((250, 0))) == nothing
    alone, beside_unknown = x[:, :1], np.column_stack([x[:, 0], np.full(250, np.nan)])
    assert risk([1.0], alone) == risk([1.0, 0.0], beside_unknown), "what is not held does not count"
    still = risk([1.0], np.full((250, 1), -0.01))
    assert still.value_at_risk == pytest.approx(0.01), "no variance: the loss itself"
    doubled = np.column_stack([x[:, 0], x[:, 0]])
    halves = risk([0.5, 0.5], doubled)
    assert halves.value_at_risk == pytest.approx(risk([1.0], alone).value_at_risk, rel=0.1)
    with pytest.raises(RiskError, match="infinite"):
        risk([1.0], np.full((250, 1), np.inf))
    with pytest.raises(RiskError, match="not finite"):
        risk([np.nan], alone)
    with pytest.raises(RiskError, match=r"weights \(N,\)"):
        risk([1.0, 1.0], alone)
    with pytest.raises(RiskError, match="level"):
        risk([1.0], alone, 95)


@pytest.mark.parametrize("method", ["historical", "normal", "cornish_fisher"])
def test_too_few_returns_are_no_data(method):
    found = portfolio_tail_risk([1.0], [[0.01]], method=method)
    assert np.isnan([found.value_at_risk, found.expected_shortfall]).all()


def test_monte_carlo_needs_history():
    x = returns()
    x[:200, 0] = np.nan
    with pytest.raises(RiskError, match="fewer than half"):
        portfolio_tail_risk([1.0, 0, 0, 0], x, method="monte_carlo")


def test_an_unknown_return_counts_as_nothing():
    x = np.array([[0.1, np.nan], [0.2, 0.4]])
    np.testing.assert_allclose(portfolio_returns([0.5, 0.5], x), [0.05, 0.3])
