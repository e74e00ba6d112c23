"""Value at risk and expected shortfall against published examples and closed forms."""

from math import exp, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading.errors import RiskError
from trading.risk import measures

MEASURES = (
    measures.value_at_risk,
    measures.expected_shortfall,
    measures.cornish_fisher_value_at_risk,
    measures.cornish_fisher_expected_shortfall,
)
SERIES = arrays(np.float64, st.integers(20, 80), elements=st.floats(-0.3, 0.3))


def test_value_at_risk_is_a_loss_and_needs_enough_returns():
    losses = -np.arange(1, 101) / 1000
    assert measures.value_at_risk(losses) == pytest.approx(0.09505)
    assert measures.value_at_risk(np.full(30, 0.01)) == 0.0
    assert np.isnan(measures.value_at_risk(losses[:19]))


def test_expected_shortfall_is_the_mean_of_the_worst_share():
    losses = -np.arange(1, 101) / 1000
    assert measures.expected_shortfall(losses) == pytest.approx(
        np.mean([100, 99, 98, 97, 96]) / 1e3
    )
    # Half of the sixth worst of 110 belongs to the worst 5 %.
    longer = -np.arange(1, 111) / 1000
    expected = (110 + 109 + 108 + 107 + 106 + 105 / 2) / 5.5 / 1e3
    assert measures.expected_shortfall(longer) == pytest.approx(expected)
    assert np.isnan(measures.expected_shortfall(losses[:19]))
    assert measures.expected_shortfall(np.full(30, 0.01)) == 0.0


def test_expected_shortfall_solves_the_programme_of_rockafellar_and_uryasev():
    """Optimization of conditional value-at-risk (2000): min a + E[(loss - a)+] / (1 - c)."""
    losses = np.random.default_rng(3).standard_t(4, 333)
    for level in (0.9, 0.95, 0.975):
        programme = min(a + np.maximum(losses - a, 0).mean() / (1 - level) for a in losses)
        assert measures.expected_shortfall(-losses, level) == pytest.approx(programme, rel=1e-12)


@pytest.mark.parametrize(
    ("deviation", "published"),
    [
        (200_000.0, 465_300.0),  # $10 million of Microsoft at 2 % a day
        (50_000.0, 116_300.0),  # $5 million of AT&T at 1 % a day
        (220_227.0, 512_300.0),  # both, correlated 0.3
    ],
)
def test_normal_value_at_risk_agrees_with_hull(deviation, published):
    """J. Hull, "Options, Futures, and Other Derivatives", value at risk: one day, 99 %."""
    found = measures.normal_value_at_risk(0.0, deviation, 0.99)
    assert found == pytest.approx(published, abs=60)


def test_normal_expected_shortfall_is_the_closed_form():
    """mu + sigma exp(-Y^2 / 2) / (sqrt(2 pi) (1 - X)), Y the quantile of X (Hull)."""
    y = 2.3263478740408408
    expected = 0.02 * exp(-y * y / 2) / (sqrt(2 * pi) * 0.01) - 0.001
    found = measures.normal_expected_shortfall(0.001, 0.02, 0.99)
    assert found == pytest.approx(expected, rel=1e-12)
    assert measures.normal_expected_shortfall(0.0, 0.0) == 0.0
    assert np.isnan(measures.normal_expected_shortfall(np.nan, 0.01))
    with pytest.raises(RiskError, match="negative"):
        measures.normal_value_at_risk(0.0, -0.1)


def test_cornish_fisher_is_normal_without_skewness_and_excess_kurtosis():
    # Five points with the weights of Gauss-Hermite quadrature have the moments of a normal.
    nodes = np.repeat([-sqrt(3.0), 0.0, sqrt(3.0)], [1, 4, 1]) * 0.01
    sigma = nodes.std(ddof=1)
    np.testing.assert_allclose(
        measures.cornish_fisher_value_at_risk(nodes),
        measures.normal_value_at_risk(0.0, sigma),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        measures.cornish_fisher_expected_shortfall(nodes),
        measures.normal_expected_shortfall(0.0, sigma),
        rtol=1e-12,
    )


