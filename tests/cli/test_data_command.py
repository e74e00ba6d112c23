"""`trading data check`: files and lakes in, a verdict and an exit code out."""

import json
from collections.abc import Callable
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
from trading.market.calendar import sessions_between

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["data", "check", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def bars(exchange: str = "XNYS") -> pd.DataFrame:
    days = sessions_between(date(2023, 1, 3), date(2023, 12, 29), exchange)
    random = np.random.default_rng(0)
    frames = []
    for symbol in ("AAA", "BBB"):
        close = 40 * np.exp(np.cumsum(0.01 * random.standard_normal(len(days))))
        frames.append(
            pd.DataFrame(
                {"date": days.astype("datetime64[s]"), "symbol": symbol, "open": close}
                | {"high": close * 1.01, "low": close * 0.99, "close": close}
                | {"volume": 1000.0, "adjusted_close": close}
            )
        )
    return pd.concat(frames, ignore_index=True).astype({"symbol": "str"})


def hundredfold(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[50:55, ["open", "high", "low", "close", "adjusted_close"]] *= 100
    return frame


def test_good_files_pass(run: Run, tmp_path: Path) -> None:
    bars().to_csv(tmp_path / "good.csv", index=False)
    code, out, _ = run(tmp_path / "good.csv", "--json")
    told = json.loads(out)
    assert (code, told["verdict"], told["findings"], told["symbols"]) == (0, "pass", [], 2)


def test_bad_files_fail_and_say_why_in_json_text_and_page(run: Run, tmp_path: Path) -> None:
    hundredfold(bars()).to_parquet(tmp_path / "bad.parquet")
    code, out, _ = run(
        tmp_path / "bad.parquet", "--html", tmp_path / "p.html", "--out", tmp_path / "p.json"
    )
    assert code == 1
    assert "hundredfold price" in out
    assert "can be repaired: AAA" in out
    assert "hundredfold price" in (tmp_path / "p.html").read_text()
    told = json.loads((tmp_path / "p.json").read_text())
    assert [repair["rows"] for repair in told["repairs"]] == [6]


def test_rows_that_are_refused_are_explained(run: Run, tmp_path: Path) -> None:
    bars().assign(close=-1.0).to_csv(tmp_path / "bad.csv", index=False)
    code, out, _ = run(tmp_path / "bad.csv", "--json")
    told = json.loads(out)
    assert (code, told["verdict"]) == (1, "fail")
    assert "unusable" in told["reasons"][0]
    assert told["findings"][0]["kind"] == "nonpositive_price"


def test_a_foreign_calendar_is_recognised(run: Run, tmp_path: Path) -> None:
    own = bars("XLON")
    own[own["symbol"] == "AAA"].drop(columns="symbol").to_csv(tmp_path / "AAA-1d.csv", index=False)
    code, out, err = run(tmp_path / "AAA-1d.csv", "--json")
    assert (code, json.loads(out)["findings"]) == (0, [])
    assert "XLON" in err


def test_a_lake_is_checked_and_its_quarantine_told(run: Run, tmp_path: Path) -> None:
    lake = Lake(FolderStore(tmp_path / "lake"))
    report = IngestReport("test", 0, 0, 0, None, None).describing(bars())
    lake.ingest(FetchResult(bars(), (), report), simulated=False)
    lake.quarantine(date(2023, 12, 29), ["too few symbols"])
    code, out, _ = run("--lake", tmp_path / "lake", "--json")
    told = json.loads(out)
    assert (code, told["last"]) == (0, "2023-12-28")
    assert told["quarantined"] == {"2023-12-29": "too few symbols"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "either files or --lake"),
        (["no.csv"], "there is no file"),
        (["--lake", "nowhere"], "serves no bars"),
    ],
)
def test_misuse_is_one_clear_sentence(run: Run, arguments: list[str], sentence: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err
