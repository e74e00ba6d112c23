from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trading.backtest.holding import drift, growth_paths, hold
from trading.backtest.simulator import simulate
from trading.errors import DataError
from trading.execution.slippage import CostModel

COSTS = CostModel(
    commission_bps=1.0, slippage_bps=5.0, impact_coefficient=0.1, capital_usd=1_000_000.0
)
FREE = CostModel(commission_bps=0.0, slippage_bps=0.0, impact_coefficient=0.0, capital_usd=1e6)


def count_shares(returns, decisions, targets, volume, sigma, capital):
    """A broker's ledger in Decimal: shares, cash, one name at a time. Net asset value per row."""
    rows, names = returns.shape
    price = [Decimal(100)] * names
    shares = [Decimal(0)] * names
    cash = Decimal(capital)
    value = []
    for row in range(rows):
        for j in range(names):
            if not np.isnan(returns[row, j]):
                price[j] *= 1 + Decimal(float(returns[row, j]))
        nav = cash + sum(s * p for s, p in zip(shares, price, strict=True))
        value.append(nav)
        if row - 1 not in decisions:
            continue
        i = decisions.index(row - 1)
        wanted, paid = [], Decimal(0)
        for j in range(names):
            weight = shares[j] * price[j] / nav
            goal = Decimal(float(targets[i, j]))
            if np.isnan(returns[row, j]):
                goal = min(goal, weight)
            wanted.append(goal)
            traded = abs(goal - weight) * nav
            ratio = min(traded / Decimal(float(volume[i, j])), Decimal(4))
            rate = Decimal("0.0006") + Decimal("0.1") * Decimal(float(sigma[i, j])) * ratio.sqrt()
            paid += traded * rate
        left = nav - paid
        shares = [goal * left / p for goal, p in zip(wanted, price, strict=True)]
        cash = left - sum(s * p for s, p in zip(shares, price, strict=True))
    return value


@st.composite
def markets(draw):
    names, rows = draw(st.integers(1, 5)), draw(st.integers(6, 18))
    cell = st.one_of(st.integers(-400, 400).map(lambda v: v / 1000), st.just(np.nan))
    returns = draw(hnp.arrays(np.float64, (rows, names), elements=cell))
    picked = draw(st.sets(st.integers(0, rows - 3), min_size=1, max_size=4))
    decisions = sorted(picked)
    parts = st.integers(0, 100)
    raw = draw(hnp.arrays(np.float64, (len(decisions), names), elements=parts))
    cash = draw(hnp.arrays(np.float64, (len(decisions), 1), elements=st.integers(1, 100)))
    targets = raw / (raw.sum(axis=1, keepdims=True) + cash)
    shape = (len(decisions), names)
    volume = draw(hnp.arrays(np.float64, shape, elements=st.integers(10_000, 10_000_000)))
    sigma = draw(hnp.arrays(np.float64, shape, elements=st.integers(1, 50).map(lambda v: v / 1e3)))
    return returns, decisions, targets, volume, sigma


@settings(max_examples=150, deadline=None)
@given(markets())
def test_the_net_asset_value_is_that_of_a_ledger_of_shares(market):
    returns, decisions, targets, volume, sigma = market
    ledger = count_shares(returns, decisions, targets, volume, sigma, 1_000_000)
    found = simulate(returns, decisions, targets, COSTS, volume, sigma)
    nav = 1_000_000.0 * np.cumprod(1.0 + found.net_returns)
    expected = [float(ledger[row]) for row in found.session_rows]
    # The ledger books a cost at the close of the fill; the simulator in the row after it.
    np.testing.assert_allclose(nav, expected, rtol=1e-11)
    assert found.session_rows[0] == decisions[0] + 2
    assert found.session_rows[-1] == len(returns) - 1


