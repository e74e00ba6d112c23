"""The figures beside empyrical-reloaded and quantstats; docs/metrics.md lists where they differ."""

import warnings

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats.stats as qs
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest import distribution, drawdowns, metrics, relative

TOLERANCE = {"rel": 1e-9, "abs": 1e-12}
YEAR = 252


def series_of(seed: int, n: int = 750, drift: float = 4e-4, spread: float = 0.01) -> pd.Series:
    """Simulated returns with fat tails."""
    rng = np.random.default_rng(seed)
    returns = drift + spread * rng.standard_t(5, n)
    return pd.Series(np.maximum(returns, -0.9), index=pd.bdate_range("2020-01-01", periods=n))


def quiet(figure, *given, **options):
    """What an oracle answers, without its warnings about figures that are not defined."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return float(figure(*given, **options))
        except ZeroDivisionError:
            return np.nan


EMPYRICAL = {
    "total_return": (metrics.total_return, empyrical.cum_returns_final),
    "cagr": (metrics.cagr, empyrical.annual_return),
    "volatility": (metrics.volatility, empyrical.annual_volatility),
    "sharpe": (metrics.sharpe, empyrical.sharpe_ratio),
    "sortino": (metrics.sortino, empyrical.sortino_ratio),
    "max_drawdown": (metrics.max_drawdown, lambda r: -empyrical.max_drawdown(r)),
    "calmar": (metrics.calmar, empyrical.calmar_ratio),
    "omega": (distribution.omega, empyrical.omega_ratio),
    "tail_ratio": (distribution.tail_ratio, empyrical.tail_ratio),
}
QUANTSTATS = {
    "total_return": (metrics.total_return, qs.comp),
    "cagr": (metrics.cagr, qs.cagr),
    "volatility": (metrics.volatility, qs.volatility),
    "sharpe": (metrics.sharpe, qs.sharpe),
    "sortino": (metrics.sortino, qs.sortino),
    "max_drawdown": (metrics.max_drawdown, lambda r: -qs.max_drawdown(r)),
    "calmar": (metrics.calmar, qs.calmar),
    "win_rate": (metrics.win_rate, qs.win_rate),
    "profit_factor": (metrics.profit_factor, qs.profit_factor),
    "omega": (distribution.omega, qs.omega),
    "tail_ratio": (distribution.tail_ratio, qs.tail_ratio),
    "skewness": (distribution.skewness, qs.skew),
    "excess_kurtosis": (distribution.excess_kurtosis, qs.kurtosis),
    "payoff_ratio": (distribution.payoff_ratio, qs.payoff_ratio),
    "expectancy": (distribution.expectancy, qs.avg_return),
    "average_gain": (distribution.average_gain, qs.avg_win),
    "average_loss": (distribution.average_loss, lambda r: -qs.avg_loss(r)),
    "best": (distribution.best, qs.best),
    "worst": (distribution.worst, qs.worst),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", EMPYRICAL)
def test_a_figure_equals_empyrical(name, seed):
    own, oracle = EMPYRICAL[name]
    returns = series_of(seed)
    assert float(own(returns)) == pytest.approx(quiet(oracle, returns), **TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", QUANTSTATS)
def test_a_figure_equals_quantstats(name, seed):
    own, oracle = QUANTSTATS[name]
    returns = series_of(seed)
    assert float(own(returns)) == pytest.approx(quiet(oracle, returns), **TOLERANCE)


DEGENERATE = {
    "only gains": [0.01, 0.02, 0.005, 0.03],
    "only losses": [-0.01, -0.02, -0.005, -0.03],
    "two returns": [0.01, -0.02],
    "a loss first": [-0.5, 0.1, 0.2, 0.3],
    "with zeros": [0.0, 0.01, 0.0, -0.02, 0.0],
    "everything lost": [0.1, -1.0, 0.2, 0.1],
    "one return": [0.02],
}
# Infinity over there is "no data" here.
INFINITE = {("sortino", "only gains"), ("profit_factor", "only gains")}
INFINITE |= {("profit_factor", "one return")}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("oracles", [EMPYRICAL, QUANTSTATS], ids=["empyrical", "quantstats"])
def test_degenerate_series_agree(case, oracles):
    values = DEGENERATE[case]
    returns = pd.Series(values, index=pd.bdate_range("2020-01-01", periods=len(values)))
    for name, (own, oracle) in oracles.items():
        expected, found = quiet(oracle, returns), float(own(returns))
        if np.isinf(expected):
            assert (name, case) in INFINITE
            expected = np.nan
        assert found == pytest.approx(expected, nan_ok=True, **TOLERANCE), name


@given(st.lists(st.integers(-200, 200), min_size=5, max_size=80), st.data())
@settings(max_examples=60, deadline=None)
def test_random_series_agree(thousandths, data):
    returns = pd.Series(
        np.array(thousandths) / 1000,
        index=pd.bdate_range("2020-01-01", periods=len(thousandths)),
    )
    for oracles in (EMPYRICAL, QUANTSTATS):
        name = data.draw(st.sampled_from(sorted(oracles)))
        own, oracle = oracles[name]
        expected, found = quiet(oracle, returns), float(own(returns))
        if np.isfinite(expected) and np.isfinite(found):
            assert found == pytest.approx(expected, rel=1e-7, abs=1e-9), name


def test_a_constant_series_has_no_ratio_here_whatever_rounding_does_elsewhere():
    returns = pd.Series([0.1] * 7, index=pd.bdate_range("2020-01-01", periods=7))
    assert quiet(qs.sharpe, returns) > 1e15
    assert quiet(empyrical.sharpe_ratio, returns) > 1e15
    assert np.isnan(float(metrics.sharpe(returns)))
    assert np.isnan(float(distribution.skewness(returns)))
    assert np.isnan(float(distribution.excess_kurtosis(returns)))


def test_the_ulcer_index_divides_by_n_where_quantstats_divides_by_one_less():
    for seed in range(5):
        returns = series_of(seed)
        n = len(returns)
        expected = quiet(qs.ulcer_index, returns) * ((n - 1) / n) ** 0.5
        assert float(drawdowns.ulcer_index(returns)) == pytest.approx(expected, **TOLERANCE)


def test_the_recovery_factor_compounds_where_quantstats_adds():
    returns = series_of(1)
    depth = float(metrics.max_drawdown(returns))
    assert quiet(qs.recovery_factor, returns) == pytest.approx(abs(returns.sum()) / depth)
    expected = quiet(qs.comp, returns) / depth
    assert float(drawdowns.recovery_factor(returns)) == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
def test_drawdowns_equal_those_that_quantstats_lists(seed):
    # Consecutive calendar days, so that its days are periods.
    returns = series_of(seed)
    returns.index = pd.date_range("2020-01-01", periods=len(returns))
    listed = qs.drawdown_details(qs.to_drawdown_series(returns))
    own = drawdowns.drawdowns(returns)
    assert [one.length for one in own] == listed["days"].tolist()
    assert [-100 * one.depth for one in own] == pytest.approx(
        listed["max drawdown"].tolist(), **TOLERANCE
    )
    days = returns.index.strftime("%Y-%m-%d")
    assert [days[one.start] for one in own] == listed["start"].tolist()
    assert [days[one.trough] for one in own] == listed["valley"].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_months_equal_those_of_quantstats(seed):
    returns = series_of(seed)
    months, found = distribution.monthly_returns(returns, returns.index)
    expected = returns.groupby([returns.index.year, returns.index.month]).apply(qs.comp)
    assert len(months) == len(expected)
    assert found == pytest.approx(expected.to_numpy(), **TOLERANCE)
    assert found.max() == pytest.approx(quiet(qs.best, returns, "ME"), **TOLERANCE)
    assert found.min() == pytest.approx(quiet(qs.worst, returns, "ME"), **TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
def test_figures_against_a_benchmark_equal_both_oracles(seed):
    market = series_of(seed + 100)
    returns = 0.7 * market + series_of(seed, spread=0.004)
    greeks = qs.greeks(returns, market)
    beta = float(relative.beta(returns, market))
    assert beta == pytest.approx(greeks["beta"], **TOLERANCE)
    assert beta == pytest.approx(empyrical.beta_aligned(returns, market), **TOLERANCE)
    alpha = float(relative.alpha(returns, market))
    assert alpha == pytest.approx(greeks["alpha"], **TOLERANCE)
    # empyrical compounds the daily alpha over the year.
    compounded = (1.0 + alpha / YEAR) ** YEAR - 1.0
    assert compounded == pytest.approx(empyrical.alpha_aligned(returns, market), **TOLERANCE)
    squared = float(relative.correlation(returns, market)) ** 2
    assert squared == pytest.approx(quiet(qs.r_squared, returns, market), **TOLERANCE)
    ratio = float(relative.information_ratio(returns, market)) / YEAR**0.5
    assert ratio == pytest.approx(quiet(qs.information_ratio, returns, market), **TOLERANCE)
    assert ratio == pytest.approx(empyrical.excess_sharpe(returns, market), **TOLERANCE)
    active = quiet(qs.volatility, returns - market)
    assert float(relative.tracking_error(returns, market)) == pytest.approx(active, **TOLERANCE)
    for own, oracle in (
        (relative.up_capture, empyrical.up_capture),
        (relative.down_capture, empyrical.down_capture),
    ):
        assert float(own(returns, market)) == pytest.approx(oracle(returns, market), **TOLERANCE)
