"""The benchmark's own code at a tiny size, without the peers."""

import asyncio
import json

import numpy as np
import pytest

from benchmarks import backtest as benchmark
from benchmarks import worker
from benchmarks.case import LONG, SHORT, Case, Outcome, momentum_choice
from benchmarks.engines.trading_engine import PlainTrend, feed_of
from benchmarks.equality import difference
from benchmarks.market import MINUTES_A_SESSION, Market, simulate
from benchmarks.measure import Measured
from trading.strategy.runner import StrategyRunner
from trading.strategy.trend_following import TrendFollowing


def measured(engine: str, equity: list[float], **changes: object) -> Measured:
    figures = {
        "cpu_seconds": 1.0,
        "all_cpu_seconds": (1.0,),
        "wall_seconds": 1.0,
        "peak_mb": 1.0,
        "loaded_mb": 1.0,
        "load_seconds": 0.0,
        "fills": 3,
        "refused": 0,
        "before_trading": False,
        "final_equity": equity[-1],
        "notes": {},
        "costs": None,
    }
    return Measured(engine=engine, case=Case(), equity=np.array(equity), **(figures | changes))


def test_a_market_is_made_by_its_seed_and_its_bars_are_sane(tmp_path):
    made, again = simulate(5, 600), simulate(5, 600)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(made, name), getattr(again, name))
    assert (made.low <= np.minimum(made.open, made.close)).all()
    assert (made.high >= np.maximum(made.open, made.close)).all()
    assert not np.array_equal(made.close, simulate(5, 600, seed=8).close)
    made.save(tmp_path)
    read = Market.load(tmp_path)
    assert (read.symbols, read.minutes) == (made.symbols, False)
    np.testing.assert_array_equal(read.close, made.close)


def test_minutes_are_parted_into_sessions():
    made = simulate(2, 2 * MINUTES_A_SESSION, minutes=True)
    assert len(np.unique(made.sessions)) == 2
    assert (np.diff(made.timestamps) > np.timedelta64(0, "s")).all()
    assert made.timestamps[0] == np.datetime64("2012-01-02T14:31:00")


def test_momentum_is_chosen_at_month_ends_without_the_future():
    made = simulate(30, 700)
    rows, held = momentum_choice(made.close, made.sessions)
    assert len(rows) > 10
    assert (held.sum(axis=1) == 3).all()
    earlier, before = momentum_choice(made.close[:500], made.sessions[:500])
    np.testing.assert_array_equal(held[: len(earlier)], before)


@pytest.mark.parametrize("strategy", ["trend", "momentum", "plain"])
def test_the_worker_measures_this_engine(strategy, tmp_path):
    simulate(12, 330).save(tmp_path / "market")
    case = json.dumps(Case(strategy).to_dict())
    worker.main(["trading", str(tmp_path / "market"), str(tmp_path), "--case", case])
    found = json.loads((tmp_path / "result.json").read_text())
    equity, costs = np.load(tmp_path / "equity.npy"), np.load(tmp_path / "costs.npy")
    assert len(equity) == len(costs) == 330
    assert found["final_equity"] == equity[-1]
    assert found["fills"] > 0
    assert found["refused"] == 0
    assert costs.sum() > 0.0


def test_the_plain_strategy_signals_what_the_panel_does_once_it_sees_the_bar_before():
    data = feed_of(simulate(12, 330)).data
    with StrategyRunner() as runner:
        plain = asyncio.run(runner.signals_over(PlainTrend(), data))
    panel = TrendFollowing.build(short_ma=SHORT, long_ma=LONG).signal_panel(data)
    seen = panel.rows >= LONG
    assert len(plain) > 20
    for name in ("rows", "columns", "actions", "strengths"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(panel, name)[seen])


def test_curves_are_compared_and_costs_put_back_where_a_peer_marks_first():
    last = {"fills_of_last_row": 1.0}
    own = measured("trading", [100.0, 99.0], costs=np.array([0.0, 1.0]), notes=last)
    assert difference(own, measured("x", [100.0, 100.0], before_trading=True, fills=2)).equal
    assert not difference(own, measured("x", [100.0, 100.0], before_trading=True)).equal
    assert not difference(own, measured("x", [100.0, 100.0])).equal
    assert not difference(own, measured("x", [100.0, 99.0], fills=4)).equal
    assert not difference(own, measured("x", [100.0, 99.0], refused=1)).equal
    assert difference(own, measured("x", [100.0, 99.0])).equal


def test_a_missed_demand_is_told():
    scenario = benchmark.SCENARIOS[0]
    slow = [measured("trading", [1.0]), measured("vectorbt", [1.0], cpu_seconds=2.9)]
    assert [one["holds"] for one in benchmark.judge(scenario, slow)] == [False]
    fast = [measured("trading", [1.0]), measured("vectorbt", [1.0], cpu_seconds=3.0)]
    assert [one["holds"] for one in benchmark.judge(scenario, fast)] == [True]
    wide = benchmark.SCENARIOS[2]
    assert [one["holds"] for one in benchmark.judge(wide, [measured("trading", [1.0])])] == [
        False,
        True,
    ]


def test_the_command_measures_and_writes(tmp_path, capsys, monkeypatch):
    calls = []

    def instead(engine, market, case, **options):
        calls.append((engine, case.strategy, Market.load(market).shape, options["python"]))
        return measured(engine, [1.0, 2.0])

    monkeypatch.setattr(benchmark, "measure", instead)
    out = tmp_path / "speed.json"
    arguments = ["--without", "vectorbt,bt,backtrader", "--symbols", "3", "--bars", "20"]
    arguments += ["--scenarios", "daily,plain"]
    assert benchmark.main([*arguments, "--json", str(out)]) == 0
    assert calls == [("trading", "trend", (20, 3), None), ("trading", "plain", (20, 3), None)]
    report = json.loads(out.read_text())
    assert [row["scenario"] for row in report["measured"]] == ["daily", "plain"]
    assert report["verdicts"] == []
    assert "daily: 3 symbols x 20 bars" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--without", "zipline"], ["--runs", "0"]])
def test_misuse_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert "error" in capsys.readouterr().err


def test_an_outcome_that_is_loading_is_not_counted(tmp_path, monkeypatch):
    clock = iter([10.0, 15.0])
    monkeypatch.setattr(worker.time, "process_time", lambda: next(clock))
    outcome = Outcome(np.array([1.0]), fills=1, load_seconds=2.0)
    monkeypatch.setattr(
        worker.importlib,
        "import_module",
        lambda _name: type("Engine", (), {"prepare": staticmethod(lambda m, c: lambda: outcome)}),
    )
    simulate(2, 5).save(tmp_path / "market")
    worker.main(["bt", str(tmp_path / "market"), str(tmp_path)])
    assert json.loads((tmp_path / "result.json").read_text())["cpu_seconds"] == 3.0
