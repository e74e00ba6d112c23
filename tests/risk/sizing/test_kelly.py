import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sized_market import market, random_market, sized

from trading.errors import RiskError
from trading.risk.sizing import build_sizer
from trading.risk.sizing.kelly import kelly_bet, kelly_weight


def test_the_examples_of_thorp():
    """E. Thorp (2006): heads with p = .53 at even money; the S&P 500, m = .11, s = .15, r = .06."""
    assert kelly_bet(0.53, 1.0) == pytest.approx(0.06)
    assert kelly_weight(0.11 - 0.06, 0.15) == pytest.approx(2.2222, abs=5e-5)


@given(st.floats(0.05, 0.95), st.floats(0.2, 5.0))
def test_a_kelly_bet_makes_the_logarithm_grow_fastest(p, b):
    """J. L. Kelly (1956): the stake maximises p log(1 + b f) + (1 - p) log(1 - f)."""
    f = float(kelly_bet(p, b))

    def growth(stake):
        return p * np.log1p(b * stake) + (1 - p) * np.log1p(-stake)

    others = np.linspace(0.0, 0.999, 400)
    assert growth(f) >= growth(others).max() - 1e-12


def test_the_edges_of_the_formulas():
    assert kelly_bet(0.4, 1.0) == 0.0
    assert np.isnan(kelly_bet(np.nan, 1.0))
    assert kelly_weight([], []).shape == (0,)
    np.testing.assert_array_equal(
        kelly_weight([0.1, np.nan, 0.1], [0.0, 0.1, np.nan]), [np.nan] * 3
    )
    with pytest.raises(RiskError, match="within 0..1"):
        kelly_bet(1.2, 1.0)
    with pytest.raises(RiskError, match="above 0"):
        kelly_bet(0.5, 0.0)


def coin(up: float, down: float, bars: int = 41) -> np.ndarray:
    """Prices that rise and fall in turn."""
    steps = np.where(np.arange(bars - 1) % 2 == 0, 1 + up, 1 + down)
    return 100.0 * np.cumprod(np.concatenate([[1.0], steps]))[:, None]


def test_the_weight_is_the_fraction_of_mean_over_variance():
    data = market(coin(0.03, -0.02))
    mean, variance = 0.005, 0.025**2 * 20 / 19
    whole = build_sizer("kelly", {"window": 20, "fraction": 1.0, "max_weight": 10.0})
    half = build_sizer("kelly", {"window": 20, "fraction": 0.5, "max_weight": 10.0})
    event = (40, 0, 1, 0.8)
    np.testing.assert_allclose(sized(whole, data, event).weights, [0.8 * mean / variance])
    np.testing.assert_allclose(sized(half, data, event).weights, [0.4 * mean / variance])


def test_it_is_capped_and_never_bets_against_the_edge():
    rises, falls = market(coin(0.03, -0.02)), market(coin(0.02, -0.03))
    sizer = build_sizer("kelly", {"window": 20, "max_weight": 0.25})
    assert sized(sizer, rises, (40, 0, 1, 1.0)).weights == [0.25]
    assert sized(sizer, falls, (40, 0, 1, 1.0)).weights == [0.0]
    assert sized(sizer, rises, (40, 0, -1, 1.0)).weights == [0.0]
    assert sized(sizer, falls, (40, 0, -1, 0.5)).weights == [-0.125]


def test_a_window_half_known_is_enough():
    prices = np.array(random_market(60, 1, seed=3).close)
    prices[31:41, 0] = np.nan
    sizer = build_sizer("kelly", {"window": 20, "fraction": 1.0, "max_weight": 10.0})
    # Returns 42..50 are known after the gap: 9 of 20 are too few, 10 are enough.
    assert sized(sizer, market(prices), (50, 0, 1, 1.0)).weights == [0.0]
    returns = prices[42:52, 0] / prices[41:51, 0] - 1.0
    expected = max(returns.mean() / returns.var(ddof=1), 0.0)
    found = sized(sizer, market(prices), (51, 0, 1, 1.0)).weights
    np.testing.assert_allclose(found, [min(expected, 10.0)], rtol=1e-9)
