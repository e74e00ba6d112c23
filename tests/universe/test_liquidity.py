"""Medians and staleness as known at a row."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from trading.market.bars import FIELDS
from trading.market.calendar import sessions_between
from trading.market.panel import Panel
from trading.universe.liquidity import (
    NEVER,
    descending,
    last_bar_rows,
    median_dollar_volume,
    median_known,
    sessions_since_bar,
)

NUMBERS = st.floats(0, 1e9) | st.just(np.nan)


def panel(close: np.ndarray, volume: np.ndarray) -> Panel:
    days = sessions_between(date(2024, 1, 2), date(2024, 12, 31))[: len(close)]
    fields = dict.fromkeys(FIELDS, close) | {"volume": volume}
    return Panel(days, tuple(f"N{i}" for i in range(close.shape[1])), **fields)


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=NUMBERS))
def test_the_median_of_the_known_is_numpys(values: np.ndarray) -> None:
    expected = [np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else np.nan for c in values.T]
    np.testing.assert_allclose(median_known(values), expected)


def test_a_median_needs_half_its_window() -> None:
    close = np.ones((6, 3))
    close[:3, 1] = np.nan
    close[:4, 2] = np.nan
    volume = np.arange(18.0).reshape(6, 3)
    found = median_dollar_volume(panel(close, volume), 5, window=6)
    assert found[:2].tolist() == [7.5, 13.0]
    assert np.isnan(found[2])


@given(arrays(np.bool_, (12, 4)), st.integers(0, 11))
def test_staleness_counts_sessions_since_the_last_bar(known: np.ndarray, row: int) -> None:
    bars = panel(np.where(known, 1.0, np.nan), np.ones((12, 4)))
    for column in range(4):
        rows = np.flatnonzero(known[: row + 1, column])
        expected = row - rows[-1] if len(rows) else NEVER
        assert sessions_since_bar(bars, row)[column] == expected
        assert last_bar_rows(bars)[row, column] == (rows[-1] if len(rows) else -1)


def test_the_largest_come_first_ties_by_symbol_the_unknown_last() -> None:
    order = descending(np.array([1.0, np.nan, 3.0, 3.0]), np.array(["a", "b", "d", "c"]))
    assert order.tolist() == [3, 2, 0, 1]


def test_a_window_longer_than_the_panel_is_the_panel() -> None:
    bars = panel(np.ones((3, 1)), np.array([[1.0], [5.0], [3.0]]))
    assert median_dollar_volume(bars, 2, window=63)[0] == pytest.approx(3.0)
