"""A session that is killed at any write, and run again, does what it would have done."""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paper_parity import assert_alike, make_session, run_backtest
from random_sessions import PlainDice, ShortingDice, random_feed

from trading.backtest.engine import Sleeve
from trading.backtest.result import BacktestResult
from trading.execution.brokers.paper_store import PaperStore
from trading.execution.journal import Journal
from trading.risk.sizing import build_sizer
from trading.session.event_log import EventLog
from trading.session.home import SessionHome
from trading.session.ledger import SessionLedger
from trading.session.settings import SessionSettings
from trading.session.store import SessionStore

FEED = random_feed(3, bars=12)
SLEEVES = [
    Sleeve(kind.build(seed=seed, one_in=2), build_sizer("fixed_fraction", {"fraction": 0.5}), 0.5)
    for kind, seed in ((ShortingDice, 1), (PlainDice, 2))
]
RULES = SessionSettings.model_validate(
    {
        "power_safe": False,
        "execution": {
            "account": "margin",
            "initial_cash": 100_000,
            "max_volume_share": 0.05,
            "fill": "same_close",
            "order": {"time_in_force": "GTC"},
        },
        "risk": {"stop_loss": 0.05, "max_position": {"limit": 0.2, "action": "resize"}},
    }
)


@pytest.fixture(scope="module")
def expected() -> BacktestResult:
    result = run_backtest(SLEEVES, FEED, RULES)
    assert len(result.fills) > 15
    return result


class Moments:
    """Counts the moments around every write, and kills the process at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.count = 0
        self._fatal = fatal

    def pass_by(self) -> None:
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by()
            answer = function(*args, **kwargs)
            self.pass_by()
            return answer

        return watched

    def around_change(self, change: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def watched(*args: Any) -> Any:
            self.pass_by()
            with change(*args):
                yield
                self.pass_by()
            self.pass_by()

        return watched


def run_until(home: SessionHome, fatal: int | None, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the session in this process and return how many moments it passed by."""
    moments = Moments(fatal)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", moments.around(Journal.append))
        patch.setattr(EventLog, "append", moments.around(EventLog.append))
        patch.setattr(PaperStore, "change", moments.around_change(PaperStore.change))
        patch.setattr(SessionStore, "change", moments.around_change(SessionStore.change))
        with home.locked():
            asyncio.run(make_session(home, SLEEVES, FEED, RULES).run())
    return moments.count


def killed_at(home: SessionHome, fatal: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run the session in a process of its own; tell whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            run_until(home, fatal, monkeypatch)
        except BaseException:  # noqa: BLE001 - the child must not go on with the tests
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def lines_of(home: SessionHome) -> list[str]:
    return home.log_file.read_text(encoding="utf-8").splitlines()


def without_numbers(home: SessionHome) -> list[str]:
    """Return what the event log tells of decisions, orders, fills and the account."""
    told = [json.loads(line) for line in lines_of(home)]
    assert [line["sequence"] for line in told] == list(range(1, len(told) + 1))
    kept = ("decision", "order", "cancel", "risk", "fill", "account", "activity", "signals")
    plain = [{n: v for n, v in one.items() if n != "sequence"} for one in told]
    return sorted(json.dumps(one) for one in plain if one["kind"] in kept)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str]]:
    home = SessionHome(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        count = run_until(home, None, patch)
    return count, without_numbers(home)


def check(
    moments: list[int],
    expected: BacktestResult,
    told: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for moment in moments:
        home = SessionHome(folder / str(moment))
        assert killed_at(home, moment, monkeypatch), f"moment {moment} was never reached"
        assert not killed_at(home, 0, monkeypatch)
        assert_alike(SessionLedger(home), expected)
        assert without_numbers(home) == told


@pytest.mark.slow
def test_killed_at_a_few_moments(
    expected: BacktestResult,
    undisturbed: tuple[int, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, told = undisturbed
    assert count > 400
    check(list(range(17, count, count // 9)), expected, told, tmp_path, monkeypatch)


@pytest.mark.soak
def test_killed_at_every_moment(
    expected: BacktestResult,
    undisturbed: tuple[int, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, told = undisturbed
    check(list(range(1, count)), expected, told, tmp_path, monkeypatch)


@pytest.mark.slow
def test_killed_again_and_again(
    expected: BacktestResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SessionHome(tmp_path)
    kills = 0
    while killed_at(home, 61, monkeypatch):
        kills += 1
        assert kills < 50
    assert kills > 5
    assert_alike(SessionLedger(home), expected)
