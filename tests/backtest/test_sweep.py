"""Parameter sweeps: points, workers that share the bars, failures, resuming."""

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from tests.backtest.report_runs import MADE_AT, RUN, walk_feed
from trading.backtest import metrics
from trading.backtest.engine import Sleeve, backtest
from trading.backtest.report.significance import Significance
from trading.backtest.report.sweep_page import render_sweep
from trading.backtest.settings import BacktestSettings
from trading.backtest.sweep import (
    SweepJob,
    SweepResult,
    evaluate,
    grid_points,
    point_key,
    random_points,
    run_sweep,
)
from trading.backtest.sweep_log import SweepLog, run_id
from trading.errors import ConfigurationError, StoreError
from trading.market.market_data import MarketData
from trading.risk.sizing import build_sizer
from trading.strategy.base import PanelStrategy, Parameters
from trading.strategy.signals import Signals
from trading.strategy.trend_following import TrendFollowing

pytestmark = pytest.mark.slow

SETTINGS = BacktestSettings()
RANGES = {"short_ma": (3, 10), "long_ma": (8, 20)}


class PickyParameters(Parameters):
    """What `Picky` fails at."""

    at: int = Field(0, description="Raises at 1; dies of a bug at 2.")


class Picky(PanelStrategy):
    """Buys the first name once; says in its strength whether its bars are memory-mapped."""

    name: ClassVar[str] = "picky"
    parameters_type: ClassVar[type[Parameters]] = PickyParameters
    parameters: PickyParameters

    @property
    def lookback(self) -> int:
        return 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        if self.parameters.at == 1:
            raise ValueError("picky about 1")
        base: Any = market_data.close
        while base is not None and not isinstance(base, np.memmap):
            base = getattr(base, "base", None)
        one = np.ones(1, dtype=np.int64)
        strength = np.array([1.0 if base is not None else 0.5])
        return Signals(
            self.strategy_id,
            market_data.timestamps,
            market_data.symbols,
            one,
            0 * one,
            one.astype(np.int8),
            strength,
        )


def trend_job(sessions: int = 120) -> SweepJob:
    return SweepJob(TrendFollowing, walk_feed(sessions), SETTINGS)


def swept(job: SweepJob, points: Any, **options: Any) -> SweepResult:
    return run_sweep(job, points, **{"jobs": 1, **options})


def test_a_grid_has_every_combination_in_order() -> None:
    points = grid_points({"a": (1, 2), "b": ("x", "y", "z")})
    assert len(points) == 6
    assert points[0] == {"a": 1, "b": "x"}
    assert points[1] == {"a": 1, "b": "y"}
    assert points[-1] == {"a": 2, "b": "z"}


def test_random_points_differ_belong_to_the_grid_and_follow_the_seed() -> None:
    ranges = {"a": tuple(range(10)), "b": tuple(range(10))}
    points = random_points(ranges, 30, seed=4)
    assert len({point_key(point) for point in points}) == 30
    assert points == random_points(ranges, 30, seed=4)
    assert points != random_points(ranges, 30, seed=5)
    assert all(point in grid_points(ranges) for point in points)
    assert random_points(ranges, 100) == random_points(ranges, 500) == grid_points(ranges)


@pytest.mark.parametrize("ranges", [{}, {"a": ()}])
def test_no_values_are_refused(ranges: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ConfigurationError, match="gives no value"):
        grid_points(ranges)


def test_too_many_points_and_too_few_samples_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="more than 100,000"):
        grid_points({"a": range(1000), "b": range(1000)})
    with pytest.raises(ConfigurationError, match="at least one sample"):
        random_points({"a": (1, 2)}, 0)
    with pytest.raises(ConfigurationError, match="at least one job"):
        swept(trend_job(), [{"short_ma": 3}], jobs=0)
    with pytest.raises(ConfigurationError, match="same parameters"):
        swept(trend_job(), [{"a": 1}, {"b": 1}])


