import numpy as np
import pytest
from strategy_markets import market_of, table_of

from trading.errors import SignalError
from trading.strategy.base import PanelStrategy
from trading.strategy.crossing import UNKNOWN, crossing_signals, exposure_signals

U = UNKNOWN


class Long(PanelStrategy):
    """Its name is all that the tests need."""

    name = "long"
    lookback = 1

    def signal_panel(self, market_data):
        raise NotImplementedError


class Both(Long):
    """Goes short too."""

    name = "both"
    long_only = False


def signals_of(strategy, column, kind=np.int8):
    exposure = np.array(column, kind)[:, None]
    make = crossing_signals if kind is np.int8 else exposure_signals
    made = make(strategy.build(), market_of(np.ones(exposure.shape)), exposure)
    return [(row, action, strength) for row, _, action, strength in table_of(made)]


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [
        ([U, 0, 0, 1, 1, 0], [(1, "SELL", 1.0), (3, "BUY", 1.0), (5, "SELL", 1.0)]),
        ([U, 1, 1, 1], [(1, "BUY", 1.0)]),
        ([1, 1, 0], [(0, "BUY", 1.0), (2, "SELL", 1.0)]),
        ([0, 1, U, U, 0, 0], [(0, "SELL", 1.0), (1, "BUY", 1.0), (4, "SELL", 1.0)]),
        ([U, 1, U, 1, U], [(1, "BUY", 1.0), (3, "BUY", 1.0)]),
        ([U, U, U], []),
        ([], []),
    ],
)
def test_a_signal_wherever_a_known_exposure_is_another_than_before(exposure, expected):
    assert signals_of(Long, exposure) == expected


def test_a_strategy_that_goes_short_says_flat_by_strength():
    assert signals_of(Both, [U, 0, -1, 1, 0]) == [
        (1, "SELL", 0.0),
        (2, "SELL", 1.0),
        (3, "BUY", 1.0),
        (4, "SELL", 0.0),
    ]


def test_an_exposure_of_any_size_starts_from_flat():
    assert signals_of(Both, [0.0, 0.5, 0.5, -0.25, 0.0], float) == [
        (1, "BUY", 0.5),
        (3, "SELL", 0.25),
        (4, "SELL", 0.0),
    ]
    assert signals_of(Both, [-1.0], float) == [(0, "SELL", 1.0)]


def test_signals_are_sorted_by_bar_then_symbol():
    exposure = np.array([[U, U, U], [1, 0, 1], [0, 1, 1]], np.int8)

    made = crossing_signals(Long.build(), market_of(np.ones((3, 3))), exposure)

    assert list(zip(made.rows.tolist(), made.columns.tolist(), strict=True)) == [
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
        (2, 1),
    ]


def test_exposures_that_make_no_sense_are_refused():
    data = market_of(np.ones((3, 2)))
    with pytest.raises(SignalError, match=r"int8 of shape \(3, 2\)"):
        crossing_signals(Long.build(), data, np.zeros((2, 2), np.int8))
    with pytest.raises(SignalError, match="got float64"):
        crossing_signals(Long.build(), data, np.zeros((3, 2)))  # type: ignore[arg-type]
    with pytest.raises(SignalError, match="long only"):
        crossing_signals(Long.build(), data, np.full((3, 2), -1, np.int8))
    with pytest.raises(SignalError, match="has shape"):
        exposure_signals(Both.build(), data, np.zeros((3, 1)))
    with pytest.raises(SignalError, match="strengths must lie"):
        exposure_signals(Both.build(), data, np.full((3, 2), np.nan))
    with pytest.raises(SignalError, match="strengths must lie"):
        exposure_signals(Both.build(), data, np.full((3, 2), 1.5))
