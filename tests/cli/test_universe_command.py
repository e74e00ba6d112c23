"""`trading universe`: build, rebalance, show, report, as a user types them."""

import json
from pathlib import Path

import pytest

from trading.cli.app import main

IWV = """iShares Russell 3000 ETF
Fund Holdings as of,"{day}"

Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Quantity,Price,Exchange
{lines}
"""
LISTING = """as_of,symbol,name,lastsale,volume,marketCap,country
2025-06-30,AAA,Aaa Inc. Common Stock,$10,5,900000000,United States
2025-06-30,BBB,Bbb Inc. Common Stock,$10,5,800000000,United States
2025-06-30,CCC,Ccc Inc. Common Stock,$10,5,700000000,United States
2025-06-30,DDD,Ddd Inc. Common Stock,$10,5,,United States
"""  # fmt: skip


def iwv(folder: Path, day: str, *symbols: str) -> str:
    lines = "\n".join(
        f'"{symbol}","{symbol} INC","Tech","Equity","{1000 - i}","1","1","1","NYSE"'
        for i, symbol in enumerate(symbols)
    )
    file = folder / f"{day.replace(' ', '').replace(',', '')}.csv"
    file.write_text(IWV.format(day=day, lines=lines))
    return str(file)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["universe", *arguments])
    return int(ended.value.code or 0)


def test_lists_are_replayed_shown_and_reported(
    at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = iwv(at, "Jun 30, 2024", "AAA", "BBB")
    two = iwv(at, "Jun 30, 2025", "CCC", "AAA")
    assert run("rebalance", two, one, "--json") == 0
    steps = json.loads(capsys.readouterr().out)["rebalances"]
    assert [step["as_of"] for step in steps] == ["2024-06-30", "2025-06-30"]
    assert steps[1]["symbols"]["archived"] == ["BBB"]
    assert steps[1]["churn_percent"] == 50.0
    assert run("rebalance", one, two) == 3
    capsys.readouterr()
    assert run("show", "--on", "2025-01-01", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [slot["symbol"] for slot in shown["slots"]] == ["AAA", "BBB"]
    assert run("report", "--json") == 0
    assert json.loads(capsys.readouterr().out)["symbols"]["added"] == ["CCC"]
    assert run("report") == 0
    assert "moved to archive 1: BBB" in capsys.readouterr().out
    assert run("show") == 0
    assert "2 active, 1 archived, 3600" in " ".join(capsys.readouterr().out.split())


def test_a_universe_is_built_by_size(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = at / "listing.csv"
    listing.write_text(LISTING)
    members = at / "members.csv"
    members.write_text("Symbol\nBBB\nCCC\nDDD\n")
    arguments = ("build", "--listing", str(listing), "--members", str(members), "--count", "1")
    assert run(*arguments, "--name", "top", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["symbols"]["added"] == ["BBB"]
    assert report["without_market_cap"] == ["DDD"]
    assert run(*arguments, "--name", "top") == 3
    capsys.readouterr()
    assert run("build", "--listing", str(listing), "--store", str(at / "elsewhere")) == 0
    assert "3 active" in capsys.readouterr().out


def test_misuse_and_nothing_are_told_apart(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build") == 2
    assert run("show") == 3
    assert run("report", "--name", "Bad Name") == 1
    assert "Traceback" not in capsys.readouterr().err
