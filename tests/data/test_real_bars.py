"""Real bars of about 2,900 symbols, when they are there."""

import asyncio
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.config import Settings
from trading.data.benchmark import load_benchmark
from trading.data.lake import Lake
from trading.data.providers.files import FilesProvider, read_bars_file

pytestmark = pytest.mark.real_data


@pytest.mark.slow
def test_two_files_of_real_bars_fill_a_lake(real_prices: Path, lake: Lake) -> None:
    files = [real_prices / "r3000_2016_2019.parquet", real_prices / "delisted_2016_2019.parquet"]
    provider = FilesProvider(files, Settings())
    result = asyncio.run(provider.fetch(None, date(2016, 1, 1), date(2019, 12, 31)))
    assert result.report.rows_kept == result.report.rows_read == 2_274_126 + 356_238
    assert result.report.symbols == 2_467 + 392
    lake.ingest(result, simulated=False)
    panel = lake.panel(before=date(2020, 1, 1))
    assert panel.shape == (1_006, 2_859)
    raw = pd.read_parquet(files[1])
    some = raw[raw["symbol"] == raw["symbol"].iloc[0]]
    column = panel.symbols.index(str(some["symbol"].iloc[0]))
    held = panel.close[~np.isnan(panel.close[:, column]), column]
    np.testing.assert_array_equal(held, some["close"].to_numpy().astype(float))


def test_a_benchmark_file_with_two_sources_a_symbol(real_prices: Path) -> None:
    benchmark = load_benchmark(real_prices / "benchmarks_to_2019.parquet")
    assert benchmark.symbol == "SPY"
    assert len(benchmark.bars) == 2_516
    returns = benchmark.panel().returns()[1:]
    assert np.nanmax(np.abs(returns)) < 0.12


def test_dirty_yahoo_files_are_read_by_their_own_dates(real_prices: Path) -> None:
    file = real_prices.parent / "dirty_samples_yahoo" / "AET-L-1d-100x-error.csv"
    rows = read_bars_file(file)
    assert set(rows["symbol"]) == {"AET-L-1d-100x-error"}
    stamps = pd.read_csv(file)["Date"].str[:10]
    assert rows["date"].dt.strftime("%Y-%m-%d").tolist() == stamps.tolist()
