"""The market context: what it says, that it is causal, and that one bad print does not move it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features.random_panels import random_panel, with_rows
from trading.errors import DataError
from trading.features.context import market_context, market_returns
from trading.features.specification import CONTEXT, CONTEXT_SPECIFICATION

ROWS = np.array([300, 319])


def unscaled(context: np.ndarray, name: str) -> np.ndarray:
    i = CONTEXT.index(name)
    spec = CONTEXT_SPECIFICATION[i]
    return context[:, i].astype(np.float64) * spec.scale + spec.centre


def test_the_context_equals_its_formulas() -> None:
    panel = random_panel(320, 30, seed=8, missing=0.0, dirty=False)
    context = market_context(panel, ROWS)
    p = pd.DataFrame(panel.adjusted_close)
    market = p.pct_change().mean(axis=1)
    wealth = (1 + market.fillna(0)).cumprod()
    month = p / p.shift(21) - 1
    value = (panel.close * panel.volume).sum(axis=1)
    expected = {
        "market_return_1": market,
        "market_return_21": wealth / wealth.shift(21) - 1,
        "market_return_63": wealth / wealth.shift(63) - 1,
        "market_volatility_21": market.rolling(21).std() * np.sqrt(252),
        "market_drawdown_252": wealth / wealth.rolling(252).max() - 1,
        "breadth_21": (month > 0).mean(axis=1),
        "dispersion_21": month.quantile(0.75, axis=1) - month.quantile(0.25, axis=1),
        "market_volume_21": np.log(
            pd.Series(value).rolling(21).mean() / pd.Series(value).rolling(252).mean()
        ),
    }
    assert tuple(expected) == CONTEXT
    for name, series in expected.items():
        np.testing.assert_allclose(
            unscaled(context, name), series.to_numpy()[ROWS], rtol=1e-5, atol=1e-7, err_msg=name
        )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), row=st.integers(0, 318))
def test_the_context_sees_no_later_bar(seed: int, row: int) -> None:
    panel = random_panel(320, 9, seed)
    rows = np.array([max(row - 30, 0), row])
    expected = market_context(panel.rows(slice(0, row + 1)), rows)
    for later in (panel, with_rows(panel, slice(row + 1, None), 5.0)):
        assert market_context(later, rows).tobytes() == expected.tobytes()


def test_the_context_is_finite_even_where_nothing_is_known() -> None:
    panel = random_panel(320, 5, seed=1).select(["ABSENT", "ELSEWHERE"])
    assert (market_context(panel, np.array([0, 319])) == 0.0).all()
    early = market_context(random_panel(320, 5, seed=1), np.array([0, 5]))
    assert np.isfinite(early).all()


def test_a_bad_print_moves_the_market_by_its_cap_and_no_more() -> None:
    panel = random_panel(50, 100, seed=2, missing=0.0, dirty=False)
    before = market_returns(panel)[30]
    panel.adjusted_close[30:, 7] *= 400.0
    assert abs(market_returns(panel)[30] - before) <= 0.5 / 100 + 0.1 / 100


def test_names_that_did_not_trade_are_no_market() -> None:
    panel = random_panel(50, 3, seed=2, missing=0.0, dirty=False)
    panel.volume[30, 1:] = 0.0
    assert market_returns(panel)[30] == pytest.approx(panel.returns()[30, 0])


def test_a_row_outside_the_panel_is_refused() -> None:
    with pytest.raises(DataError, match="a panel of 50 sessions"):
        market_context(random_panel(50, 3), np.array([50]))
