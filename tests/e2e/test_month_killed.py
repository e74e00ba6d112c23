"""Kill the command, a function's process or the training at any state, and run the month again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from trading_home import FEBRUARY, TradingHome, finished, once_each

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

LONGEST_WAIT = 120
ATTEMPTS = 3
FUNCTIONS = (
    *("resolve", "fetch-daily", "data-quality", "prepare", "validate", "keep-champion"),
    *("market-context", "score-batch", "rank", "store-signals", "score-shadow", "check-drift"),
    *("measure", "notify", "finish"),
)
Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The signals of a month that nothing disturbed."""
    home = TradingHome(tmp_path_factory.mktemp("undisturbed") / "home")
    run = home.month(FEBRUARY)
    assert run.code == 0, run.errors
    return home.signals("2025-02")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_command_killed_in_a_function(
    function: str, home: TradingHome, undisturbed: list[str]
) -> None:
    _disturb(home, lambda: _function_started(home, function), _kill_command)
    _ends_as_if_undisturbed(home, undisturbed)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_killed(function: str, home: TradingHome, undisturbed: list[str]) -> None:
    _disturb(home, lambda: _function_started(home, function), _kill_functions)
    _ends_as_if_undisturbed(home, undisturbed)


@pytest.mark.parametrize("event", ["training", "trained"])
def test_the_training_killed(event: str, home: TradingHome, undisturbed: list[str]) -> None:
    _disturb(home, lambda: _training_told(home, event), _kill_training)
    _ends_as_if_undisturbed(home, undisturbed)


@pytest.mark.parametrize("event", ["training", "trained"])
def test_the_command_killed_in_the_training(
    event: str, home: TradingHome, undisturbed: list[str]
) -> None:
    _disturb(home, lambda: _training_told(home, event), _kill_command)
    _ends_as_if_undisturbed(home, undisturbed)


def test_everything_killed_at_once(home: TradingHome, undisturbed: list[str]) -> None:
    _disturb(home, lambda: _function_started(home, "notify"), _kill_everything)
    _ends_as_if_undisturbed(home, undisturbed)


def test_killed_while_the_cloud_deploys(home: TradingHome, undisturbed: list[str]) -> None:
    _disturb(home, lambda: (home.cloud_home / "deployment.json").exists(), _kill_command)
    _ends_as_if_undisturbed(home, undisturbed)


def _disturb(
    home: TradingHome, moment: Callable[[], bool], kill: Callable[[Process], None]
) -> None:
    """Start the month, kill at the moment, and wait for the command's end."""
    command = home.start_month(FEBRUARY)
    deadline = time.monotonic() + LONGEST_WAIT
    while not moment():
        if command.poll() is not None or time.monotonic() > deadline:
            command.kill()
            pytest.fail(f"the moment never came:\n{command.communicate()[1]}")
        time.sleep(0.01)
    kill(command)
    run = finished(command)
    assert "Traceback" not in run.errors, run.errors


def _ends_as_if_undisturbed(home: TradingHome, undisturbed: list[str]) -> None:
    """Run the month until it is done, as its user would, and compare what is stored and mailed."""
    for _ in range(ATTEMPTS):
        run = home.month(FEBRUARY)
        assert "Traceback" not in run.errors, run.errors
        if run.code in (0, 3):
            break
    assert run.json["status"] == "SUCCEEDED", run.errors
    assert home.signals("2025-02") == undisturbed
    assert home.mails_per_recipient() == once_each()
    assert home.month(FEBRUARY).code == 3
    months = [json.loads(item)["month"]["S"] for item in home.items()["performance"]]
    assert months == ["2025-02"]


def _function_started(home: TradingHome, function: str) -> bool:
    return _holds(home.cloud_home / "logs" / "lambda" / f"trading-dev-{function}.log", "START ")


def _training_told(home: TradingHome, event: str) -> bool:
    logs = (home.cloud_home / "logs" / "training").glob("*.log")
    return any(_holds(log, f'"event": "{event}"') for log in logs)


def _holds(log: Path, text: str) -> bool:
    return log.exists() and text in log.read_text(encoding="utf-8", errors="replace")


def _kill_command(command: Process) -> None:
    command.kill()


def _kill_everything(command: Process) -> None:
    everyone = [psutil.Process(command.pid), *_descendants(command)]
    for process in everyone:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _kill_functions(command: Process) -> None:
    """Kill every execution environment: all are forks of the one process that runs `zygote.py`."""
    zygotes = [p for p in _descendants(command) if _runs(p, "zygote.py")]
    forks = [fork for zygote in zygotes for fork in zygote.children() if _runs(fork, "zygote.py")]
    assert forks
    for fork in forks:
        with suppress(ProcessLookupError):
            os.kill(fork.pid, signal.SIGKILL)


def _kill_training(command: Process) -> None:
    jobs = [p for p in _descendants(command) if _runs(p, "trading.agents.job")]
    assert jobs
    for job in jobs:
        with suppress(ProcessLookupError):
            os.kill(job.pid, signal.SIGKILL)


def _descendants(command: Process) -> list[psutil.Process]:
    return psutil.Process(command.pid).children(recursive=True)


def _runs(process: psutil.Process, word: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(word in part for part in process.cmdline())
    return False
