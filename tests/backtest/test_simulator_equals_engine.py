"""The month's simulator of weights and the event engine of orders come to the same returns.

The simulator fills at the close after the decision, at weights of the net asset value at that very
close. That is the engine's `same_close` with the target given on the fill row; the engine's
`next_close` fixes the shares a row earlier, so that weights have moved by a day's returns when it
fills. Two more things are the simulator's own: what is left after costs is held in the target's
proportions (the engine is given the target less the costs here), and a name without a return can
still be sold.
"""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import cost_inputs, replay
from trading.backtest.simulator import FILL_DELAY, Simulation, simulate
from trading.execution.settings import CommissionSettings, ExecutionSettings, SlippageSettings
from trading.execution.slippage import CostModel
from trading.market.market_data import MarketData
from trading.risk.settings import RiskSettings

CAPITAL = 1_000_000.0
ROUNDING = 1e-8


def market(returns: np.ndarray) -> BarFeed:
    """Bars whose closes have these returns, wide enough for every slippage; NaN where none."""
    grown = np.where(np.isnan(returns), 0.0, returns)
    close = 100.0 * np.cumprod(1.0 + grown, axis=0)
    close[np.isnan(returns)] = np.nan
    sessions = np.busday_offset("2020-01-06", np.arange(len(returns))).astype("datetime64[D]")
    symbols = tuple(f"S{number}" for number in range(returns.shape[1]))
    volume = np.full(close.shape, 5e5)
    data = MarketData(
        sessions.astype("datetime64[s]"),
        sessions,
        symbols,
        close,
        close * 1.2,
        close * 0.8,
        close,
        volume,
        close,
    )
    return BarFeed(data)


def engine_equity(
    feed: BarFeed, rows: np.ndarray, targets: np.ndarray, costs: CostModel, fill: str
) -> np.ndarray:
    """What the engine makes of target weights `(D, N)` given on `rows`, as growth of 1."""
    impact = costs.impact_coefficient > 0.0
    execution = ExecutionSettings(
        initial_cash=Decimal(str(CAPITAL)),
        fractional=True,
        fill=fill,
        max_volume_share=None,
        max_stale_sessions=10_000,
        slippage=SlippageSettings(
            model="square_root" if impact else "fixed",
            bps=costs.slippage_bps,
            coefficient=costs.impact_coefficient,
        ),
        commission=CommissionSettings(model="bps", rate=costs.commission_bps),
    )
    names = targets.shape[1]
    instructions = Instructions.targets(
        np.repeat(rows, names), np.tile(np.arange(names), len(rows)), targets.ravel()
    )
    result = replay(feed, instructions, execution, RiskSettings(max_leverage=None))
    reasons = set(result.orders["reason"]) - {""}
    assert reasons <= {"no_bar"}
    return result.equity / CAPITAL


def weights_over(
    returns: np.ndarray, decisions: np.ndarray, targets: np.ndarray, costs: CostModel, feed: BarFeed
) -> tuple[Simulation, np.ndarray]:
    """The simulator on the engine's own volumes and volatilities, and its net asset value."""
    sigma, volume = cost_inputs(feed)
    fills = decisions + FILL_DELAY
    found = simulate(returns, decisions, targets, costs, volume[fills], sigma[fills])
    return found, np.cumprod(1.0 + found.net_returns)


def case(seed: int, names: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0005, 0.02, (rows, names))
    count = int(rng.integers(1, 5))
    decisions = np.sort(rng.choice(np.arange(rows - 3), count, replace=False))
    raw = rng.dirichlet(np.ones(names), count)
    targets = 0.95 * np.where(rng.random((count, names)) < 0.3, 0.0, raw)
    return returns, decisions, targets


def away_from_fills(found: Simulation, decisions: np.ndarray) -> np.ndarray:
    """Rows on which both have booked the same costs: the simulator books a fill's a row later."""
    fills = set((decisions + FILL_DELAY).tolist())
    return np.array([row not in fills for row in found.session_rows])


@given(st.integers(0, 10_000), st.integers(1, 6))
@hypothesis_settings(max_examples=25, deadline=None)
def test_without_costs_they_agree_to_the_rounding_of_shares(seed, names):
    returns, decisions, targets = case(seed, names)
    free = CostModel(0.0, 0.0, 0.0, CAPITAL)
    feed = market(returns)
    found, value = weights_over(returns, decisions, targets, free, feed)
    equity = engine_equity(feed, decisions + FILL_DELAY, targets, free, "same_close")
    np.testing.assert_allclose(equity[found.session_rows], value, rtol=ROUNDING)


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.0, 0.1]))
@hypothesis_settings(max_examples=25, deadline=None)
def test_with_costs_they_differ_by_no_more_than_the_square_of_the_costs(seed, names, impact):
    returns, decisions, targets = case(seed, names)
    costs = CostModel(10.0, 10.0, impact, CAPITAL)
    feed = market(returns)
    found, value = weights_over(returns, decisions, targets, costs, feed)
    scaled = targets * (1.0 - found.costs[:, None])
    equity = engine_equity(feed, decisions + FILL_DELAY, scaled, costs, "same_close")
    same = away_from_fills(found, decisions)
    apart = np.abs(equity[found.session_rows][same] / value[same] - 1.0)
    neglected = float((found.costs**2).sum())
    assert apart.max(initial=0.0) <= 3.0 * neglected + ROUNDING
    # The bound says something: it lies far below the costs themselves.
    if impact == 0.0 and found.costs.sum() > 1e-3:
        assert 3.0 * neglected < 0.05 * float(found.costs.sum())


def test_a_purchase_without_a_bar_stays_in_cash_in_both():
    returns = np.random.default_rng(4).normal(0.0, 0.02, (30, 3))
    returns[:13, 2] = np.nan
    decisions, targets = np.array([5, 20]), np.array([[0.4, 0.3, 0.2], [0.2, 0.3, 0.4]])
    free = CostModel(0.0, 0.0, 0.0, CAPITAL)
    feed = market(returns)
    simulated = returns.copy()
    simulated[13, 2] = np.nan
    found, value = weights_over(simulated, decisions, targets, free, feed)
    equity = engine_equity(feed, decisions + FILL_DELAY, targets, free, "same_close")
    assert found.names.tolist() == [2, 3]
    np.testing.assert_allclose(equity[found.session_rows], value, rtol=ROUNDING)


def test_next_close_fixes_the_shares_a_row_earlier():
    returns = np.full((12, 1), 0.0)
    returns[4] = 0.10
    returns[5] = 0.10
    free = CostModel(0.0, 0.0, 0.0, CAPITAL)
    decisions, targets = np.array([3]), np.array([[0.5]])
    feed = market(returns)
    found, value = weights_over(returns, decisions, targets, free, feed)
    equity = engine_equity(feed, decisions, targets, free, "next_close")
    # Half of the capital at the close of row 3 is worth 0.55 when it fills, and earns 10 %.
    assert equity[-1] == pytest.approx(1.055)
    assert value[-1] == pytest.approx(1.05)
    assert found.fill == "next_close"
