"""The compiled holding period equals the simulator's; leverage and short selling in both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.exposure import LONG_ONLY, Exposure, require_weights
from trading.backtest.holding import Holding, hold
from trading.backtest.holding_kernel import hold_prepared, prepare_month
from trading.errors import DataError
from trading.execution.slippage import CostModel

COSTS = CostModel(1.0, 5.0, 0.1, 1e7)
FREE = CostModel(0.0, 0.0, 0.0, 1e7)
LEVERED = Exposure(gross=2.0, short=0.6, borrow_rate=0.03, margin_rate=0.06)


def compiled_hold(returns, target, start, costs, volume, sigma, nav, fillable, exposure) -> Holding:
    month = prepare_month(returns, fillable, costs, volume, sigma, exposure)
    net, end = np.empty(len(returns)), np.empty(len(target))
    turnover, paid = hold_prepared(month, target, start, nav, net, end)
    return Holding(net, net, end, target, np.asarray(turnover), np.asarray(paid))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.integers(1, 60),
    rows=st.integers(1, 25),
    levered=st.booleans(),
)
def test_it_equals_the_simulator(seed: int, size: int, rows: int, levered: bool) -> None:
    random = np.random.default_rng(seed)
    exposure = LEVERED if levered else LONG_ONLY
    returns = random.normal(0.0, 0.05, (rows, size))
    returns[random.random((rows, size)) < 0.1] = np.nan
    returns[random.random((rows, size)) < 0.01] = -1.0
    volume = np.exp(random.normal(12.0, 4.0, size))
    volume[random.random(size) < 0.1] = np.nan
    sigma = np.where(random.random(size) < 0.1, np.nan, random.uniform(0.0, 0.1, size))
    fillable = random.random(size) < 0.8
    sides = random.choice([-1.0, 1.0], (2, size), p=[0.2, 0.8]) if levered else 1.0
    target, start = random.dirichlet(np.ones(size), 2) * random.uniform(0.1, 1.0, (2, 1)) * sides
    target *= min(1.0, 0.6 / max(np.maximum(-target, 0).sum(), 1e-9))
    arguments = (returns, target, start, COSTS, volume, sigma)
    expected = hold(*arguments, nav_usd=3e7, fillable=fillable, exposure=exposure)
    found = compiled_hold(*arguments, 3e7, fillable, exposure)
    np.testing.assert_allclose(found.turnover, expected.turnover, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.costs, expected.costs, rtol=1e-11, atol=1e-13)
    # What a name gains is rounded to single precision: 6e-8 of its size.
    np.testing.assert_allclose(found.net_returns, expected.net_returns, rtol=1e-6, atol=5e-7)
    np.testing.assert_allclose(found.end_weights, expected.end_weights, rtol=1e-6, atol=5e-7)


def test_a_short_position_earns_what_the_name_loses_less_the_fee() -> None:
    exposure = Exposure(gross=2.0, short=1.0, borrow_rate=0.252)
    held = hold([[-0.1]], [-0.5], [0.0], FREE, [1e9], [0.01], exposure=exposure)
    assert held.net_returns[0] == pytest.approx(0.05 - 0.5 * 0.252 / 252)
    assert held.end_weights[0] == pytest.approx(-0.45 / 1.05)


def test_borrowed_money_costs_interest() -> None:
    exposure = Exposure(gross=2.0, margin_rate=0.252)
    held = hold([[0.1], [0.0]], [1.5], [0.0], FREE, [1e9], [0.01], exposure=exposure)
    np.testing.assert_allclose(held.net_returns, [0.15 - 0.0005, -0.0005])


def test_a_portfolio_that_owes_more_than_it_has_is_closed_at_nothing() -> None:
    exposure = Exposure(gross=3.0, short=1.0)
    arguments = ([[-0.5], [2.0]], np.array([3.0]), np.array([0.0]), FREE, [1e9], [0.01])
    held = hold(*arguments, exposure=exposure)
    assert held.net_returns.tolist() == [-1.0, 0.0]
    assert held.end_weights.tolist() == [0.0]
    found = compiled_hold(*arguments, 1e7, np.ones(1, bool), exposure)
    assert found.net_returns.tolist() == [-1.0, 0.0]
    assert found.end_weights.tolist() == [0.0]


def test_weights_beyond_the_exposure_are_refused() -> None:
    with pytest.raises(DataError, match="long only"):
        require_weights([-0.1], "weights")
    with pytest.raises(DataError, match=r"gross exposure of 2\.1"):
        require_weights([1.5, -0.6], "weights", LEVERED)
    with pytest.raises(DataError, match=r"sell 0\.7.* short; at most 0\.6"):
        require_weights([0.5, -0.7], "weights", LEVERED)
    with pytest.raises(DataError, match="finite"):
        require_weights([np.nan], "weights", LEVERED)
