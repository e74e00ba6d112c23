"""Stored bars from the command line: backtests on a lake, its rebuild, its copy."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.cli.app import main
from trading.data.lake import Lake
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.store.folder import FolderStore
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData
from trading.market.calendar import sessions_between

FIRST, LAST = date(2023, 1, 3), date(2023, 12, 29)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a lake of two names, one of which splits 4:1 in June."""
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    days = sessions_between(FIRST, LAST)
    split = np.flatnonzero(days >= np.datetime64("2023-06-15"))[0]
    frames = []
    for symbol in ("AAA", "BBB"):
        close = np.linspace(100.0, 120.0, len(days))
        if symbol == "BBB":
            close[split:] /= 4
        values = dict.fromkeys(("open", "high", "low", "close"), close)
        frame = pd.DataFrame({"date": days.astype("datetime64[s]"), "symbol": symbol} | values)
        frames.append(frame.assign(volume=1e6, adjusted_close=np.nan))
    bars = pd.concat(frames, ignore_index=True).astype({"symbol": "str"})
    report = IngestReport("a vendor", len(bars), 0, 0, None, None).describing(bars)
    held = Lake(FolderStore(tmp_path / "lake"))
    held.ingest(FetchResult(bars, (), report), simulated=False, adjusted_through=date.min)
    action = CorporateAction("BBB", days[split].astype(object), CorporateActionType.SPLIT, 4.0)
    held.ingest_actions([action], adjusted_through=date.min)
    records = [
        FundamentalData("AAA", LAST, sector="Energy"),
        FundamentalData("BBB", LAST, sector="Utilities"),
    ]
    held.ingest_fundamentals(records, source="a vendor")
    return tmp_path / "lake"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return int(ended.value.code or 0)


@pytest.mark.slow
def test_a_backtest_reads_a_lake_and_its_sectors(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("backtest", "momentum", "--from", "2023-03-01", "--to", "2023-12-29", "--json")
    # Without sectors all names form one, and the limit would be refused.
    limited = ("--set", "risk.max_sector.limit=0.6")
    assert run(*given, *limited, "--lake", lake) == 0
    said = capsys.readouterr()
    assert "bars from Parquet lake at file://" in " ".join(said.err.split())
    told = json.loads(said.out)
    assert "stored bars (a vendor)" in json.dumps(told)
    assert run(*given, "--lake", lake, "--bars", lake / "x.parquet") == 2
    assert run(*given, "--lake", lake.parent / "nothing") == 1
    assert "trading backfill" in capsys.readouterr().err


def test_a_lake_is_told_what_a_delisting_paid_and_a_backtest_pays_it(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = sessions_between(FIRST, LAST)
    gone = pd.DataFrame({"date": days[:150].astype("datetime64[s]"), "symbol": "GONE"})
    noise = np.random.default_rng(1).standard_normal(150)
    values = np.linspace(10.0, 30.0, 150) * np.exp(0.02 * noise)
    gone = gone.assign(**dict.fromkeys(("open", "high", "low", "close"), values))
    gone = gone.assign(volume=1e6, adjusted_close=np.nan).astype({"symbol": "str"})
    report = IngestReport("a vendor", len(gone), 0, 0, None, None).describing(gone)
    held = Lake(FolderStore(lake))
    held.ingest(FetchResult(gone, (), report), simulated=False, adjusted_through=date.min)
    # Told weeks after the last bar, as a court or an exchange does.
    told = days[180].astype(object)
    plan = ("--param", "lookback_period=21", "--param", "threshold=0.05")

    def worth(*how: object) -> float:
        given = ("data", "delisted", "gone", "--on", told, "--lake", lake, "--json", *how)
        assert run(*given) == 0
        assert run(*given) == 3
        capsys.readouterr()
        years = ("--from", "2023-03-01", "--to", "2023-12-29", "--lake", lake, "--json")
        assert run("backtest", "momentum", *plan, *years) == 0
        return float(json.loads(capsys.readouterr().out)["account"]["final_equity"])

    unknown, nothing, third = worth(), worth("--return", "-1"), worth("--return", "-0.3")
    assert nothing < third < unknown
    assert (unknown - third) / (unknown - nothing) == pytest.approx(0.3, abs=0.02)
    for wrong, said in (
        (("--return", "-2"), "cannot be"),
        (("--on", "2023-03-01"), "has a bar on"),
    ):
        assert run("data", "delisted", "GONE", "--on", told, "--lake", lake, *wrong) in (1, 2)
        assert said in " ".join(capsys.readouterr().err.split())
    assert run("data", "delisted", "NOBODY", "--on", told, "--lake", lake) == 1


def test_a_lake_is_rebuilt(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "rebuild", "--lake", lake, "--json") == 3
    capsys.readouterr()
    (lake / "bars/year=2023.parquet").write_bytes(b"broken")
    assert run("data", "rebuild", "--lake", lake, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["years_written"], made["sessions"]) == (1, 250)


def test_a_copy_needs_somewhere_to_go(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "copy", "--lake", lake) == 2
    assert "--store postgresql://" in capsys.readouterr().err
    place = lake.parent / "second"
    assert run("data", "copy", "--lake", lake, "--store", place, "--json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == 500
    assert run("data", "copy", "--lake", lake, "--store", place) == 3
    assert run("data", "copy", "--lake", lake.parent / "nothing", "--store", place) == 1
