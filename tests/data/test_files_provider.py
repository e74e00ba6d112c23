"""Real bars out of Parquet and CSV files."""

import asyncio
import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from bar_examples import make_bars

from trading.config import Settings
from trading.data.providers import open_provider
from trading.data.providers.base import FetchResult
from trading.data.providers.files import FilesProvider
from trading.errors import ConfigurationError, DataError

START, END = date(2000, 1, 1), date(2030, 1, 1)


def fetch(files: list[Path], settings: Settings, **window: date) -> FetchResult:
    span = {"start": START, "end": END} | window
    return asyncio.run(FilesProvider(files, settings).fetch(None, **span))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", ".tsv"])
def test_each_format_gives_the_same_bars(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"bars{ending}"
    if ending == ".parquet":
        bars.to_parquet(file)
    else:
        bars.to_csv(file, index=False, sep="\t" if ending == ".tsv" else ",")
    result = fetch([file], settings)
    pd.testing.assert_frame_equal(result.bars, bars)
    assert result.report.source == file.name
    assert result.report.verdict == "clean"


def test_semicolons_a_byte_order_mark_and_zoned_days(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "bars.csv"
    text = bars.assign(date=bars["date"].dt.strftime("%Y-%m-%d 00:00:00+09:00"))
    text.to_csv(file, index=False, sep=";", encoding="utf-8-sig")
    pd.testing.assert_frame_equal(fetch([file], settings).bars, bars)


def test_the_tickers_na_and_true_survive_csv(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    named = bars.replace({"symbol": {"S000": "NA", "S001": "TRUE", "S002": "NULL"}})
    named.to_csv(tmp_path / "bars.csv", index=False)
    assert set(fetch([tmp_path / "bars.csv"], settings).bars["symbol"]) == {"NA", "TRUE", "NULL"}


def test_a_bad_number_in_a_csv_costs_its_row_only(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    text = bars.astype({"close": object})
    text.loc[11, "close"] = "oops"
    text.to_csv(tmp_path / "bars.csv", index=False)
    result = fetch([tmp_path / "bars.csv"], settings)
    assert result.report.dropped == {"no_close": 1}
    pd.testing.assert_frame_equal(result.bars, bars.drop(index=11).reset_index(drop=True))


def test_a_folder_of_files_named_by_symbol(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    for symbol, rows in bars.groupby("symbol"):
        rows.drop(columns="symbol").to_csv(tmp_path / f"{symbol}.csv", index=False)
    result = fetch([tmp_path], settings)
    pd.testing.assert_frame_equal(result.bars, bars)
    bars.drop(columns="symbol").to_csv(tmp_path / "S003.csv", index=False)
    with pytest.raises(DataError, match=r"S003.csv lacks the column symbol"):
        fetch([tmp_path], settings)


def test_of_files_that_overlap_the_later_wins(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    bars.to_parquet(tmp_path / "a.parquet")
    other = bars.iloc[:10].copy()
    other.loc[2, "volume"] = 1.0
    other.to_csv(tmp_path / "b.csv", index=False)
    result = fetch([tmp_path / "a.parquet", tmp_path / "b.csv"], settings)
    assert result.report.dropped == {"duplicate": 9, "conflicting_duplicate": 1}
    assert result.bars.loc[2, "volume"] == 1.0
    assert len(result.bars) == len(bars)


def test_a_fetch_keeps_to_what_was_asked_for(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    bars.to_parquet(tmp_path / "a.parquet")
    provider = FilesProvider([tmp_path / "a.parquet"], settings)
    assert provider.last_session() == date(2024, 1, 12)
    some = asyncio.run(provider.fetch(["S001"], date(2024, 1, 2), date(2024, 1, 5)))
    assert set(some.bars["symbol"]) == {"S001"}
    assert (some.report.first, some.report.last) == (date(2024, 1, 2), date(2024, 1, 5))
    assert some.report.rows_read == len(some.bars) + some.report.dropped["outside_the_request"]
    cut = some.before(date(2024, 1, 4))
    assert cut.report.last == date(2024, 1, 3)
    assert cut.report.rows_kept == len(cut.bars) == 2
    with pytest.raises(DataError, match="from 2023-12-20 to 2024-01-12"):
        asyncio.run(provider.fetch(None, date(2024, 2, 1), date(2024, 2, 2)))


def test_unreadable_files_are_named_with_the_reason(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    bars.to_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    packed = gzip.compress(bars.to_csv(index=False).encode())
    cases = {
        "cut.parquet": (whole[: len(whole) // 2], "cut.parquet cannot be read"),
        "empty.parquet": (b"", "empty"),
        "cut.csv.gz": (packed[: len(packed) // 2], "cut.csv.gz"),
        "words.parquet": (b"not a Parquet file at all", "cannot be read"),
        "header.csv": (b"date,symbol,open,high,low,close,volume\n", "holds no rows"),
        "columns.csv": (b"date,symbol,open\n2024-01-02,A,1\n", "high, low, close, volume"),
        "latin.csv": (b"date,symbol,\xff\xfe\n", "cannot be read"),
        "bars.xlsx": (b"PK", "neither Parquet nor CSV"),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=reason):
            fetch([tmp_path / name], settings)
    with pytest.raises(DataError, match="there is no file"):
        fetch([tmp_path / "none.csv"], settings)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no Parquet or CSV"):
        fetch([tmp_path / "nothing"], settings)


def test_settings_and_files_choose_the_provider(settings: Settings, tmp_path: Path) -> None:
    assert open_provider(settings).simulated
    assert not open_provider(settings, [tmp_path]).simulated
    with pytest.raises(ConfigurationError, match="--bars"):
        open_provider(Settings.model_validate({"data": {"provider": "files"}}))


def test_the_source_is_told_without_its_folder(settings: Settings, tmp_path: Path) -> None:
    for i in range(5):
        make_bars(1, seed=i).assign(symbol=f"T{i}").to_parquet(tmp_path / f"{i}.parquet")
    report = fetch([tmp_path], settings).report
    assert report.source == "0.parquet, 1.parquet and 3 more files"


def test_a_file_of_too_many_rows_is_refused_unread(
    bars: pd.DataFrame, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars.to_parquet(file := tmp_path / "bars.parquet")
    monkeypatch.setattr("trading.data.providers.files.MOST_ROWS", 10)
    with pytest.raises(DataError, match=f"holds {len(bars):,} rows"):
        fetch([file], settings)


@pytest.mark.parametrize("head", [b"", b"date,symbol,open,high,low,close,volume\n"])
def test_a_gzip_bomb_is_refused(head: bytes, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv.gz"
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(head)
        for _ in range(70):
            stream.write(bytes(1 << 20))
    with pytest.raises(DataError, match="made to exhaust memory"):
        fetch([file], settings)


@pytest.mark.parametrize(
    "symbol", ["A/../../B", "..", "A/./B", "A//B", "/A", "=1+2", "@A", "<B>", "A\x00", "A\nB", "+A"]
)
def test_a_symbol_that_is_no_ticker_text_is_left_out(
    symbol: str, bars: pd.DataFrame, settings: Settings, tmp_path: Path
) -> None:
    first = bars["symbol"].iloc[0]
    bars = bars.assign(symbol=bars["symbol"].where(bars["symbol"] != first, symbol))
    bars.to_parquet(file := tmp_path / "bars.parquet")
    lenient = settings.model_copy(
        update={"data": settings.data.model_copy(update={"max_bad_row_share": 1.0})}
    )
    result = fetch([file], lenient)
    assert symbol not in set(result.bars["symbol"])
    assert result.report.dropped["no_symbol"] > 0
