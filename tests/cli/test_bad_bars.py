"""Files of bars as users have them, through the reader that the command uses, and the command."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.cli.app import main
from trading.config import Settings
from trading.data.lake import Lake
from trading.data.providers import open_provider
from trading.data.store.folder import FolderStore
from trading.errors import DataError
from trading.market.calendar import sessions_between
from trading.month.backfill import Backfilled, fetch_history, ingest_history

AS_OF = date(2019, 12, 2)
Read = Callable[..., tuple[Backfilled, Lake]]


def make_bars(symbols: int = 25, sessions: int = 30) -> pd.DataFrame:
    """Return plausible bars that end on the last session before `AS_OF`."""
    days = sessions_between(date(2016, 1, 4), date(2019, 11, 29))[-sessions:]
    shape = (symbols, len(days))
    random = np.random.default_rng(7)
    close = 40 * np.exp(np.cumsum(0.02 * random.standard_normal(shape), axis=1))
    return pd.DataFrame(
        {
            "date": np.tile(days.astype("datetime64[s]"), symbols),
            "symbol": np.repeat([f"S{i:04d}" for i in range(symbols)], len(days)),
            "open": close.ravel(),
            "high": close.ravel() * 1.01,
            "low": close.ravel() * 0.99,
            "close": close.ravel(),
            "volume": random.integers(10_000, 90_000, shape).ravel().astype(float),
            "adjusted_close": close.ravel() * 0.9,
        }
    )


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Bring files into a lake, as the command does."""

    def made(*files: Path) -> tuple[Backfilled, Lake]:
        settings = Settings()
        fetched, following = fetch_history(open_provider(settings, files), settings)
        assert following >= fetched.report.last  # type: ignore[operator]
        lake = Lake(FolderStore(tmp_path / "lake"))
        return ingest_history(fetched, lake, AS_OF), lake

    return made


def spoil(column: str, value: object, rows: int = 5) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def made(bars: pd.DataFrame) -> pd.DataFrame:
        spoilt = bars.copy()
        spoilt.loc[spoilt.index[40 : 40 + rows], column] = value
        return spoilt

    return made


def crossed(bars: pd.DataFrame) -> pd.DataFrame:
    return spoil("high", 1.0, 5)(bars)


@pytest.mark.parametrize(
    ("damage", "book", "reason", "count"),
    [
        (lambda b: pd.concat([b, b[:7]]), "dropped", "duplicate", 7),
        (lambda b: pd.concat([b, b[:7].assign(close=b["close"] * 1.001)]), "dropped",
         "conflicting_duplicate", 7),
        (lambda b: b.sample(frac=1.0, random_state=1), "repairs", "out_of_order", None),
        (spoil("close", -1.0), "dropped", "nonpositive_price", 5),
        (spoil("close", 0.0), "dropped", "nonpositive_price", 5),
        (spoil("open", np.inf), "dropped", "infinite_price", 5),
        (spoil("volume", np.inf), "repairs", "impossible_volume_to_unknown", 5),
        (spoil("volume", -3.0), "repairs", "impossible_volume_to_unknown", 5),
        (spoil("close", np.nan), "dropped", "no_close", 5),
        (spoil("adjusted_close", np.nan), "repairs", "adjusted_close_from_close", 5),
        (crossed, "dropped", "high_below_low", 5),
        (spoil("date", pd.Timestamp("2999-01-04")), "dropped", "future_date", 5),
        (spoil("date", pd.Timestamp("2019-11-30")), "dropped", "not_a_session", 5),
        (spoil("date", pd.NaT), "dropped", "no_date", 5),
        (spoil("symbol", "株式"), "dropped", "no_symbol", 5),
        (spoil("symbol", "ｓ０００１"), "repairs", "symbol_spelling", 5),
    ],
)  # fmt: skip
def test_spoilt_rows_are_accepted_with_a_count(
    read: Read,
    tmp_path: Path,
    damage: Callable[[pd.DataFrame], pd.DataFrame],
    book: str,
    reason: str,
    count: int | None,
) -> None:
    bars = make_bars()
    damage(bars).to_parquet(tmp_path / "bars.parquet")
    filled, lake = read(tmp_path / "bars.parquet")
    assert filled.report is not None
    assert filled.report["verdict"] == "repaired"
    found = filled.report[book][reason]
    assert found == count if count is not None else found > 0
    read_rows, kept = filled.report["rows_read"], filled.report["rows_kept"]
    assert read_rows == kept + sum(filled.report["dropped"].values())
    panel = lake.panel(before=AS_OF)
    assert int(np.isfinite(panel.close).sum()) == kept == filled.rows
    assert not np.isinf(panel.close).any()
    assert (panel.close[np.isfinite(panel.close)] > 0).all()


def test_clean_files_are_clean_and_whole(read: Read, tmp_path: Path) -> None:
    bars = make_bars()
    bars.to_parquet(tmp_path / "bars.parquet")
    filled, lake = read(tmp_path / "bars.parquet")
    assert filled.report is not None
    assert filled.report["verdict"] == "clean"
    panel = lake.panel(before=AS_OF)
    close = bars.pivot(index="date", columns="symbol", values="close")
    np.testing.assert_array_equal(panel.close, close.to_numpy())


