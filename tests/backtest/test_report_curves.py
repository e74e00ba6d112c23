"""Curves and figures: the benchmark's sessions, rolling ratios, months, an account that is lost."""

import numpy as np
import pytest

from tests.backtest.report_runs import ordinary_run, ruined_run, walk_feed
from trading.backtest import metrics
from trading.backtest.report.curves import BenchmarkReturns, Curves, rolling_sharpe
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.heatmap import monthly_heatmap, value_heatmap
from trading.errors import DataError

DAYS = np.array(["2016-01-04", "2016-01-05", "2016-01-06", "2016-01-07"], dtype="datetime64[D]")


def test_the_first_benchmark_return_needs_a_price_from_before() -> None:
    prices = np.array([100.0, 110.0, 99.0, 99.0])
    whole = BenchmarkReturns.from_prices("B", DAYS, prices, DAYS)
    np.testing.assert_allclose(whole.returns, [np.nan, 0.1, -0.1, 0.0])
    later = BenchmarkReturns.from_prices("B", DAYS, prices, DAYS[1:])
    np.testing.assert_allclose(later.returns, [0.1, -0.1, 0.0])


def test_a_session_without_a_benchmark_price_keeps_the_last_one() -> None:
    prices = np.array([100.0, np.nan, 121.0, -5.0])
    found = BenchmarkReturns.from_prices("B", DAYS[::-1], prices[::-1], DAYS)
    np.testing.assert_allclose(found.returns, [np.nan, 0.0, 0.21, 0.0])


def test_a_benchmark_that_does_not_cover_the_period_is_refused() -> None:
    with pytest.raises(DataError, match="has a price on 0 of the 4 sessions"):
        BenchmarkReturns.from_prices("B", DAYS - 400, np.full(4, 100.0), DAYS)


def test_the_stand_in_for_an_index_weighs_by_what_was_traded_before() -> None:
    feed = walk_feed(40)
    data = feed.data
    found = BenchmarkReturns.of_universe(data, 5).returns
    traded = (data.close * data.volume)[9:30].sum(axis=0)
    moves = data.close[30] / data.close[29] - 1.0
    assert found[25] == pytest.approx(float(np.average(moves, weights=traded)), abs=1e-14)
    assert len(found) == 35


def test_the_stand_in_for_an_index_does_not_look_ahead() -> None:
    data = walk_feed(60).data
    whole = BenchmarkReturns.of_universe(data, 0).returns
    np.testing.assert_array_equal(
        BenchmarkReturns.of_universe(data.upto(40), 0).returns, whole[:41]
    )


def test_the_curves_are_those_of_the_result() -> None:
    result = ordinary_run()
    benchmark = BenchmarkReturns("B", np.full(300, 0.001))
    curves = Curves.of(result, benchmark)
    np.testing.assert_array_equal(curves.equity, result.equity)
    assert curves.benchmark is not None
    np.testing.assert_allclose(curves.benchmark, 1e6 * 1.001 ** np.arange(1, 301))
    assert curves.drawdown.max() == pytest.approx(
        float(metrics.max_drawdown(result.session_returns))
    )
    assert curves.gross.max() <= 1.0 + 1e-9
    np.testing.assert_array_equal(curves.gross, curves.net)


def test_a_rolling_ratio_is_the_ratio_of_its_window() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, 60)
    rolling = rolling_sharpe(returns, 20)
    assert np.isnan(rolling[:19]).all()
    assert rolling[19] == pytest.approx(float(metrics.sharpe(returns[:20])))
    assert rolling[-1] == pytest.approx(float(metrics.sharpe(returns[-20:])))
    assert np.isnan(rolling_sharpe(returns[:5], 20)).all()


def test_the_months_compound_to_the_years_and_the_years_to_the_whole() -> None:
    result = ordinary_run(400)
    evidence = Evidence.of(result)
    table = monthly_heatmap(evidence.curves.days, result)
    assert table.rows == ("2016", "2017")
    assert table.columns[-1] == "Year"
    years = [float(row[-1][0].replace("−", "-").rstrip("%")) / 100 for row in table.cells]
    total = evidence.figures.performance.total_return
    assert total is not None
    assert np.prod([1 + year for year in years]) - 1 == pytest.approx(total, abs=0.0015)
    colours = {colour.split(",")[0] for row in table.cells for text, colour in row[:12] if text}
    assert colours == {"rgba(26", "rgba(179"}


def test_a_lost_account_is_lost_and_its_figures_end_there() -> None:
    evidence = Evidence.of(ruined_run())
    assert evidence.lost_on == np.datetime64("2016-01-19")
    figures = evidence.figures.performance
    assert figures.total_return == -1.0
    assert figures.max_drawdown == 1.0
    assert figures.missing == 19


def test_a_heatmap_leaves_cells_without_data_empty() -> None:
    table = value_heatmap("x", ["1", "2"], ["3"], np.array([[np.nan], [0.5]]))
    assert table.cells == ((("", ""),), (("0.50", "rgba(31,95,191,0.30)"),))
    nothing = value_heatmap("x", ["1"], ["3"], np.array([[np.nan]]))
    assert nothing.cells == ((("", ""),),)
