"""`trading backfill` that is killed, interrupted, or run twice at once."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from fetch_examples import Site, start, stored_bars, wrong_bars

from trading.market.calendar import sessions_between

pytestmark = pytest.mark.slow
SPAN = ("--from", "2024-05-01", "--to", "2024-06-28")
SESSIONS = len(sessions_between(date(2024, 5, 1), date(2024, 6, 28)))
DEADLINE = 120.0


def until(happened: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until something happened, or the process ended."""
    deadline = time.monotonic() + DEADLINE
    while not happened() and process.poll() is None:
        assert time.monotonic() < deadline, "the command neither went on nor ended"
        time.sleep(0.005)


def finish(arguments: Sequence[str], environment: dict[str, str]) -> tuple[int, str, str]:
    process = start(arguments, environment)
    out, err = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def arguments_of(provider: str, lake: Path) -> tuple[str, ...]:
    return ("backfill", *SPAN, "--provider", provider, "--lake", str(lake), "--yes", "--json")


def check_whole_days(site: Site, lake: Path) -> int:
    """Check that every day that a reader sees is the market's, and whole; return how many."""
    assert wrong_bars(site, lake).empty
    bars = stored_bars(lake)
    a_day = bars.groupby("date").size() if len(bars) else []
    assert all(count == len(site.names) for count in a_day)
    return len(a_day)


@pytest.mark.parametrize("provider", ["polygon", "yahoo"])
def test_killed_at_any_moment_the_rerun_completes_it(tmp_path: Path, provider: str) -> None:
    lake, draw = tmp_path / "lake", random.Random(7)
    with Site(40) as site:
        # an answer takes a moment, so that the kill finds requests under way
        site.slow_down(0.01)
        environment = site.environment(TRADING_HOME=str(tmp_path / "home"))
        arguments = arguments_of(provider, lake)
        if provider == "yahoo":
            arguments += ("--symbols", ",".join(site.names))
            environment["TRADING_DATA__PROVIDERS__YAHOO__CONCURRENCY"] = "4"
        for requests in (1, 12, 30):
            before = sum(site.seen.values())
            process = start(arguments, environment)
            until(lambda: sum(site.seen.values()) >= before + requests, process)  # noqa: B023
            time.sleep(draw.uniform(0.0, 0.4))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            check_whole_days(site, lake)
        code, out, err = finish(arguments, environment)
        assert code in (0, 3), err
        assert check_whole_days(site, lake) == SESSIONS
        if code == 0:
            outcome = json.loads(out)["outcome"]
            assert outcome["missing"] == []
            assert set(outcome["counts"]) <= {"complete", "held"}
        # what was finished is not asked again: a kill costs what was under way, no more
        asked = sum(site.seen.values())
        under_way = 3 * (21 + 4) if provider == "polygon" else 3 * 2 * 8
        planned = SESSIONS + 3 * 4 if provider == "polygon" else len(site.names)
        assert asked <= planned + under_way


def test_one_ctrl_c_ends_in_order_and_the_same_command_continues(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Site(30) as site:
        site.slow_down(0.05)
        environment = site.environment(TRADING_HOME=str(tmp_path / "home"))
        environment["TRADING_DATA__PROVIDERS__YAHOO__CONCURRENCY"] = "1"
        arguments = (*arguments_of("yahoo", lake), "--symbols", ",".join(site.names))
        process = start(arguments, environment)
        until(lambda: sum(site.seen.values()) >= 3, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 130
        assert "stopping: what is being asked is finished first" in err
        assert "run the same command again to continue" in err
        assert json.loads(out)["outcome"]["counts"] == {"left": SESSIONS}
        asked = sum(site.seen.values())
        assert 3 <= asked < 30
        code, _, err = finish(arguments, environment)
        assert code == 0, err
        assert sum(site.seen.values()) == 30
        assert check_whole_days(site, lake) == SESSIONS


def test_two_at_once_ask_once(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Site(30) as site:
        site.slow_down(0.3)
        environment = site.environment(TRADING_HOME=str(tmp_path / "home"))
        first = start(arguments_of("polygon", lake), environment)
        until(lambda: sum(site.seen.values()) >= 1, first)
        code, _, err = finish(arguments_of("polygon", lake), environment)
        assert code == 1
        assert f"(process {first.pid}) runs on" in err
        _, err = first.communicate(timeout=DEADLINE)
        assert first.returncode == 0, err
        assert check_whole_days(site, lake) == SESSIONS


def test_two_machines_at_once_have_one_result(tmp_path: Path) -> None:
    """Two homes on one lake know nothing of each other: the lake's conditions decide."""
    lake = tmp_path / "lake"
    with Site(30) as site:
        both = [
            start(arguments_of("polygon", lake), site.environment(TRADING_HOME=str(tmp_path / n)))
            for n in ("one", "two")
        ]
        for process in both:
            _, err = process.communicate(timeout=DEADLINE)
            assert process.returncode in (0, 3), err
        assert check_whole_days(site, lake) == SESSIONS
        assert finish(arguments_of("polygon", lake), site.environment())[0] == 3
