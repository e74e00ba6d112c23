"""Rows of a source become clean data; what was found, dropped and mended is told."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from faulty_bars import DIVIDEND, day_of, edit, history, rows_of, scaled

from trading.config import Settings
from trading.data.cache.memory import MemoryCache
from trading.data.pipeline import CleanData, DataPipeline, Normalise, RawData
from trading.data.quality import FindingKind as Kind
from trading.data.repairs import revert
from trading.errors import DataError
from trading.market.bars import CorporateAction, FundamentalData

TODAY = date(2024, 1, 2)


@pytest.fixture
def pipeline(settings: Settings) -> DataPipeline:
    return DataPipeline(settings, today=TODAY)


def kinds(clean: CleanData) -> set[Kind]:
    return {finding.kind for finding in clean.quality.findings}


def test_clean_rows_pass_unchanged(pipeline: DataPipeline) -> None:
    bars = history()
    clean = pipeline.process(RawData(bars, "test"))
    pd.testing.assert_frame_equal(clean.bars, bars, check_exact=True, check_dtype=False)
    assert (clean.quality.verdict, clean.repairs, clean.report.verdict) == ("pass", (), "clean")


def test_dirty_rows_are_found_dropped_and_mended(pipeline: DataPipeline) -> None:
    bars = history()
    dirty = scaled(bars, rows_of(bars, "S002")[100:110], 100.0)
    dirty = edit(dirty, lambda b: b.__setitem__("low", b["low"].mask(b.index == 3, -1.0)))
    dirty = pd.concat([dirty, dirty.iloc[[7]]]).sample(frac=1, random_state=3)
    clean = pipeline.process(RawData(dirty, "test"))
    assert clean.report.dropped == {"nonpositive_price": 1, "duplicate": 1}
    assert {Kind.NONPOSITIVE_PRICE, Kind.DUPLICATE_ROW, Kind.MISSING_BARS} <= kinds(clean)
    assert Kind.HUNDREDFOLD_PRICE not in kinds(clean)
    assert [repair.kind for repair in clean.repairs] == [Kind.HUNDREDFOLD_PRICE]
    expected = bars.drop(index=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(clean.bars, expected, rtol=1e-12, check_dtype=False)
    back, _ = revert(clean.before_repairs())
    assert back["close"].max() > 50 * bars["close"].max()


def test_traded_prices_are_adjusted(pipeline: DataPipeline) -> None:
    bars = history()
    paid = CorporateAction("S001", day_of(bars, rows_of(bars, "S001")[200]), DIVIDEND, 0.3)
    clean = pipeline.process(RawData(bars, "test", (paid,), traded=True))
    mine = rows_of(bars, "S001")
    ratio = clean.bars["adjusted_close"] / clean.bars["close"]
    expected = 1 - 0.3 / bars["close"].iloc[mine[199]]
    np.testing.assert_allclose(ratio.iloc[mine[:200]], expected)
    assert (ratio.drop(index=mine[:200]) == 1).all()


def test_the_reference_moves_with_the_price_and_invents_nothing(pipeline: DataPipeline) -> None:
    bars = history()
    known = FundamentalData("S001", date(2023, 6, 1), 1e9, 20.0, 2.0, 0.02, "Energy", None)
    later = FundamentalData("S002", date(2024, 6, 1), 5e9)
    clean = pipeline.process(RawData(bars, "test", fundamentals=(known, later)))
    row = clean.reference.set_index("symbol").loc["S001"]
    closes = bars[bars["symbol"] == "S001"].set_index("date")["close"]
    move = closes.iloc[-1] / closes[pd.Timestamp("2023-06-01")]
    assert row["market_cap"] == pytest.approx(1e9 * move)
    assert row["pe_ratio"] == pytest.approx(20 * move)
    assert (row["eps"], row["sector"]) == (2.0, "Energy")
    assert np.isnan(clean.reference.set_index("symbol").loc["S002", "market_cap"])


def test_a_cache_gives_the_same_and_never_anothers(settings: Settings) -> None:
    cache = MemoryCache()
    pipeline = DataPipeline(settings, today=TODAY, cache=cache)
    bars = history()
    raw = RawData(scaled(bars, rows_of(bars, "S002")[100:110], 100.0), "test")
    first, second = pipeline.process(raw), pipeline.process(raw)
    assert cache.statistics().hits == 1
    pd.testing.assert_frame_equal(first.bars, second.bars, check_exact=True)
    assert (first.quality, first.repairs, first.report) == (
        second.quality,
        second.repairs,
        second.report,
    )
    fresh = DataPipeline(settings, today=TODAY).process(raw)
    pd.testing.assert_frame_equal(fresh.bars, first.bars, check_exact=True, check_dtype=False)
    assert fresh.quality == first.quality
    other = pipeline.process(replace(raw, rows=bars))
    assert other.repairs == ()


def test_what_cannot_be_used_is_refused_with_the_reason(pipeline: DataPipeline) -> None:
    bars = history()
    with pytest.raises(DataError, match="lacks the column"):
        pipeline.process(RawData(bars.drop(columns="close"), "test"))
    with pytest.raises(DataError, match="unusable"):
        pipeline.process(RawData(bars.assign(close=-1.0), "test"))
    with pytest.raises(DataError, match="no rows"):
        pipeline.process(RawData(bars.iloc[:0], "test"))


def test_a_pipeline_that_does_not_judge_says_so(settings: Settings) -> None:
    pipeline = DataPipeline(settings, today=TODAY, stages=[Normalise(settings, TODAY)])
    with pytest.raises(DataError, match="Normalise and Judge"):
        pipeline.process(RawData(history(), "test"))


def test_other_bytes_are_no_clean_data() -> None:
    with pytest.raises(DataError, match="no clean data"):
        CleanData.from_bytes(b"something else")


def test_unicode_symbols_and_text_numbers(pipeline: DataPipeline) -> None:
    bars = history(1)
    odd = bars.assign(symbol="\uff21\uff22", close=bars["close"].map("${:,.6f}".format))
    odd["volume"] = odd["volume"].astype(object)
    clean = pipeline.process(RawData(odd, "test"))
    assert set(clean.bars["symbol"]) == {"AB"}