def test_every_point_is_the_backtest_of_its_parameters() -> None:
    job = trend_job()
    result = swept(job, grid_points(RANGES))
    assert result.parameters == ("short_ma", "long_ma")
    assert result.table[["short_ma", "long_ma"]].to_numpy().tolist() == [
        [3, 8],
        [3, 20],
        [10, 8],
        [10, 20],
    ]
    alone = backtest(
        [Sleeve(TrendFollowing.build(short_ma=3, long_ma=20), build_sizer("fixed_fraction"))],
        job.feed,
        SETTINGS,
    )
    row = result.table.iloc[1]
    assert row["sharpe"] == pytest.approx(float(metrics.sharpe(alone.session_returns)))
    assert row["final_equity"] == alone.equity[-1]
    assert row["trades"] == len(alone.trades)


def test_a_point_that_fails_is_recorded_and_the_others_go_on() -> None:
    result = swept(trend_job(), grid_points(RANGES))
    failed = result.table[result.table["error"] != ""]
    assert (result.trials, result.failed, len(failed)) == (3, 1, 1)
    assert "short_ma (10) must be less than long_ma (8)" in failed["error"].iloc[0]
    assert failed["sharpe"].isna().all()
    ranked = result.ranked("sharpe")
    assert ranked["sharpe"].dropna().is_monotonic_decreasing
    assert ranked["error"].iloc[-1] != ""
    assert result.ranked("max_drawdown")["max_drawdown"].dropna().is_monotonic_increasing
    with pytest.raises(ConfigurationError, match="no figure of a sweep"):
        result.ranked("luck")


def test_an_error_nobody_foresaw_is_recorded_with_its_name() -> None:
    job = SweepJob(Picky, walk_feed(10), SETTINGS)
    assert "picky about 1" in evaluate(job, {"at": 1})["error"]
    broken = SweepJob(None, walk_feed(10), SETTINGS)  # type: ignore[arg-type]
    assert evaluate(broken, {"at": 0})["error"].startswith("AttributeError: ")


def test_the_number_of_trials_and_their_spread_are_told() -> None:
    result = swept(trend_job(), grid_points(RANGES))
    known = result.table["sharpe"].dropna()
    assert result.sharpe_deviation == pytest.approx(float(np.std(known, ddof=1)))
    assert swept(trend_job(), [{"short_ma": 3}]).sharpe_deviation is None


def test_later_bars_may_be_history_only() -> None:
    job = SweepJob(TrendFollowing, walk_feed(120), SETTINGS, {"long_ma": 20}, start=60)
    row = swept(job, [{"short_ma": 5}]).table.iloc[0]
    sleeve = Sleeve(TrendFollowing.build(short_ma=5, long_ma=20), build_sizer("fixed_fraction"))
    late = backtest([sleeve], job.feed, SETTINGS, start=60)
    assert row["final_equity"] == late.equity[-1]
    assert len(late.session_dates) == 60


