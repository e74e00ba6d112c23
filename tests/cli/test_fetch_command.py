"""`trading fetch` and `trading backfill` against a local server that answers as the services do."""

import errno
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fetch_examples import Site, stored_bars, wrong_bars

from trading.cli.app import main
from trading.data.lake import Lake
from trading.data.store import folder
from trading.market.calendar import sessions_between

SPAN = ("--from", "2024-06-03", "--to", "2024-06-28")
SESSIONS = len(sessions_between(date(2024, 6, 3), date(2024, 6, 28)))
Command = Callable[..., "Answer"]


class Answer:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def told(self) -> str:
        """All that was printed, on one line."""
        return " ".join((self.out + self.err).split())

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TRADING_DATA__MIN_SYMBOLS", "1")

    def made(*arguments: str, env: dict[str, str] | None = None) -> Answer:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Answer(int(ended.value.code or 0), out, err)

    return made


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as served:
        yield served


FUTURE = "2035-01-03"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backfill",), "Missing option '--from'"),
        (("backfill", "--from", "soon"), "Invalid value for '--from'"),
        (("backfill", "--from", "2024-06-28", "--to", "2024-06-03"), "is after --to 2024-06-03"),
        (("backfill", "--from", FUTURE, "--to", "2035-01-05"), "is not over at"),
        (("backfill", "--from", "1985-01-02", "--to", "1985-02-01"), "known from 1990-01-01"),
        (("backfill", *SPAN, "--exchange", "NOWHERE"), "is not a calendar"),
        (
            ("backfill", "--from", "1996-06-03", "--to", "1996-06-28", "--exchange", "XTKS"),
            "the sessions of XTKS are known from 1997-01-01",
        ),
        (("backfill", *SPAN, "--provider", "bloomberg"), "'bloomberg' is unknown; expected one of"),
        (("backfill", *SPAN, "--provider", "files"), "--provider 'files' is unknown"),
        (("fetch", "--set", "data.provider=files"), "`trading month --bars FILE...`"),
        (("backfill", *SPAN, "--provider", "iex"), "IEX Cloud was shut down"),
        (("backfill", *SPAN, "--provider", "yahoo", "--dry-run"), "cannot list the market; name"),
        (("backfill", *SPAN, "--provider", "yahoo", "--whole-market", "--dry-run"),
         "cannot list the market"),
        (("backfill", *SPAN, "--provider", "polygon"), "set $POLYGON_API_KEY"),
        (("fetch", "--provider", "alpha_vantage"), "set $ALPHA_VANTAGE_API_KEY"),
        (("backfill", *SPAN, "--symbols", "A", "--whole-market"), "exclude each other"),
        (("backfill", *SPAN, "--symbols", "a/b/../c d'"), "is no symbol"),
        (("backfill", *SPAN, "--lake", " "), "--lake is empty"),
        (("backfill", *SPAN, "--lake", "ftp://x", "--dry-run"), "names no store"),
        (("backfill", *SPAN, "--set", "data.providers.polygon.plan=gold", "--provider",
          "polygon", "--dry-run"), "plan is 'gold'; expected one of free, paid"),
        (("fetch", "--session", FUTURE), "is not over at"),
        (("fetch", "--session", "2024-13-01"), "Invalid value for '--session'"),
        (("fetch", "--nonsense"), "No such option: --nonsense"),
    ],
)  # fmt: skip
def test_misuse_is_one_sentence_that_says_what_to_do(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    answer = command(*arguments)
    # A lake's address is refused as a store's failure; everything else is misuse.
    assert answer.code == (1 if "ftp://x" in arguments else 2), answer.err
    assert answer.err.startswith("error: ")
    assert told in answer.told
    assert answer.err.count("\n") == 1
    assert not any((tmp_path / "home").glob("*/"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("backfill", "--from", "2024-07-04", "--to", "2024-07-04"),
        ("backfill", "--from", "2024-06-29", "--to", "2024-06-30"),
        ("fetch", "--session", "2024-12-25"),
    ],
)
def test_holidays_are_nothing_to_do(command: Command, arguments: tuple[str, ...]) -> None:
    answer = command(*arguments, "--provider", "yahoo", "--json")
    assert answer.code == 3
    assert "nothing to do" in answer.err
    assert "session" in answer.json()["why"]


def test_a_plan_alone_needs_no_key_asks_nothing_and_writes_nothing(
    command: Command, tmp_path: Path
) -> None:
    plan = ("--provider", "polygon", "--dry-run", "--set", "data.providers.polygon.plan=free")
    shown = command("backfill", "--from", "2021-01-04", "--to", "2023-12-29", *plan)
    assert shown.code == 0
    assert "753 bars of the market, a request a session" in shown.told
    assert "5 a minute, 1 at once" in shown.told
    assert "27 holidays" in shown.told
    told = command("backfill", "--from", "2021-01-04", "--to", "2023-12-29", *plan, "--json")
    found = told.json()["plan"]
    assert found["sessions"]["to_ask"] == 753
    assert found["seconds"]["requests"] == pytest.approx((found["calls"]["total"] - 1) * 12)
    assert not (tmp_path / "home").exists()


def test_a_session_is_fetched_judged_and_not_asked_again(
    command: Command, site: Site, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    arguments = ("fetch", "--session", "2024-06-28", "--provider", "polygon", "--lake", str(lake))
    first = command(*arguments, env=site.environment())
    assert first.code == 0, first.err
    assert "1 complete; 30 bars from polygon" in first.told
    assert "verdict pass" in first.told
    page = lake / "data/2024/06/28/quality.html"
    assert str(page) in first.told.replace(" ", "")
    assert "2024-06-28" in page.read_text()
    asked = dict(site.seen)
    again = command(*arguments)
    assert (again.code, site.seen) == (3, asked)
    assert "held already" in again.err
    assert wrong_bars(site, lake).empty
    assert len(stored_bars(lake)) == 30


SLOWLY = [pytest.param(name, marks=pytest.mark.slow) for name in ("yahoo", "alpha_vantage", "iex")]


@pytest.mark.parametrize("provider", ["polygon", *SLOWLY])
def test_a_month_of_every_provider_is_the_markets(
    command: Command, site: Site, tmp_path: Path, provider: str
) -> None:
    lake, names = tmp_path / "lake", ",".join(site.names[1:8])
    arguments = ("backfill", *SPAN, "--provider", provider, "--symbols", names, "--lake", str(lake))
    answer = command(*arguments, "--json", env=site.environment())
    assert answer.code == 0, answer.err
    told = answer.json()
    assert told["outcome"]["counts"] == {"complete": SESSIONS}
    assert told["outcome"]["missing"] == []
    assert told["account"]["bars"] == 7 * SESSIONS == len(stored_bars(lake))
    # nothing failed: what is certain of the plan was sent, and no more than the pages besides
    certain = sum(c["calls"] for c in told["plan"]["calls"]["by_kind"] if c["exact"])
    assert certain == 7
    assert certain <= site.seen[provider] <= told["plan"]["calls"]["total"]
    assert told["account"]["calls"] == site.seen[provider]
    assert wrong_bars(site, lake).empty
    assert command(*arguments).code == 3
    pace = json.loads((tmp_path / "home" / "provider-pace.json").read_text())
    assert pace["providers"][provider]["calls"] == site.seen[provider]


@pytest.mark.slow
def test_faults_end_complete_or_with_the_exact_list(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Site(12, rate=0.2, seed=5) as site:
        names = ",".join([*site.names[1:], "NOBODY"])
        environment = site.environment(TRADING_DATA__PROVIDERS__TIMEOUT_SECONDS="0.3")
        arguments = ("backfill", *SPAN, "--symbols", names, "--lake", str(lake), "--json")
        answer = command(*arguments, "--provider", "yahoo", env=environment)
        told = answer.json()
        assert len(site.services.injected) > 2
        missing = told["outcome"]["missing"]
        assert [gap["symbol"] for gap in missing if not gap["may_pass"]] == ["NOBODY"]
        assert (answer.code == 1) == any(gap["may_pass"] for gap in missing)
        assert told["account"]["bars"] + sum(g["sessions"] for g in missing) == 12 * SESSIONS
        assert any("NOBODY" in alert for alert in told["outcome"]["alerts"])
        assert wrong_bars(site, lake).empty


def test_a_wrong_key_stops_and_is_not_printed(command: Command, site: Site, tmp_path: Path) -> None:
    environment = site.environment(POLYGON_API_KEY="canary-4711", ALPHA_VANTAGE_API_KEY="cAnary8")
    for provider in ("polygon", "alpha_vantage"):
        answer = command(
            "backfill", *SPAN, "--provider", provider, "--symbols", "T0001",
            "--lake", str(tmp_path / "lake"), env=environment,
        )  # fmt: skip
        assert answer.code == 1
        assert f"{SESSIONS} failed" in answer.told
        assert "key" in answer.told.lower()
        assert "canary" not in answer.told.lower()
    assert site.seen == {"polygon": 1, "alpha_vantage": 1}


def test_what_takes_long_is_begun_by_yes_only(command: Command, site: Site, tmp_path: Path) -> None:
    arguments = ("backfill", *SPAN, "--provider", "polygon", "--lake", str(tmp_path / "lake"))
    slow = site.environment(TRADING_DATA__PROVIDERS__POLYGON__REQUESTS_PER_MINUTE="5")
    answer = command(*arguments, env=slow)
    assert answer.code == 2
    assert "begin it with --yes" in answer.told
    assert site.seen == {}


@pytest.mark.slow
def test_a_lake_of_another_market_is_refused(command: Command, site: Site, tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    small = ("--set", "data.simulated.symbols=25", "--set", "data.simulated.start=2024-01-02")
    made = command("backfill", *SPAN, "--provider", "simulated", "--lake", lake, *small)
    assert made.code == 0, made.err
    mixed = command(
        "fetch", "--session", "2024-05-31", "--provider", "polygon", "--lake", lake,
        env=site.environment(),
    )  # fmt: skip
    assert mixed.code == 1
    assert "would mix with them" in mixed.told


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_rerun_completes(
    command: Command, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, write, written = tmp_path / "lake", folder._write, [0]

    def full(path: Path, body: bytes) -> None:
        written[0] += 1
        if written[0] > 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, body)

    arguments = ("backfill", *SPAN, "--provider", "polygon", "--lake", str(lake))
    with monkeypatch.context() as patched:
        patched.setattr(folder, "_write", full)
        answer = command(*arguments, env=site.environment())
    assert answer.code == 1
    assert "No space left on device" in answer.told
    assert "the same command then continues where this one ended" in answer.told
    assert wrong_bars(site, lake).empty
    held = len(Lake(folder.FolderStore(lake)).sessions())
    assert 0 < held < SESSIONS
    again = command(*arguments, "--json")
    assert again.code == 0, again.err
    assert again.json()["plan"]["sessions"]["held"] >= held
    assert len(stored_bars(lake)) == 30 * SESSIONS
    assert wrong_bars(site, lake).empty


def test_a_disk_that_cannot_hold_it_is_told_before_anything_is_asked(
    command: Command, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.cli.filling._free_bytes", lambda _: 1_000)
    answer = command(
        "backfill", *SPAN, "--provider", "polygon", "--lake", str(tmp_path / "lake"),
        env=site.environment(),
    )  # fmt: skip
    assert answer.code == 2
    assert "where 1.0 kB are free" in answer.told
    assert "begin it with --yes" in answer.told
    assert site.seen == {}


@pytest.mark.slow
def test_a_quota_that_is_used_up_leaves_the_rest_to_the_next_day(
    command: Command, site: Site, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    arguments = (
        "backfill", *SPAN, "--provider", "alpha_vantage", "--symbols", ",".join(site.names[1:13]),
        "--lake", str(lake), "--yes", "--json",
    )  # fmt: skip
    quota = "TRADING_DATA__PROVIDERS__ALPHA_VANTAGE__REQUESTS_PER_DAY"
    first = command(*arguments, env=site.environment() | {quota: "9"})
    assert first.json()["plan"]["days_of_quota"] == 2
    assert site.seen == {"alpha_vantage": 9}
    assert first.code == 1
    second = command(*arguments)
    assert second.code == 0, second.err
    assert site.seen == {"alpha_vantage": 12}
    assert len(stored_bars(lake)) == 12 * SESSIONS
    assert wrong_bars(site, lake).empty