def test_two_files_with_the_same_rows_count_once(read: Read, tmp_path: Path) -> None:
    bars = make_bars()
    bars.to_parquet(tmp_path / "a.parquet")
    bars.to_csv(tmp_path / "b.csv", index=False)
    filled, _ = read(tmp_path / "a.parquet", tmp_path / "b.csv")
    assert filled.report is not None
    assert filled.report["dropped"] == {"duplicate": len(bars)}
    assert filled.rows == len(bars)


def test_a_folder_is_read_as_its_files(read: Read, tmp_path: Path) -> None:
    bars, folder = make_bars(), tmp_path / "bars"
    folder.mkdir()
    bars[:300].to_parquet(folder / "a.parquet")
    bars[300:].to_csv(folder / "b.csv", index=False)
    (folder / "README").write_text("not bars")
    filled, _ = read(folder)
    assert filled.rows == len(bars)


def test_other_column_names_are_understood(read: Read, tmp_path: Path) -> None:
    names = {"date": "Date", "symbol": "Ticker", "open": "Open", "high": "High", "low": "Low"}
    names |= {"close": "Close", "volume": "Volume", "adjusted_close": "Adj Close"}
    bars = make_bars()
    bars.rename(columns=names).to_csv(tmp_path / "bars.csv", index=False)
    filled, lake = read(tmp_path / "bars.csv")
    assert filled.rows == len(bars)
    assert lake.panel(before=AS_OF).adjusted_close[0, 0] == pytest.approx(bars["adjusted_close"][0])


def test_bars_of_later_days_are_left_out_of_the_month(read: Read, tmp_path: Path) -> None:
    bars = make_bars()
    later = bars.assign(date=pd.Timestamp("2019-12-02")).drop_duplicates(["date", "symbol"])
    pd.concat([bars, later]).to_parquet(tmp_path / "bars.parquet")
    filled, lake = read(tmp_path / "bars.parquet")
    assert filled.rows == len(bars)
    assert lake.sessions()[-1] == np.datetime64("2019-11-29")


def test_twenty_symbols_are_enough_and_nineteen_are_not(read: Read, tmp_path: Path) -> None:
    make_bars(20).to_parquet(tmp_path / "20.parquet")
    make_bars(19).to_parquet(tmp_path / "19.parquet")
    filled, _ = read(tmp_path / "20.parquet")
    assert filled.report is not None
    assert filled.report["symbols"] == 20
    with pytest.raises(DataError, match=r"bars of 19 symbols; at least 20 .*min_symbols"):
        read(tmp_path / "19.parquet")


def refused(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Return files that must be refused, and a word of the reason."""
    bars = make_bars()
    bars.to_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    files = {
        "empty": ("empty.parquet", b"", "is empty (0 bytes)"),
        "truncated": ("cut.parquet", whole[: len(whole) // 2], "cannot be read"),
        "text": ("words.parquet", b"these are words\n", "cannot be read"),
        "only a header": ("head.csv", b"date,symbol,open,high,low,close,volume\n", "no rows"),
        "spreadsheet": ("bars.xlsx", b"PK", "neither Parquet nor CSV"),
        "binary csv": ("bars.csv", bytes(range(256)) * 8, ""),
    }
    for name, content, _ in files.values():
        (tmp_path / name).write_bytes(content)
    frames = {
        "missing column": (bars.drop(columns="close"), "close"),
        "NaN": (bars.assign(close=np.nan), "'close' holds no number"),
        "mostly NaN": (bars.assign(close=bars["close"].where(bars.index % 4 == 0)), "unusable"),
        "negative": (bars.assign(close=-bars["close"]), "100.0% of its 750 rows are unusable"),
        "infinite": (bars.assign(high=np.inf), "infinite price"),
        "no symbol": (bars.assign(symbol=""), "no symbol"),
        "weekends": (bars.assign(date=pd.Timestamp("2019-11-30")), "not a session"),
        "future": (bars.assign(date=pd.Timestamp("2999-01-04")), "future date"),
        "later": (bars.assign(date=bars["date"] + pd.Timedelta(days=2 * 364)), "no bars before"),
    }
    for name, (frame, _) in frames.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "folder").mkdir()
    return (
        {case: (tmp_path / name, reason) for case, (name, _, reason) in files.items()}
        | {name: (tmp_path / f"{name}.parquet", reason) for name, (_, reason) in frames.items()}
        | {
            "empty folder": (tmp_path / "folder", "holds no Parquet or CSV file"),
            "missing": (tmp_path / "none.csv", "there is no file"),
        }
    )


@pytest.mark.slow
def test_the_command_refuses_what_it_cannot_use_before_the_cloud_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("TRADING_HOME", str(home))
    (tmp_path / "files").mkdir()
    for case, (file, reason) in refused(tmp_path / "files").items():
        with pytest.raises(SystemExit) as ended:
            main(["month", "--bars", str(file), "--as-of", AS_OF.isoformat(), "--json"])
        out, err = capfd.readouterr()
        assert ended.value.code == 1, case
        assert "Traceback" not in err, case
        assert "errors.log" not in err, (case, err)
        (told,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert reason in told, (case, told)
        assert out == "", case
        assert not any(home.glob("*/")), case
