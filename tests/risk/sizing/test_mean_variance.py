import numpy as np
import pytest
from sized_market import market, random_market, sized

from trading.errors import RiskError
from trading.risk.sizing import build_sizer
from trading.risk.sizing.mean_variance import mean_variance_weights


def with_moments(mean, matrix, periods=120, seed=0):
    """Returns with exactly this sample mean and covariance (n - 1)."""
    raw = np.random.default_rng(seed).normal(size=(periods, len(mean)))
    basis, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return basis * np.sqrt(periods - 1) @ np.linalg.cholesky(matrix).T + np.asarray(mean)


def test_the_minimum_variance_of_maillard_roncalli_and_teiletche():
    """Their second example (2010): 74.5, 0, 15.2 and 10.3 %."""
    sigma = np.array([0.1, 0.2, 0.3, 0.4]) / np.sqrt(252)
    rho = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])
    returns = with_moments(np.zeros(4), rho * np.outer(sigma, sigma))
    found = mean_variance_weights(returns, shrink=False)
    np.testing.assert_allclose(found, [0.745, 0.0, 0.152, 0.103], atol=5e-4)


M, V = np.array([5e-4, 3e-4]), np.array([1e-4, 4e-4])


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"objective": "min_variance"}, V[1] / V.sum()),
        (
            {"objective": "max_utility", "risk_aversion": 2.0},
            (M[0] - M[1] + 4 * V[1]) / (4 * V.sum()),
        ),
        ({"objective": "max_sharpe"}, (M / V)[0] / (M / V).sum()),
    ],
)
def test_two_uncorrelated_assets_have_closed_forms(options, first):
    """H. Markowitz, "Portfolio Selection" (1959): weights on the line w1 + w2 = 1."""
    found = mean_variance_weights(with_moments(M, np.diag(V)), shrink=False, **options)
    np.testing.assert_allclose(found, [first, 1 - first], atol=1e-5)


def test_bounds_bind_and_what_they_leave_stays_in_cash():
    returns = with_moments([5e-4, 3e-4, 1e-4], np.diag([1e-4, 4e-4, 9e-4]))
    found = mean_variance_weights(returns, upper=[0.5, 1.0, 1.0], shrink=False)
    # The rest is split by inverse variance between the other two.
    np.testing.assert_allclose(found, [0.5, 0.5 * 9 / 13, 0.5 * 4 / 13], atol=1e-5)
    np.testing.assert_array_equal(mean_variance_weights(returns, upper=0.3), np.full(3, 0.3))


def test_the_edges():
    assert mean_variance_weights(np.empty((5, 0))).shape == (0,)
    one = np.random.default_rng(0).normal(0, 0.01, (30, 1))
    assert mean_variance_weights(one) == [1.0]
    assert mean_variance_weights(one, upper=0.4) == [0.4]
    loses = with_moments([-1e-4, -2e-4], np.diag([1e-4, 1e-4]))
    np.testing.assert_array_equal(mean_variance_weights(loses, objective="max_sharpe"), [0, 0])
    with pytest.raises(RiskError, match="name 1 has no variance"):
        mean_variance_weights(np.column_stack([loses[:, 0], np.full(len(loses), 0.01)]))
    for bad in ([[0.1, np.nan], [0.1, 0.2]], [[0.1, np.inf], [0.1, 0.2]], [[0.1, 0.2]], [0.1]):
        with pytest.raises(RiskError, match="expected finite returns"):
            mean_variance_weights(bad)
    with pytest.raises(RiskError, match="largest weights"):
        mean_variance_weights(loses, upper=0.0)


def test_what_the_solver_cannot_solve_is_an_error():
    far_apart = np.random.default_rng(0).normal(1e-4, 0.01, (60, 3)) * [1.0, 1e9, 1e-3]
    with pytest.raises(RiskError, match="no mean-variance portfolio was found"):
        mean_variance_weights(far_apart, shrink=False)


def test_a_singular_covariance_is_shrunk():
    few = np.random.default_rng(1).normal(0, 0.01, (10, 30))
    found = mean_variance_weights(np.hstack([few, few[:, :1]]))
    assert found.sum() == pytest.approx(1.0)
    assert found[0] == pytest.approx(found[-1], abs=1e-4), "the same name twice"


def test_the_sizer_caps_by_strength_and_turns_the_sign_of_a_short():
    data = random_market(60, 3, seed=8)
    sizer = build_sizer("mean_variance", {"window": 40, "max_weight": 0.4, "gross_exposure": 2.0})
    found = sized(sizer, data, (50, 0, 1, 0.5), (50, 1, 1, 1.0), (50, 2, -1, 1.0))
    # 0.2 + 0.4 + 0.4 are all that may be held: the bounds are the answer, whatever the moments.
    np.testing.assert_allclose(found.weights, [0.4, 0.8, -0.8], rtol=1e-12)


def test_the_sizer_sees_the_window_only():
    data = random_market(60, 3, seed=8)
    sizer = build_sizer("mean_variance", {"window": 40, "max_weight": 0.9})
    events = [(50, 0, 1, 1.0), (50, 1, 1, 1.0), (50, 2, 1, 1.0)]
    expected = mean_variance_weights(data.close[11:51] / data.close[10:50] - 1.0, upper=0.9)
    found = sized(sizer, data, *events)
    np.testing.assert_allclose(found.weights, expected, atol=1e-9)
    changed = np.array(data.close)
    changed[:10] *= 3.0
    np.testing.assert_array_equal(sized(sizer, market(changed), *events).weights, found.weights)
