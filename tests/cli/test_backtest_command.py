"""`trading backtest` as a user runs it, on a small simulated market and on files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from tests.backtest.report_runs import walk_feed
from trading.backtest.report.document import schema
from trading.cli.app import main

pytestmark = pytest.mark.slow

Run = Callable[..., "Answer"]
SMALL = ("--set", "data.simulated.symbols=25", "--from", "2024-06-03", "--to", "2024-12-31")
QUICK = ("--param", "short_ma=5", "--param", "long_ma=20")


class Answer:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")

    def made(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(("backtest", *arguments))
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Answer(int(ended.value.code or 0), out, err)

    return made


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year and a half of bars of four names."""
    data = walk_feed(380).data
    days = np.repeat(data.sessions, 4).astype("datetime64[s]")
    flat = {name: getattr(data, name).ravel() for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame({"date": days, "symbol": list(data.symbols) * 380, **flat, "volume": 1e6})
    file = tmp_path_factory.mktemp("bars") / "walk.parquet"
    frame.to_parquet(file)
    return file


def test_the_summary_states_market_timing_costs_and_universe(run: Run) -> None:
    answer = run("trend_following", *SMALL, *QUICK)
    assert answer.code == 0
    for told in (
        "trend_following on a SIMULATED market",
        "next_open: market orders fill at the open of the next bar",
        "commission 5 bps; slippage 5 bps",
        "simulated market (seed 20240101, 25 companies",
        "2024-06-03 to 2024-12-31",
        "Sharpe ratio",
        "fixed fraction (fraction = 0.0",
    ):
        assert told in answer.out
    assert "note: The market is SIMULATED" in answer.err


def test_json_is_one_object_that_obeys_the_schema(run: Run, tmp_path: Path) -> None:
    page, folder = tmp_path / "deep" / "out.html", tmp_path / "tables"
    answer = run(
        *("trend_following", *SMALL, *QUICK, "--json", "--report", str(page)),
        *("--csv", str(folder), "--fill", "next_close", "--cash", "50000"),
    )
    assert answer.code == 0
    Draft202012Validator(schema()).validate(answer.json)
    assert answer.json["run"]["fill"] == "next_close"
    assert answer.json["account"]["initial_cash"] == 50000
    assert answer.json["run"]["simulated"] is True
    assert answer.json["run"]["first_session"] == "2024-06-03"
    assert "SIMULATED MARKET" in page.read_text(encoding="utf-8")
    fills = pd.read_csv(folder / "fills.csv")
    assert len(fills) == answer.json["counts"]["fills"] > 0
    assert str(page) in answer.err


def test_trading_starts_at_from_with_history_before_it(run: Run, bars: Path) -> None:
    answer = run("trend_following", "--bars", str(bars), *QUICK, "--from", "2016-06-01", "--json")
    assert answer.code == 0
    assert answer.json["series"]["dates"][0] == "2016-06-01"
    assert answer.json["counts"]["fills"] > 0
    open_start = run("trend_following", "--bars", str(bars), *QUICK, "--json")
    data = walk_feed(380).data
    assert open_start.json["series"]["dates"][0] == str(data.sessions[20])


def test_too_little_history_is_said(run: Run, bars: Path) -> None:
    early = run("trend_following", "--bars", str(bars), *QUICK, "--from", "2016-01-11", "--json")
    assert any("Only 6 of the 21 bars" in one for one in early.json["run"]["warnings"])
    late = run("trend_following", "--bars", str(bars), "--param", "long_ma=400")
    assert late.code == 1
    assert "401 bars of history are needed" in late.err
    assert late.err.count("\n") == 1


def test_several_strategies_share_the_account(run: Run, bars: Path) -> None:
    answer = run(
        *("trend_following:0.5,momentum:0.25", "--bars", str(bars), "--json"),
        *("--param", "trend_following.long_ma=30", "--param", "momentum.lookback_period=20"),
        *("--sizer-param", "fraction=0.25"),
    )
    assert answer.code == 0
    strategies = {one["strategy_id"]: one for one in answer.json["run"]["strategies"]}
    assert strategies["momentum"]["fraction"] == 0.25
    assert strategies["trend_following"]["parameters"]["long_ma"] == 30
    assert max(answer.json["series"]["gross_exposure"]) < 0.8


def test_a_benchmark_is_a_file_or_a_symbol(run: Run, bars: Path) -> None:
    options = ("trend_following", "--bars", str(bars), *QUICK, "--json")
    symbol = run(*options, "--benchmark", "BBB").json
    assert symbol["run"]["benchmark"] == "BBB"
    file = run(*options, "--benchmark", f"{bars}:BBB").json
    assert file["figures"]["benchmark"] == symbol["figures"]["benchmark"]
    default = run(*options).json
    assert "weighted by dollar volume" in default["run"]["benchmark"]
    assert default["figures"]["benchmark"] != symbol["figures"]["benchmark"]
    unknown = run(*options, "--benchmark", "ZZZ")
    assert (unknown.code, unknown.out) == (1, "")
    assert "neither a file nor a symbol" in unknown.err


def test_a_universe_is_chosen_before_the_start(run: Run, bars: Path) -> None:
    options = ("trend_following", "--bars", str(bars), *QUICK, "--json")
    top = run(*options, "--universe", "top2", "--from", "2016-06-01").json
    assert top["run"]["symbols"] == 2
    assert "before the start" in top["run"]["universe"]
    hand = run(*options, "--universe", "CCC,AAA").json
    assert hand["run"]["universe"] == "CCC, AAA"
    assert any("Hindsight" in one for one in hand["run"]["warnings"])
    unknown = run(*options, "--universe", "AAA,NOPE")
    assert unknown.code == 1
    assert "the bars have no NOPE" in unknown.err


def test_short_sales_on_a_cash_account_are_named(run: Run, bars: Path) -> None:
    options = ("stat_arbitrage", "--bars", str(bars), "--json", "--from", "2016-06-01")
    warned = run(*options).json["run"]["warnings"]
    assert any("Short sales of stat_arbitrage are left out" in one for one in warned)
    margin = run(*options, "--set", "execution.account=margin").json["run"]["warnings"]
    assert not any("Short sales" in one for one in margin)


def test_hour_bars_are_replayed_by_their_own_times(run: Run, tmp_path: Path) -> None:
    days = walk_feed(30).data.sessions
    hours = (days[:, None] + np.array([15, 16, 17, 18], dtype="timedelta64[h]")).ravel()
    close = 50 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, len(hours))))
    frame = pd.DataFrame({"timestamp": pd.DatetimeIndex(hours, tz="UTC"), "symbol": "AAA"})
    for name in ("open", "high", "low", "close"):
        frame[name] = close
    frame["volume"] = 1e6
    for file in (tmp_path / "hours.parquet", tmp_path / "hours.csv"):
        frame.to_parquet(file) if file.suffix == ".parquet" else frame.to_csv(file, index=False)
        answer = run(
            *("trend_following", "--bars", str(file), "--interval", "1h", *QUICK, "--json"),
            *("--from", "2016-01-19", "--benchmark", "AAA"),
        )
        assert answer.code == 0, answer.err
        assert answer.json["run"]["interval"] == "1h"
        assert answer.json["run"]["bars"] == 4 * answer.json["run"]["sessions"]
        assert answer.json["series"]["dates"][0] == "2016-01-19"
    simulated = run("trend_following", "--interval", "1h")
    assert simulated.code == 2
    assert "the simulated market is daily" in simulated.err


