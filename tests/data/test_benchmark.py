"""The benchmark: one symbol, of which the adjusted close is enough."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars

from trading.data.benchmark import load_benchmark
from trading.data.lake import Lake
from trading.errors import DataError


def index_file(folder: Path, name: str = "index.csv", **columns: object) -> Path:
    frame = make_bars(1)[["date", "adjusted_close"]].assign(**columns)
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_an_adjusted_close_is_enough(tmp_path: Path, lake: Lake) -> None:
    held = lake.ingest_benchmark(index_file(tmp_path, "iwv.csv"))
    assert held.symbol == "IWV"
    symbol, panel = lake.benchmark(before=date(2024, 1, 8)) or pytest.fail("no benchmark")
    assert symbol == "IWV"
    assert str(panel.sessions[-1]) == "2024-01-05"
    expected = make_bars(1)["adjusted_close"].to_numpy()[: panel.shape[0]]
    np.testing.assert_allclose(panel.adjusted_close[:, 0], expected)
    assert np.isnan(panel.close).all()


def test_the_newer_benchmark_replaces_the_older(tmp_path: Path, lake: Lake) -> None:
    lake.ingest_benchmark(index_file(tmp_path, "IWV.csv"))
    lake.ingest_benchmark(index_file(tmp_path, "SPY.csv"))
    found = lake.benchmark(before=date(2030, 1, 1))
    assert found is not None
    assert found[0] == "SPY"


def test_of_several_symbols_the_broadest_is_taken_or_the_one_named(tmp_path: Path) -> None:
    frame = pd.concat(
        make_bars(1, seed=i).assign(symbol=name) for i, name in enumerate(["SPY", "QQQ", "IWV"])
    )
    frame.to_parquet(tmp_path / "funds.parquet")
    assert load_benchmark(tmp_path / "funds.parquet").symbol == "IWV"
    assert load_benchmark(tmp_path / "funds.parquet", "qqq").symbol == "QQQ"
    with pytest.raises(DataError, match="TLT is not among them"):
        load_benchmark(tmp_path / "funds.parquet", "TLT")
    frame.assign(symbol=frame["symbol"] + "X").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="name the one"):
        load_benchmark(tmp_path / "other.parquet")


def test_unusable_rows_are_left_out_and_a_price_index_says_so(tmp_path: Path) -> None:
    bars = make_bars(1)
    bars.loc[[2, 3], "adjusted_close"] = [np.nan, -1.0]
    pd.concat([bars, bars.iloc[[5]]]).to_csv(tmp_path / "SPY.csv", index=False)
    benchmark = load_benchmark(tmp_path / "SPY.csv")
    assert len(benchmark.bars) == len(bars) - 2
    assert "3 unusable or repeated rows" in benchmark.source
    bars.drop(columns="adjusted_close").to_csv(tmp_path / "price.csv", index=False)
    assert "price only" in load_benchmark(tmp_path / "price.csv", "S000").source


def test_what_is_no_benchmark_is_refused(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "none.csv").write_text("date,volume\n2024-01-02,1\n")
    with pytest.raises(DataError, match="lacks a column adjusted_close"):
        load_benchmark(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no usable adjusted close"):
        load_benchmark(index_file(tmp_path, "IWV.csv", adjusted_close=-1.0))
    lake.ingest(fetched(make_bars(), "simulated market (seed 1)"), simulated=True)
    with pytest.raises(DataError, match="leave --benchmark out"):
        lake.ingest_benchmark(index_file(tmp_path, "IWV.csv"))


def test_a_simulated_market_does_not_join_a_real_benchmark(tmp_path: Path, lake: Lake) -> None:
    lake.ingest_benchmark(index_file(tmp_path, "IWV.csv"))
    with pytest.raises(DataError, match="real benchmark IWV"):
        lake.ingest(fetched(make_bars(), "simulated market (seed 1)"), simulated=True)