def test_cornish_fisher_is_the_formula_of_favre_and_galeano():
    returns = np.random.default_rng(5).gamma(2.0, 0.01, 5_000) * -1.0
    away = returns - returns.mean()
    s = (away**3).mean() / (away**2).mean() ** 1.5
    k = (away**4).mean() / (away**2).mean() ** 2 - 3
    z = -1.6448536269514722
    w = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    expected = -(returns.mean() + returns.std(ddof=1) * w)
    found = measures.cornish_fisher_value_at_risk(returns)
    assert found == pytest.approx(expected, rel=1e-12)
    # The left tail is fat: the correction comes closer to the truth than the normal does.
    truth = measures.value_at_risk(returns)
    normal = measures.normal_value_at_risk(returns.mean(), returns.std(ddof=1))
    assert abs(found - truth) < abs(normal - truth) / 3


def test_cornish_fisher_shortfall_is_the_mean_of_its_own_quantiles():
    returns = np.random.default_rng(6).standard_t(8, 2_000) * 0.01
    tail = (np.arange(200_000) + 0.5) / 200_000 * 0.05
    quantiles = [measures.cornish_fisher_value_at_risk(returns, 1 - share) for share in tail[::500]]
    found = measures.cornish_fisher_expected_shortfall(returns)
    assert found == pytest.approx(float(np.mean(quantiles)), rel=2e-2)


def test_cornish_fisher_is_not_defined_where_its_quantile_turns_back():
    jump = np.full(200, 0.001)
    jump[0] = -0.5
    assert np.isnan(measures.cornish_fisher_value_at_risk(jump))
    assert np.isnan(measures.cornish_fisher_expected_shortfall(jump))


@pytest.mark.parametrize("measure", MEASURES)
def test_edges(measure):
    assert np.isnan(measure([])), "no returns"
    assert np.isnan(measure([-0.1])), "one return"
    assert np.isnan(measure([0.01] * 30 + [np.nan])), "a NaN among them"
    assert measure(np.full(40, -0.02)) == pytest.approx(0.02), "no variation: the loss itself"
    assert measure(np.zeros(40)) == 0.0
    many = np.random.default_rng(1).normal(0, 0.01, (3, 2, 100))
    assert measure(many).shape == (3, 2)
    np.testing.assert_allclose(measure(many)[1, 1], measure(many[1, 1]), rtol=1e-12)
    with pytest.raises(RiskError, match="infinite"):
        measure([0.1, np.inf])
    with pytest.raises(RiskError, match="level"):
        measure([0.1, 0.2], 1.0)
    with pytest.raises(RiskError, match="single number"):
        measure(0.1)


@given(SERIES, st.sampled_from([0.9, 0.95]))
def test_a_shortfall_is_never_less_than_the_value_at_risk(returns, level):
    assert (
        measures.expected_shortfall(returns, level)
        >= measures.value_at_risk(returns, level) - 1e-12
    )


@given(st.integers(20, 60), st.integers(0, 2**32 - 1))
def test_expected_shortfall_is_coherent(count, seed):
    """Acerbi and Tasche (2002): subadditive, homogeneous, falls with a sure gain."""
    # Losses only, so that the floor at zero does not bind.
    one, two = -np.random.default_rng(seed).pareto(2.0, (2, count))
    shortfall = measures.expected_shortfall
    assert shortfall(one + two, 0.9) <= shortfall(one, 0.9) + shortfall(two, 0.9) + 1e-9
    assert shortfall(3.0 * one, 0.9) == pytest.approx(3.0 * float(shortfall(one, 0.9)))
    assert shortfall(one - 0.5, 0.9) == pytest.approx(float(shortfall(one, 0.9)) + 0.5)
