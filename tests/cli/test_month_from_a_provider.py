"""`trading month --provider`: the history it stands on, filled as `trading backfill` fills it."""

import json
import signal
import subprocess
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fetch_examples import Site, start, stored_bars, wrong_bars

from trading.cli.filling import Job
from trading.cli.home import Home
from trading.cli.lake import LakeChoice
from trading.cli.month_history import fill_history, history_job
from trading.cli.which_symbols import WhichSymbols
from trading.config import Settings, load_settings
from trading.data.store.folder import FolderStore
from trading.errors import ConfigurationError, DataError
from trading.market.calendar import sessions_between
from trading.universe.rebalance import rebalance
from trading.universe.versions import UniverseVersions

AS_OF = date(2024, 1, 2)
IWV = """iShares Russell 3000 ETF
Fund Holdings as of,"Dec 29, 2023"

Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Exchange
AAA,A,Tech,Equity,"5,000.00",50,NYSE
BBB,B,Tech,Equity,"5,000.00",50,NYSE
"""


# Faults that an answer shows. Half a history of one symbol shows nowhere without a second provider:
# it ends in the list of what is missing.
LOUD = ("429 seconds", "500", "503", "reset", "short body", "truncated", "malformed", "html")


def polygon_settings() -> Settings:
    return load_settings(overrides={"data": {"provider": "polygon", "min_symbols": 1}})


def test_three_years_before_the_month_are_asked_by_default(tmp_path: Path) -> None:
    home = Home(tmp_path)
    job = history_job(polygon_settings(), home, AS_OF, first=None, constituents=None)
    assert (job.first, job.last) == (date(2020, 12, 30), date(2023, 12, 29))
    settings = polygon_settings()
    assert len(sessions_between(job.first, job.last)) > settings.data.min_sessions
    early = history_job(settings, home, AS_OF, first=date(2018, 1, 2), constituents=None)
    assert early.first == date(2018, 1, 2)


def test_the_members_of_a_holdings_file_are_asked(tmp_path: Path) -> None:
    file = tmp_path / "iwv.csv"
    file.write_text(IWV)
    job = history_job(polygon_settings(), Home(tmp_path), AS_OF, first=None, constituents=file)
    assert job.which == WhichSymbols(("AAA", "BBB"), "2 of iwv.csv")


def small_job(tmp_path: Path, settings: Settings, first: date) -> Job:
    last = date(2024, 6, 28)
    choice = LakeChoice(Home(tmp_path / "home"), "real", str(tmp_path / "lake"))
    return Job(settings, choice, first, last, WhichSymbols(None, "all"), datetime.now(UTC))


def test_a_history_is_filled_and_found_complete_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Site(25) as site:
        for name, value in site.environment().items():
            monkeypatch.setenv(name, value)
        settings = load_settings(overrides={"data": {"provider": "polygon"}})
        job = small_job(tmp_path, settings, date(2024, 6, 24))
        store = FolderStore(tmp_path / "lake")
        filled = fill_history(job, store, confirm=True)
        assert filled.rows == 25 * 5 == len(stored_bars(tmp_path / "lake"))
        assert filled.report is not None
        assert filled.report["counts"] == {"complete": 5}
        assert wrong_bars(site, tmp_path / "lake").empty
        again = fill_history(job, store, confirm=True)
        assert (again.rows, again.report) == (0, None)


@pytest.mark.slow
def test_no_month_is_run_on_half_a_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(25, first=date(2024, 6, 27)) as site:
        for name, value in site.environment().items():
            monkeypatch.setenv(name, value)
        settings = load_settings(overrides={"data": {"provider": "polygon"}})
        job = small_job(tmp_path, settings, date(2024, 6, 24))
        with pytest.raises(DataError, match="3 of 5 sessions are still to come .*2024-06-24"):
            fill_history(job, FolderStore(tmp_path / "lake"), confirm=True)
        monkeypatch.setenv("TRADING_DATA__PROVIDERS__POLYGON__REQUESTS_PER_MINUTE", "1")
        slow = load_settings(overrides={"data": {"provider": "polygon"}})
        with pytest.raises(ConfigurationError, match="begin it with --yes"):
            fill_history(small_job(tmp_path, slow, date(2024, 6, 24)),
                         FolderStore(tmp_path / "lake"), confirm=True)  # fmt: skip


def keep_universe(home: Path, names: list[str]) -> None:
    """Keep a universe at a home, as `trading universe build` does."""
    versions = UniverseVersions(FolderStore(home / "universes"), "russell-3000")
    settings = load_settings().universe
    versions.keep(rebalance(None, names, date(2021, 1, 1), settings, source="test"))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("provider", ["polygon", "yahoo", "alpha_vantage"])
def test_a_month_at_300_symbols_and_three_years_killed_and_continued(
    tmp_path: Path, provider: str
) -> None:
    home, span = tmp_path / "home", {"first": date(2021, 1, 4), "last": date(2023, 12, 29)}
    with Site(300, rate=0.02, faults=LOUD, **span) as site:
        keep_universe(home, site.names)
        environment = site.environment(TRADING_HOME=str(home))
        arguments = (
            "month", "--provider", provider, "--as-of", AS_OF.isoformat(), "--yes", "--json",
            "--history-from", "2021-01-04",
            "--set", "training.slot_steps=30000", "--set", "training.folds=2",
        )  # fmt: skip
        process = start(arguments, environment)
        deadline = time.monotonic() + 300
        while sum(site.seen.values()) < 40:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "nothing was asked"
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        asked = sum(site.seen.values())
        done = _run(arguments, environment)
        assert done["status"] == "SUCCEEDED", done
        assert done["signals"]["count"] >= 50
        assert done["bars"]["missing"] == []
        # what was kept before the kill was not asked again
        planned = 753 if provider == "polygon" else 300
        assert sum(site.seen.values()) < planned + 0.15 * planned + 40
        assert asked >= 40


def _run(arguments: tuple[str, ...], environment: dict[str, str]) -> dict[str, Any]:
    process: subprocess.Popen[str] = start(arguments, environment)
    out, err = process.communicate(timeout=1500)
    assert process.returncode == 0, err[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found
