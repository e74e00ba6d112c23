from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest import metrics
from trading.backtest.metrics import summarize
from trading.errors import DataError

RETURNS = st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=60)


def reference(returns: list[float]) -> dict[str, float | None]:
    """The textbook formulae, one number at a time."""
    n = len(returns)
    wealth, peak, drawdown = 1.0, 1.0, 0.0
    for value in returns:
        wealth *= 1.0 + value
        peak = max(peak, wealth)
        drawdown = max(drawdown, 1.0 - wealth / peak)
    growth = wealth ** (252 / n) - 1.0
    gains = sum(value for value in returns if value > 0)
    losses = -sum(value for value in returns if value < 0)
    downside = (sum(value**2 for value in returns if value < 0) / n) ** 0.5
    nonzero = [value for value in returns if value != 0]
    varied = len(set(returns)) > 1
    sd = stdev(returns) if varied else 0.0
    single = mean(returns) / sd if sd else None
    return {
        "total_return": wealth - 1.0,
        "cagr": growth,
        "volatility": sd * 252**0.5,
        "sharpe": single * 252**0.5 if single is not None else None,
        "sharpe_error": ((1 + single**2 / 2) / n * 252) ** 0.5 if single is not None else None,
        "sortino": mean(returns) / downside * 252**0.5 if downside else None,
        "max_drawdown": drawdown,
        "calmar": growth / drawdown if drawdown else None,
        "win_rate": sum(value > 0 for value in nonzero) / len(nonzero) if nonzero else None,
        "profit_factor": gains / losses if losses else None,
    }


@given(st.lists(st.integers(-300, 300), min_size=2, max_size=60))
def test_every_figure_agrees_with_its_textbook_formula(thousandths):
    returns = [value / 1000 for value in thousandths]
    found = summarize(returns).to_dict()
    for name, expected in reference(returns).items():
        assert found[name] == (
            None if expected is None else pytest.approx(expected, rel=1e-7, abs=1e-9)
        ), name


def test_figures_agree_with_pandas_on_a_long_series():
    returns = np.random.default_rng(3).normal(4e-4, 0.01, 1000)
    series = pd.Series(returns)
    wealth = (1 + series).cumprod()
    found = summarize(returns)
    assert found.total_return == pytest.approx(wealth.iloc[-1] - 1)
    assert found.volatility == pytest.approx(series.std() * np.sqrt(252))
    assert found.sharpe == pytest.approx(series.mean() / series.std() * np.sqrt(252))
    peaks = np.maximum(wealth.cummax(), 1.0)
    assert found.max_drawdown == pytest.approx((1 - wealth / peaks).max())


def test_the_standard_error_of_the_sharpe_ratio_matches_its_spread_over_samples():
    rng = np.random.default_rng(11)
    samples = rng.normal(0.001, 0.01, size=(4000, 252))
    assert metrics.sharpe(samples).std() == pytest.approx(
        metrics.sharpe_error(samples).mean(), rel=0.05
    )


def test_a_loss_on_the_first_day_is_a_drawdown():
    assert summarize([-0.5, 0.1]).max_drawdown == pytest.approx(0.5)


def test_losing_everything():
    found = summarize([0.1, -1.0, 0.0])
    assert (found.total_return, found.cagr, found.max_drawdown) == (-1.0, -1.0, 1.0)


def test_no_returns_are_no_data():
    found = summarize([]).to_dict()
    assert found.pop("observations") == 0
    assert found.pop("missing") == 0
    assert set(found.values()) == {None}


def test_one_return_has_a_total_but_no_variation():
    found = summarize([0.02])
    assert found.total_return == pytest.approx(0.02)
    assert (found.volatility, found.sharpe, found.sortino, found.calmar) == (None,) * 4


def test_a_constant_series_has_no_sharpe_ratio():
    found = summarize([0.1] * 7)
    assert (found.volatility, found.sharpe, found.profit_factor) == (0.0, None, None)


def test_missing_returns_are_left_out_and_counted():
    found = summarize([0.01, np.nan, -0.02, np.nan])
    assert (found.observations, found.missing) == (2, 2)
    assert found.total_return == summarize([0.01, -0.02]).total_return


@pytest.mark.parametrize("bad", [np.inf, -np.inf, -1.5])
def test_impossible_returns_are_refused(bad):
    with pytest.raises(DataError, match="below -100 %"):
        summarize([0.01, bad])


def test_a_table_of_returns_is_not_one_series():
    with pytest.raises(DataError, match="one series"):
        summarize(np.zeros((2, 3)))
    with pytest.raises(DataError, match="single number"):
        metrics.sharpe(0.5)


@given(st.lists(RETURNS.map(lambda r: (r + r)[:2]), min_size=1, max_size=5))
def test_a_batch_gives_the_figures_of_each_series(batch):
    table = np.array(batch)
    for figure in (metrics.sharpe, metrics.max_drawdown, metrics.total_return, metrics.sortino):
        one_by_one = [float(figure(row)) for row in table]
        np.testing.assert_allclose(figure(table), one_by_one, rtol=1e-12)


def test_wilson_interval_agrees_with_the_published_example():
    # Newcombe (1998), table I, method 3: 81 of 263.
    low, high = metrics.wilson_interval(81, 263)
    assert low == pytest.approx(0.2553, abs=5e-5)
    assert high == pytest.approx(0.3662, abs=5e-5)
    assert metrics.wilson_interval(0, 0) == (None, None)
    assert metrics.wilson_interval(0, 10)[0] == 0.0
    assert metrics.wilson_interval(10, 10)[1] == 1.0
    with pytest.raises(DataError, match="3 of 2"):
        metrics.wilson_interval(3, 2)


def test_annual_turnover():
    assert metrics.annual_turnover([0.2, 0.4]) == pytest.approx(3.6)
    assert np.isnan(metrics.annual_turnover([]))