def test_look_ahead_is_checked(run: Run, bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("trend_following", "--bars", str(bars), *QUICK, "--check-lookahead", "--cuts", "4")
    passed = run(*options)
    assert passed.code == 0
    assert "trend_following passed" in passed.out
    assert "look-ahead of trend_following: 4 of 4" in passed.err
    as_json = run(*options, "--json")
    assert as_json.json["passed"] is True
    assert as_json.json["strategies"][0]["comparisons"]["truncated"] == 8
    from trading.strategy.trend_following import TrendFollowing

    honest = TrendFollowing.signal_panel
    monkeypatch.setattr(
        TrendFollowing,
        "signal_panel",
        lambda self, data: honest(self, data)[: -1 if len(data.timestamps) < 380 else None],
    )
    failed = run(*options)
    assert failed.code == 1
    assert "trend_following failed: " in failed.out


def test_a_sweep_tells_trials_and_goes_on(run: Run, bars: Path, tmp_path: Path) -> None:
    options = (
        *("trend_following", "--bars", str(bars), "--sweep", "short_ma=3,5,30", "--jobs", "1"),
        *("--sweep", "long_ma=20:40:20", "--results", str(tmp_path / "points.csv")),
    )
    first = run(*options, "--csv", str(tmp_path), "--report", str(tmp_path / "sweep.html"))
    assert first.code == 0
    assert "5 trials" in first.out
    assert "failed: short_ma = 30, long_ma = 20" in first.err
    assert len(pd.read_csv(tmp_path / "sweep.csv")) == 6
    assert "(rows)" in (tmp_path / "sweep.html").read_text(encoding="utf-8")
    again = run(*options, "--json", "--sort", "max_drawdown")
    assert again.json["trials"] == again.json["significance_of_best"]["trials"] == 5
    assert 0.0 <= again.json["significance_of_best"]["deflated_sharpe"] <= 1.0
    drawdowns = [one["max_drawdown"] for one in again.json["points"][:5]]
    assert drawdowns == sorted(drawdowns)
    good = ("--sweep", "short_ma=3,5", *options[5:])
    assert run(*options[:3], *good).code == 3


def test_a_place_that_cannot_be_written_is_named(run: Run, bars: Path, tmp_path: Path) -> None:
    options = ("trend_following", "--bars", str(bars), *QUICK)
    report = run(*options, "--report", str(tmp_path))
    assert report.code == 1
    assert f"{tmp_path} cannot be written (Is a directory); --report takes a file" in report.err
    tables = run(*options, "--csv", str(bars))
    assert tables.code == 1
    assert "--csv takes a folder" in tables.err


def test_rows_that_are_left_out_are_counted(run: Run, bars: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(bars)
    frame.loc[700, "close"] = np.inf
    frame.loc[801, "open"] = -3.0
    spoilt = tmp_path / "spoilt.parquet"
    frame.to_parquet(spoilt)
    told = run("momentum", "--bars", str(spoilt), "--param", "lookback_period=20")
    assert told.code == 0
    assert "Rows: 1,520 read; left out: " in " ".join((told.out + told.err).split())
    clean = run("momentum", "--bars", str(bars), "--param", "lookback_period=20")
    assert "left out" not in clean.out + clean.err


def test_one_symbol_is_enough(run: Run, tmp_path: Path) -> None:
    data = walk_feed(200, ("ONE",)).data
    frame = pd.DataFrame({"Date": data.sessions.astype(str), "Volume": 1e6})
    for name in ("Open", "High", "Low", "Close"):
        frame[name] = data.close[:, 0]
    frame.to_csv(tmp_path / "ONE.csv", index=False)
    answer = run(
        *("trend_following", "--bars", str(tmp_path / "ONE.csv"), *QUICK, "--json"),
        *("--sizer-param", "fraction=1.0"),
    )
    assert answer.code == 0
    assert answer.json["run"]["universe"] == "the symbol of the bars"
    assert answer.json["counts"]["fills"] > 0
    assert not any("Money" in one for one in answer.json["run"]["warnings"])


def test_a_sweep_without_a_valid_point_fails(run: Run, bars: Path) -> None:
    answer = run(
        *("trend_following", "--bars", str(bars), "--param", "long_ma=5", "--jobs", "1"),
        *("--sweep", "short_ma=10,20"),
    )
    assert answer.code == 1
    assert "every point of the sweep failed" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nonsense",), "nonsense"),
        (("momentum", "--param", "nonsense=1"), "nonsense"),
        (("momentum", "--param", "lookback_period=many"), "lookback_period"),
        (("momentum", "--sizer", "nonsense"), "there is no position sizer 'nonsense'"),
        (("momentum", "--sizer-param", "fraction=7"), "fraction"),
        (("momentum", "--fill", "yesterday"), "execution.fill"),
        (("momentum", "--cash", "-5"), "execution.initial_cash"),
        (("momentum", "--from", "2024-13-01"), "2024-13-01"),
        (("momentum", "--from", "2024-02-01", "--to", "2024-01-01"), "lies after --to"),
        (("momentum", "--set", "data.nonsense=1"), "data.nonsense"),
        (("momentum", "--interval", "5m"), "expected one of"),
        (("momentum", "--engine", "dask"), "expected processes or ray"),
        (("momentum", "--sweep", "nonsense=1,2"), "has no such parameter"),
        (("momentum", "--sweep", "threshold=1:2"), "is not from:to:step"),
        (("momentum,trend_following", "--sweep", "threshold=1,2"), "varies one strategy"),
        (("momentum", "--sweep", "threshold=0,1", "--sort", "luck"), "no figure of a sweep"),
        (("momentum", "--sweep", "threshold=0,1", "--check-lookahead"), "ask for one"),
        (("momentum", "--bars"), "requires an argument"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    answer = run(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert told in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--bars", "missing.parquet"), "there is no file"),
        (("--universe", "missing.csv"), "there is no file"),
        (("--bars", "{bars}", "--from", "2030-01-02"), "there is no bar from 2030-01-02 on"),
        (("--bars", "{bars}", "--benchmark", "missing.csv"), "there is no file"),
        (("--bars", "{bars}", "--to", "2015-01-02"), "holds no bar"),
        (("--bars", "{bars}", "--universe", "top3", "--from", "2016-01-04"), "before the start"),
    ],
)
def test_missing_data_is_one_sentence_and_exit_code_1(
    run: Run, bars: Path, arguments: tuple[str, ...], told: str
) -> None:
    answer = run("momentum", *(one.format(bars=bars) for one in arguments))
    assert (answer.code, answer.out) == (1, "")
    assert told in answer.err
    assert answer.err.count("\n") == 1