@settings(max_examples=60, deadline=None)
@given(markets())
def test_costs_are_all_that_lies_between_gross_and_net(market):
    returns, decisions, targets, volume, sigma = market
    found = simulate(returns, decisions, targets, COSTS, volume, sigma)
    free = simulate(returns, decisions, targets, FREE, volume, sigma)
    np.testing.assert_allclose(found.gross_returns, free.net_returns, rtol=1e-10, atol=1e-12)
    growth = np.prod(1.0 + found.net_returns)
    kept = np.prod(1.0 - found.costs) * np.prod(1.0 + found.gross_returns)
    assert growth == pytest.approx(kept, rel=1e-10)
    assert (found.costs >= 0.0006 * found.turnover).all()


@settings(max_examples=60, deadline=None)
@given(markets(), st.data())
def test_what_comes_after_the_end_row_changes_nothing(market, data):
    returns, decisions, targets, volume, sigma = market
    end = data.draw(st.integers(0, len(returns) - 1))
    altered = returns.copy()
    altered[end + 1 :] = 0.77
    one = simulate(returns, decisions, targets, COSTS, volume, sigma, end_row=end)
    two = simulate(altered, decisions, targets, COSTS, volume, sigma, end_row=end)
    for name in ("session_rows", "net_returns", "turnover", "costs", "end_weights", "filled"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.delisted == two.delisted


def test_a_position_earns_from_the_row_after_its_fill_to_the_fill_after_it():
    returns = np.full((8, 2), 0.0)
    returns[:, 0] = [9, 9, 0.1, 0.1, 0.1, 9, 9, 9]
    returns[:, 1] = [9, 9, 9, 9, 9, 0.2, 0.2, 0.2]
    targets = [[1.0, 0.0], [0.0, 1.0]]
    ones = np.ones((2, 2))
    found = simulate(returns, [0, 3], targets, FREE, ones, ones)
    np.testing.assert_array_equal(found.session_rows, [2, 3, 4, 5, 6, 7])
    np.testing.assert_allclose(found.net_returns, [0.1, 0.1, 0.1, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(found.turnover, [1.0, 1.0])


def test_weights_drift_between_fills():
    found = simulate([[0.0, 0.0]] * 2 + [[1.0, 0.0]], [0], [[0.5, 0.5]], FREE, [[1, 1]], [[1, 1]])
    np.testing.assert_allclose(found.end_weights, [2 / 3, 1 / 3])
    np.testing.assert_allclose(drift([0.5, 0.5], [[1.0, 0.0]]), [2 / 3, 1 / 3])


def test_cash_earns_nothing():
    found = simulate(np.full((5, 1), 0.1), [0], [[0.0]], COSTS, [[1e6]], [[0.02]])
    np.testing.assert_array_equal(found.net_returns, 0.0)
    assert found.costs[0] == 0.0


def test_a_delisted_name_stays_at_its_last_value_leaves_and_is_counted_once():
    returns = np.full((9, 2), 0.01)
    returns[4:, 0] = np.nan
    targets = [[0.5, 0.5], [0.0, 1.0], [0.0, 1.0]]
    ones = np.ones((3, 2))
    found = simulate(returns, [0, 3, 5], targets, FREE, ones, ones)
    assert found.delisted == 1
    first = hold(returns[2:5], [0.5, 0.5], [0.0, 0.0], FREE, [1, 1], [1, 1])
    value = 0.5 * 1.01**2 + 0.5 * 1.01**3
    assert np.prod(1 + first.net_returns) == pytest.approx(value)
    assert found.end_weights[0] == 0.0


def test_a_name_that_does_not_trade_at_the_fill_cannot_be_bought():
    returns = np.full((6, 2), 0.01)
    returns[1, 0] = np.nan
    found = simulate(returns, [0], [[0.5, 0.5]], FREE, [[1, 1]], [[1, 1]])
    assert found.end_weights[0] == 0.0
    assert found.turnover[0] == pytest.approx(0.5)


def test_a_decision_whose_fill_has_not_come_is_not_filled():
    returns = np.full((6, 1), 0.01)
    found = simulate(returns, [1, 5], [[1.0], [0.0]], FREE, [[1], [1]], [[1], [1]])
    np.testing.assert_array_equal(found.filled, [True, False])
    np.testing.assert_array_equal(found.session_rows, [3, 4, 5])
    nothing = simulate(returns, [4], [[1.0]], FREE, [[1]], [[1]])
    assert len(nothing.net_returns) == len(nothing.session_rows) == 0


def test_losing_everything_leaves_nothing_to_earn():
    returns = np.array([[0.0], [0.0], [-1.0], [5.0], [5.0], [5.0]])
    found = simulate(returns, [0, 2], [[1.0], [1.0]], COSTS, [[1e6]] * 2, [[0.02]] * 2)
    assert found.net_returns[0] == -1.0
    assert np.isfinite(found.net_returns).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_batch_of_portfolios_equals_each_alone(seed):
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.02, (21, 30))
    returns[rng.random(returns.shape) < 0.1] = np.nan
    target, start = rng.dirichlet(np.ones(31), (2, 4))[:, :, :30]
    volume, sigma = rng.uniform(1e5, 1e7, 30), rng.uniform(0.01, 0.05, 30)
    nav = rng.uniform(1e6, 1e8, 4)
    batch = hold(returns, target, start, COSTS, volume, sigma, nav_usd=nav)
    for b in range(4):
        alone = hold(returns, target[b], start[b], COSTS, volume, sigma, nav_usd=nav[b])
        np.testing.assert_allclose(batch.net_returns[b], alone.net_returns, atol=1e-14)
        np.testing.assert_allclose(batch.end_weights[b], alone.end_weights, atol=1e-14)
        assert batch.costs[b] == pytest.approx(float(alone.costs), rel=1e-12)
        assert batch.turnover[b] == pytest.approx(float(alone.turnover), rel=1e-12)


@pytest.mark.parametrize(
    ("decisions", "targets", "message"),
    [
        ([0], [[1.2]], "sum to 1.2"),
        ([0], [[-0.1]], "not negative"),
        ([0], [[np.nan]], "finite"),
        ([2, 1], [[0.5], [0.5]], "strictly increasing"),
        ([9], [[0.5]], "strictly increasing rows"),
        ([0], [[0.5, 0.5]], "expected returns"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(decisions, targets, message):
    with pytest.raises(DataError, match=message):
        simulate(np.zeros((5, 1)), decisions, targets, COSTS, 1e6, 0.02)


def test_impossible_returns_are_refused():
    with pytest.raises(DataError, match="below -100 %"):
        growth_paths([[-1.2]])
    with pytest.raises(DataError, match="rows, names"):
        growth_paths([0.1])
    with pytest.raises(DataError, match="end_row"):
        simulate(np.zeros((5, 1)), [0], [[0.5]], COSTS, 1e6, 0.02, end_row=5)


def test_nothing_drifts_without_a_row():
    np.testing.assert_array_equal(drift([0.3, 0.2], np.empty((0, 2))), [0.3, 0.2])


@pytest.mark.parametrize(
    ("target", "start", "returns", "message"),
    [
        ([0.5], [0.0, 0.0], [[0.0]], "differ"),
        ([0.5], [0.0], [[0.0, 0.0]], "returns are of 2 names, weights of 1"),
        ([1.2], [0.0], [[0.0]], "sum to 1.2"),
    ],
)
def test_a_holding_needs_inputs_that_fit(target, start, returns, message):
    with pytest.raises(DataError, match=message):
        hold(returns, target, start, COSTS, 1e6, 0.02)


def test_a_fill_that_costs_everything_is_refused():
    ruinous = CostModel(
        commission_bps=10_000.0, slippage_bps=0.0, impact_coefficient=0.0, capital_usd=1e6
    )
    with pytest.raises(DataError, match="a fill costs 100.0%"):
        hold([[0.0]], [1.0], [0.0], ruinous, [1e6], [0.02])