def test_progress_counts_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    swept(trend_job(), grid_points(RANGES), progress=lambda *counts: told.append(counts))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.slow
def test_workers_share_memory_mapped_bars_and_agree_with_one_process() -> None:
    job = SweepJob(Picky, walk_feed(2_000, tuple(f"N{i}" for i in range(60))), SETTINGS)
    points = [{"at": 0}]
    here = evaluate(job, points[0])
    there = swept(job, [*points, {"at": 1}], jobs=2)
    # Twice the strength, twice the position: the worker saw a memory map.
    assert abs(there.table["total_return"].iloc[0]) > 1.5 * abs(here["total_return"])
    assert "picky about 1" in there.table["error"].iloc[1]
    trend = trend_job()
    one, two = (swept(trend, grid_points(RANGES), jobs=jobs).table for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path, ending: str) -> None:
    job, points = trend_job(), grid_points({"short_ma": (3, 4, 5), "long_ma": (10, 20)})
    file, run = tmp_path / f"sweep{ending}", run_id(job.feed, "trend_following")

    class Interrupt(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise Interrupt

    with pytest.raises(Interrupt):
        swept(job, points, log=SweepLog(file, run), progress=stop)
    assert len(SweepLog(file, run).read()) == 4
    rest = swept(job, points, log=SweepLog(file, run))
    assert rest.fresh == 2
    whole = swept(job, points)
    pd.testing.assert_frame_equal(
        rest.table.drop(columns="seconds"), whole.table.drop(columns="seconds")
    )
    again = swept(job, points, log=SweepLog(file, run))
    assert again.fresh == 0
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_failed_point_is_tried_again(tmp_path: Path) -> None:
    job, points = trend_job(), grid_points(RANGES)
    file, run = tmp_path / "sweep.csv", run_id(job.feed)
    swept(job, points, log=SweepLog(file, run))
    assert swept(job, points, log=SweepLog(file, run)).fresh == 1


def test_results_of_another_run_are_refused(tmp_path: Path) -> None:
    job, points, file = trend_job(), grid_points(RANGES), tmp_path / "sweep.csv"
    swept(job, points, log=SweepLog(file, run_id(job.feed)))
    with pytest.raises(StoreError, match="results of another sweep"):
        swept(job, points, log=SweepLog(file, run_id(walk_feed(120, seed=1))))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00junk"])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.csv"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="choose another file"):
        SweepLog(file, "x").read()
    assert file.read_bytes() == content


def test_a_log_has_one_of_two_endings(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"kept as \.csv or \.parquet"):
        SweepLog(tmp_path / "sweep.xlsx", "x")


def test_a_run_is_told_apart_by_bars_and_settings() -> None:
    feed = walk_feed(50)
    ids = {run_id(feed), run_id(walk_feed(50, seed=1)), run_id(walk_feed(51)), run_id(feed, "x")}
    assert len(ids) == 4
    assert run_id(feed, "x") == run_id(walk_feed(50), "x")


def test_ray_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigurationError, match="needs the package ray.*pip install ray"):
        swept(trend_job(), grid_points(RANGES), engine="ray")


def test_the_page_of_a_sweep_tells_trials_and_draws_two_parameters() -> None:
    result = swept(trend_job(), grid_points(RANGES))
    html = render_sweep(result, "sharpe", "<trend>", SETTINGS, RUN, MADE_AT)
    assert "3 trials; their Sharpe ratios deviate by" in html
    assert "SIMULATED MARKET" in html
    assert "&lt;trend&gt;" in html
    assert "<trend>" not in html
    assert "Sharpe by short_ma (rows) and long_ma (columns)" in html
    assert html.count('style="background:rgba(') == 3
    assert "short_ma = 10, long_ma = 8" in html
    rows, columns, values = result.by_two("sharpe")
    assert (rows, columns) == (["3", "10"], ["8", "20"])
    assert math.isnan(values[1, 0])


def test_the_best_point_is_found_and_its_luck_is_told() -> None:
    result = swept(trend_job(), grid_points(RANGES))
    best = result.best("sharpe")
    assert best is not None
    assert result.table["sharpe"][best] == result.table["sharpe"].max()
    least = result.best("max_drawdown")
    assert result.table["max_drawdown"][least] == result.table["max_drawdown"].min()
    luck = Significance(None, None, None, None, 3, 1.25, 0.375)
    html = render_sweep(result, "sharpe", "t", SETTINGS, RUN, MADE_AT, luck)
    assert "would show a Sharpe ratio of 1.25" in html
    assert "37.5% (deflated Sharpe ratio)" in html
    nothing = SweepResult(result.parameters, result.table.assign(error="broken"), 0)
    assert nothing.best() is None


def test_the_page_of_one_parameter_has_no_heatmap() -> None:
    result = swept(trend_job(), grid_points({"short_ma": (3, 5)}))
    assert "(rows)" not in render_sweep(result, "calmar", "t", SETTINGS, RUN, MADE_AT)
    with pytest.raises(ConfigurationError, match="two varied parameters"):
        result.by_two("sharpe")
