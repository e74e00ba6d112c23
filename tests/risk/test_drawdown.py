from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest.metrics import max_drawdown
from trading.errors import RiskError
from trading.risk.drawdown import DrawdownMonitor, DrawdownState

START = datetime(2026, 1, 5, 21, tzinfo=UTC)


def follow(monitor, *equities):
    return [monitor.mark(usd, START + timedelta(days=i)) for i, usd in enumerate(equities)]


def test_it_follows_the_fall_from_the_peak():
    monitor = DrawdownMonitor(0.2)
    assert monitor.state is None
    assert not monitor.breached
    states = follow(monitor, 100.0, 110.0, 99.0, 104.5, 120.0, 90.0)
    assert [round(state.drawdown, 12) for state in states] == [0, 0, 0.1, 0.05, 0, 0.25]
    last = states[-1]
    assert (last.peak, last.marks, last.marks_below) == (120.0, 6, 1)
    assert last.since == START + timedelta(days=4)
    assert monitor.breached


def test_the_limit_itself_is_a_breach_and_a_reset_starts_anew():
    monitor = DrawdownMonitor(0.25)
    follow(monitor, 100.0, 75.0)
    assert monitor.breached
    monitor.reset()
    assert not monitor.breached
    state = monitor.mark(75.0, START + timedelta(days=9))
    assert (state.peak, state.drawdown, state.deepest) == (75.0, 0.0, 0.0)
    assert not DrawdownMonitor(None, state).breached


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=40))
def test_the_deepest_drawdown_is_that_of_the_metrics(returns):
    monitor = DrawdownMonitor()
    states = follow(monitor, 1e6, *(1e6 * np.cumprod(1 + np.array(returns))))
    assert states[-1].deepest == pytest.approx(float(max_drawdown(returns)), abs=1e-12)


def test_it_goes_on_after_a_restart():
    whole, first = DrawdownMonitor(0.1), DrawdownMonitor(0.1)
    follow(whole, 100.0, 120.0, 115.0, 107.0)
    follow(first, 100.0, 120.0, 115.0)
    second = DrawdownMonitor(0.1, DrawdownState.from_json(first.state.to_json()))
    assert second.mark(107.0, START + timedelta(days=3)) == whole.state
    assert second.breached


def test_more_than_everything_may_be_lost():
    assert follow(DrawdownMonitor(), 100.0, -50.0)[-1].drawdown == 1.5


def test_bad_input_is_refused_and_changes_nothing():
    monitor = DrawdownMonitor(0.5)
    with pytest.raises(RiskError, match="first equity above 0"):
        monitor.mark(0.0, START)
    before = monitor.mark(100.0, START)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(RiskError, match="finite"):
            monitor.mark(bad, START)
    with pytest.raises(RiskError, match="time zone"):
        monitor.mark(1.0, datetime(2026, 1, 6))
    with pytest.raises(RiskError, match="keep the order"):
        monitor.mark(1.0, START - timedelta(days=1))
    assert monitor.state == before
    for limit in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(RiskError, match="limit"):
            DrawdownMonitor(limit)
    for stored in ({}, {"since": "now"}, {"since": START.isoformat(), "peak": 1.0}):
        with pytest.raises(RiskError, match="not the state of a drawdown"):
            DrawdownState.from_json(stored)
