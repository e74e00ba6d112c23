"""What speaks against luck: paired bootstraps and the deflated Sharpe ratio of a backtest."""

from dataclasses import replace

import numpy as np
import pytest

from tests.backtest.report_runs import ordinary_run, ruined_run, walk_feed
from trading.backtest.bootstrap import paired_p_value
from trading.backtest.deflation import Trials, deflated_sharpe
from trading.backtest.report.curves import BenchmarkReturns
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.significance import SAMPLES, Significance
from trading.market.market_data import MarketData


def against(returns: np.ndarray, trials: Trials | None = None) -> Significance:
    found = Significance.of(ordinary_run(), BenchmarkReturns("B", returns), trials or Trials())
    assert isinstance(found, Significance)
    return found


def test_equal_weight_is_the_mean_of_the_names_that_have_a_return() -> None:
    data = walk_feed(40).data
    close = data.adjusted_close.copy()
    close[20, 1] = np.nan
    found = BenchmarkReturns.equal_weight(replace(data, adjusted_close=close), 30).returns
    moves = close[1:] / close[:-1] - 1.0
    assert len(found) == 30
    np.testing.assert_allclose(found, np.nanmean(moves, axis=1)[-30:], rtol=1e-12)
    assert isinstance(data, MarketData)


def test_figures_are_those_of_the_evaluation() -> None:
    result = ordinary_run()
    own = result.session_returns
    other = np.random.default_rng(3).normal(0.0, 0.01, len(own))
    found = against(other, Trials(40, 0.5))
    assert found.benchmark_p_value == paired_p_value(own, other, SAMPLES)
    equal = BenchmarkReturns.equal_weight(result.feed.data, len(own)).returns
    known = np.isfinite(equal)
    assert found.equal_weight_p_value == paired_p_value(own[known], equal[known], SAMPLES)
    expected = deflated_sharpe(own, Trials(40, 0.5))
    assert expected is not None
    assert (found.deflated_sharpe, found.best_of_trials) == (
        expected.probability,
        expected.threshold,
    )


def test_more_trials_leave_less() -> None:
    nothing = np.zeros(300)
    left = [against(nothing, Trials(count)).deflated_sharpe for count in (1, 10, 1000)]
    assert left == sorted(left, reverse=True)  # type: ignore[type-var]
    assert len(set(left)) == 3


def test_a_benchmark_far_behind_is_beaten_and_one_far_ahead_is_not() -> None:
    behind, ahead = against(np.full(300, -0.05)), against(np.full(300, 0.05))
    assert behind.benchmark_p_value == pytest.approx(1.0 / (SAMPLES + 1))
    assert ahead.benchmark_p_value == pytest.approx(1.0)


def test_unknown_benchmark_sessions_are_left_out() -> None:
    returns = np.full(300, 0.001)
    returns[:250] = np.nan
    assert against(returns).benchmark_p_value is not None
    assert against(np.full(300, np.nan)).benchmark_p_value is None


def test_nothing_is_said_without_a_benchmark_nor_of_a_ruin() -> None:
    assert Evidence.of(ordinary_run()).significance_rows() == ()
    ruined = ruined_run()
    lost = BenchmarkReturns("B", np.zeros(len(ruined.session_returns)))
    rows = {row.label: row.own for row in Evidence.of(ruined, lost).significance_rows()}
    assert all(value is None or np.isfinite(value) for value in rows.values())
