import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest import metrics
from trading.backtest.drawdowns import (
    Drawdown,
    average_drawdown,
    drawdowns,
    longest_drawdown,
    recovery_factor,
    ulcer_index,
)
from trading.errors import DataError

RETURNS = st.lists(st.integers(-500, 500).map(lambda v: v / 1000), max_size=40)


def test_known_drawdowns():
    found = drawdowns([0.1, -0.5, 1.0, 0.1, -0.1, 0.05])
    assert found[0] == Drawdown(1, 1, 2, pytest.approx(0.5), 1)
    assert found[1] == Drawdown(4, 4, None, pytest.approx(0.1), 2)
    assert average_drawdown([0.1, -0.5, 1.0, 0.1, -0.1, 0.05]) == pytest.approx(0.3)
    assert longest_drawdown([0.1, -0.5, 1.0, 0.1, -0.1, 0.05]) == 2


def test_a_series_that_starts_by_falling_is_below_its_start():
    assert drawdowns([-0.2, 0.1]) == (Drawdown(0, 0, None, pytest.approx(0.2), 2),)


@given(RETURNS)
def test_drawdowns_part_the_periods_below_a_peak(returns):
    found = drawdowns(returns)
    depth = metrics.drawdown_series(returns)
    assert sum(one.length for one in found) == int((depth > 0).sum())
    assert max((one.depth for one in found), default=0.0) == pytest.approx(
        float(metrics.max_drawdown(returns)) if returns else 0.0
    )
    for one in found:
        assert one.start <= one.trough < one.start + one.length
        assert (one.end is None) == (one.start + one.length == len(returns))


def test_without_a_loss_there_is_no_drawdown_and_no_recovery():
    assert drawdowns([0.1, 0.0, 0.2]) == ()
    assert (average_drawdown([0.1]), longest_drawdown([0.1])) == (0.0, 0.0)
    assert np.isnan(float(recovery_factor([0.1])))
    assert float(ulcer_index([0.1, 0.2])) == 0.0


def test_no_returns_are_no_data():
    assert drawdowns([]) == ()
    for figure in (average_drawdown, longest_drawdown, recovery_factor, ulcer_index):
        assert np.isnan(float(figure([])))


def test_the_ulcer_index_is_the_root_mean_square():
    assert float(ulcer_index([-0.1, 0.0])) == pytest.approx(0.1)
    assert float(ulcer_index([-0.1, 1.0])) == pytest.approx(0.1 / 2**0.5)


@pytest.mark.parametrize(
    ("returns", "match"),
    [([0.1, np.nan], "NaN"), ([np.inf], "infinite"), ([-1.1], "-100 %"), ([[0.1]], "one series")],
)
def test_impossible_returns_are_refused(returns, match):
    with pytest.raises(DataError, match=match):
        drawdowns(returns)
