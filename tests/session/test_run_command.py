"""`trading run` and `trading session` as a user runs them, on files of bars."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.cli.app import main
from trading.cli.run import RunOptions
from trading.cli.run_session import read_settings
from trading.market.calendar import sessions_between
from trading.risk.sizing import build_sizer
from trading.session.home import SessionHome
from trading.session.ledger import SessionLedger
from trading.strategy.trend_following import TrendFollowing

Run = Callable[..., "Answer"]
QUICK = ("--param", "short_ma=3", "--param", "long_ma=10")
SETTINGS = ("--set", "power_safe=false")


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
    monkeypatch.delenv("TRADING_PROFILE", raising=False)

    def made(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Answer(int(ended.value.code or 0), out, err)

    return made


def walk(days: int, names: tuple[str, ...] = ("AAA", "BBB", "CCC")) -> pd.DataFrame:
    """Return daily bars of a random walk."""
    rng = np.random.default_rng(7)
    dates = sessions_between(pd.Timestamp("2021-01-04").date(), pd.Timestamp("2021-12-31").date())
    close = 50.0 * np.exp(rng.normal(0, 0.02, (200, len(names))).cumsum(axis=0))[:days]
    rows = {
        "date": np.repeat(dates[:days], len(names)).astype("datetime64[s]"),
        "symbol": list(names) * days,
        "open": close.ravel(),
        "high": close.ravel() * 1.01,
        "low": close.ravel() * 0.99,
        "close": close.ravel(),
        "volume": 1e6,
    }
    return pd.DataFrame(rows)


def write(path: Path, days: int) -> Path:
    walk(days).to_parquet(path)
    return path


def test_a_file_that_grows_is_traded_as_the_backtest_trades_the_whole(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "bars.parquet"
    command = ("run", "trend_following", "--bars", str(file), *QUICK, *SETTINGS, "--json")
    bars = []
    for days in (30, 31, 60):
        write(file, days)
        answer = run(*command)
        assert answer.code == 0
        bars.append(answer.json["bars"])
    assert bars == [30, 1, 29]
    again = run(*command)
    assert (again.code, again.json["bars"]) == (3, 0)
    frame = walk(60).assign(adjusted_close=lambda one: one["close"])
    _, settings = read_settings(RunOptions("trend_following", sets=("power_safe=false",)))
    strategy = TrendFollowing.build(short_ma=3, long_ma=10)
    sleeves = [Sleeve(strategy, build_sizer("fixed_fraction", {}))]
    result = backtest(sleeves, BarFeed.from_bars(frame), settings)
    assert len(result.fills) > 5
    ledger = SessionLedger(SessionHome(tmp_path / "home" / "paper"))
    assert ledger.orders["client_order_id"].tolist() == result.orders["client_order_id"].tolist()
    np.testing.assert_array_equal(ledger.curve["equity"], result.curve.equity)
    assert again.json["equity"] == result.equity[-1]


@pytest.mark.slow
def test_the_session_can_be_looked_at_stopped_and_released(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "bars.parquet", 40)
    command = ("run", "trend_following", "--bars", str(file), *QUICK, *SETTINGS)
    first = run(*command)
    assert "equity" in first.err
    status = run("session", "status", "--json").json
    assert status["breaker"] == {"state": "CLOSED", "reasons": []}
    assert run("session", "kill", "--flatten").code == 0
    assert run("session", "status", "--json").json["waiting"] == ["flatten"]
    write(file, 43)
    run(*command)
    status = run("session", "status", "--json").json
    assert (status["killed"], status["positions"], status["working"]) == (True, [], [])
    shown = run("session", "status")
    assert "killed" in shown.err
    assert "trading session reset" in shown.err
    run("session", "reset")
    write(file, 60)
    run(*command)
    assert not run("session", "status", "--json").json["killed"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("run", "trend_following", "--mode", "live"), 2, "no live broker is configured"),
        (("run", "trend_following", "--mode", "both"), 2, "expected paper or live"),
        (("run", "nonsense"), 2, "nonsense"),
        (("run", "trend_following", "--speed", "-1"), 2, "speed must be a positive number"),
        (("run", "trend_following", "--every", "0"), 2, "--every takes minutes above 0"),
        (("run", "trend_following", "--interval", "1m"), 2, "needs --bars FILE"),
        (("run", "trend_following", "--set", "execution.fill=never"), 2, "execution.fill"),
        (("run", "trend_following", "--bars", "nowhere.parquet"), 1, "nowhere.parquet"),
        (("session", "status"), 1, "no session was ever started"),
        (("session", "kill"), 1, "no session was ever started"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Run, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    answer = run(*arguments)
    assert answer.code == code
    assert sentence in " ".join(answer.err.split())


def test_hours_of_a_file_in_disorder(run: Run, tmp_path: Path) -> None:
    stamps = pd.date_range("2021-03-01 15:30", periods=60, freq="h", tz="UTC")
    stamps = stamps[(stamps.hour >= 15) & (stamps.hour <= 20)]
    close = 50.0 + np.sin(np.arange(len(stamps)))
    frame = pd.DataFrame({"date": stamps, "symbol": "AAA", "open": close, "high": close + 1.0})
    frame = frame.assign(low=close - 1.0, close=close, volume=1e5)
    frame = pd.concat([frame.sample(frac=1.0, random_state=1), frame.head(2)])
    file = tmp_path / "hours.csv"
    frame.to_csv(file, index=False)
    command = ("run", "trend_following", "--interval", "1h", "--bars", str(file), *QUICK)
    answer = run(*command, *SETTINGS, "--json")
    assert answer.code == 0
    assert answer.json["bars"] == len(stamps)
    log = (tmp_path / "home" / "paper" / "events.jsonl").read_text(encoding="utf-8")
    assert '"problem": "duplicate", "count": 2' in log
    assert '"problem": "out_of_order"' in log


@pytest.mark.slow
def test_the_command_is_killed_and_run_again(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "bars.parquet", 120)
    arguments = ["run", "trend_following", "--bars", str(file), *QUICK, *SETTINGS, "--json"]
    environment = os.environ | {"TRADING_HOME": str(tmp_path / "home")}
    # A day of market time takes 0.43 seconds, so that the kill meets a session that trades.
    slow = [sys.executable, "-c", "from trading.cli import main; main()", *arguments]
    process = subprocess.Popen(
        [*slow, "--speed", "200000"], env=environment, stdout=subprocess.DEVNULL
    )
    home = SessionHome(tmp_path / "home" / "paper")
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline and not (
        home.log_file.exists() and '"fill"' in home.log_file.read_text(encoding="utf-8")
    ):
        assert process.poll() is None
        time.sleep(0.1)
    refused = run(*arguments)
    assert refused.code == 1
    assert f"another session (process {process.pid}) runs" in " ".join(refused.err.split())
    running = run("session", "status", "--json")
    assert running.code == 0
    assert running.json["equity"] > 0.0
    process.send_signal(signal.SIGKILL)
    process.wait()
    answer = run(*arguments)
    assert answer.code == 0
    assert 0 < answer.json["bars"] < 120
    other = run(*arguments, "--home", str(tmp_path / "other"))
    for name in ("equity", "cash", "orders", "fills", "positions"):
        assert answer.json[name] == other.json[name]
