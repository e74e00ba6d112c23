"""Every kind of dirt is repaired, dropped or refused, and counted."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from bar_examples import make_bars
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trading.config import Settings
from trading.data.cleaning import IngestReport, clean_bars
from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS, FIELDS

TODAY = date(2024, 6, 3)


def clean(
    frame: pd.DataFrame, today: date = TODAY, share: float = 0.5, min_symbols: int = 1
) -> tuple[pd.DataFrame, IngestReport]:
    settings = Settings.model_validate(
        {"data": {"max_bad_row_share": share, "min_symbols": min_symbols}}
    )
    cleaned, report = clean_bars(frame, source="test", today=today, settings=settings)
    assert report.rows_kept == len(cleaned)
    assert report.rows_read == report.rows_kept + sum(report.dropped.values())
    assert list(cleaned.columns) == list(BAR_COLUMNS)
    assert not cleaned.duplicated(["symbol", "date"]).any()
    return cleaned, report


def test_clean_bars_come_back_as_they_are(bars: pd.DataFrame) -> None:
    cleaned, report = clean(bars)
    pd.testing.assert_frame_equal(cleaned, bars)
    assert (report.repairs, report.dropped, report.unknown) == ({}, {}, {})
    assert (report.symbols, report.first, report.last) == (3, date(2023, 12, 20), date(2024, 1, 12))
    assert report.verdict == "clean"


SPELLINGS = [
    dict(zip(BAR_COLUMNS, names, strict=True))
    for names in (
        ("Date", "Symbol", "Open", "High", "Low", "Close", "Volume", "Adj Close"),
        ("DATETIME", "ticker", "o", "h", "l", "c", "v", "adj_close"),
        (" timestamp ", "Ticker", "open", "HIGH", "low ", "CLOSE", "Vol", "Adjusted Close"),
        ("time", "tic", "Open Price", "High Price", "low_price", "close", "volume", "AdjClose"),
    )
]


@pytest.mark.parametrize("names", SPELLINGS)
def test_any_usual_spelling_of_columns_is_read(bars: pd.DataFrame, names: dict[str, str]) -> None:
    cleaned, report = clean(bars.rename(columns=names)[list(reversed(names.values()))])
    pd.testing.assert_frame_equal(cleaned, bars)
    assert report.verdict == "clean"


TYPES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "iso text": lambda f: f.assign(date=f["date"].dt.strftime("%Y-%m-%d")),
    "midnight in New York": lambda f: f.assign(date=f["date"].dt.tz_localize("America/New_York")),
    "midnight UTC": lambda f: f.assign(date=f["date"].dt.tz_localize("UTC")),
    "zoned text": lambda f: f.assign(date=f["date"].dt.strftime("%Y-%m-%d 00:00:00+09:00")),
    "five o'clock Z": lambda f: f.assign(date=f["date"].dt.strftime("%Y-%m-%dT05:00:00Z")),
    "python dates": lambda f: f.assign(date=f["date"].dt.date),
    "month first": lambda f: f.assign(date=f["date"].dt.strftime("%m/%d/%Y")),
    "day first": lambda f: f.assign(date=f["date"].dt.strftime("%d/%m/%Y")),
    "compact integers": lambda f: f.assign(date=f["date"].dt.strftime("%Y%m%d").astype(int)),
    "compact text": lambda f: f.assign(date=f["date"].dt.strftime("%Y%m%d")),
    "epoch seconds": lambda f: f.assign(date=f["date"].astype("datetime64[s]").astype(np.int64)),
    "epoch milliseconds": lambda f: f.assign(
        date=f["date"].astype("datetime64[ms]").astype(np.int64)
    ),
    "named index": lambda f: f.set_index(["date", "symbol"]),
    "unnamed date index": lambda f: f.set_index(pd.DatetimeIndex(f["date"], name=None)).drop(
        columns="date"
    ),
    "categorical symbols": lambda f: f.astype({"symbol": "category"}),
    "prices as text": lambda f: f.assign(close=[repr(x) for x in f["close"]]),
    "decimals": lambda f: f.assign(close=[Decimal(repr(x)) for x in f["close"]]),
    "nullable integers": lambda f: f.assign(volume=f["volume"].astype("Int64")),
    "extra columns": lambda f: f.assign(Dividends=0.0, note="x"),
}


@pytest.mark.parametrize("kind", TYPES)
def test_any_sane_type_is_read(bars: pd.DataFrame, kind: str) -> None:
    cleaned, report = clean(TYPES[kind](bars))
    pd.testing.assert_frame_equal(cleaned, bars)
    assert report.verdict == "clean"


def test_text_with_thousands_and_dollars(bars: pd.DataFrame) -> None:
    text = bars.astype({"open": object, "volume": object, "close": object})
    text.loc[0, ["volume", "open"]] = ["1,234,567", f"${bars.loc[0, 'open']:.2f}"]
    cleaned, _ = clean(text)
    assert cleaned.loc[0, "volume"] == 1_234_567
    assert cleaned.loc[0, "open"] == round(bars.loc[0, "open"], 2)
    # A decimal comma is not guessed at: 12,5 is neither 125 nor surely 12.5.
    text.loc[1, "close"] = "12,5"
    assert clean(text)[1].dropped == {"no_close": 1}


def test_symbols_are_folded_or_dropped(bars: pd.DataFrame) -> None:
    frame = bars.assign(symbol=bars["symbol"].astype(object))
    one = frame["symbol"] == "S000"
    frame.loc[one, "symbol"] = " ｓ000 "
    frame.loc[frame.index[-4:], "symbol"] = ["", "Ünï", None, "日本"]
    cleaned, report = clean(frame)
    assert report.dropped == {"no_symbol": 4}
    assert report.repairs == {"symbol_spelling": int(one.sum())}
    pd.testing.assert_frame_equal(cleaned, bars.iloc[:-4])


@pytest.mark.parametrize("name", ["NA", "NAN", "NULL", "TRUE", "NONE", "BRK.B", "BF-B"])
def test_symbols_that_look_like_something_else_are_symbols(bars: pd.DataFrame, name: str) -> None:
    cleaned, _ = clean(bars.replace({"symbol": {"S001": name}}))
    assert set(cleaned["symbol"]) == {"S000", name, "S002"}


def test_shuffled_rows_are_sorted_and_counted(bars: pd.DataFrame) -> None:
    cleaned, report = clean(bars.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(cleaned, bars)
    assert report.repairs.keys() == {"out_of_order"}


def test_identical_duplicates_are_dropped_however_many(bars: pd.DataFrame) -> None:
    cleaned, report = clean(pd.concat([bars, bars, bars]), share=0.0)
    pd.testing.assert_frame_equal(cleaned, bars)
    assert report.dropped == {"duplicate": 2 * len(bars)}


def test_of_conflicting_duplicates_the_last_wins(bars: pd.DataFrame) -> None:
    other = bars.iloc[[5]].assign(close=bars.loc[5, "open"])
    cleaned, report = clean(pd.concat([bars, other]))
    assert cleaned.loc[5, "close"] == bars.loc[5, "open"]
    assert report.dropped == {"conflicting_duplicate": 1}
    with pytest.raises(DataError, match="conflicting duplicate"):
        clean(pd.concat([bars, bars.assign(volume=1.0)]), share=0.1)


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [(0.0, "nonpositive_price"), (-3.0, "nonpositive_price"), (np.inf, "infinite_price")],
)
def test_impossible_prices_are_dropped(
    bars: pd.DataFrame, field: str, value: float, reason: str
) -> None:
    bars.loc[7, field] = value
    cleaned, report = clean(bars)
    assert report.dropped == {reason: 1}
    pd.testing.assert_frame_equal(cleaned, bars.drop(index=7).reset_index(drop=True))


def test_unknown_prices_stay_unknown_and_are_counted(bars: pd.DataFrame) -> None:
    bars.loc[3, ["open", "high"]] = np.nan
    bars.loc[4, "close"] = np.nan
    cleaned, report = clean(bars)
    assert report.dropped == {"no_close": 1}
    assert report.unknown == {"open": 1, "high": 1}
    assert np.isnan(cleaned.loc[3, "open"])


def test_high_and_low_are_swapped_only_where_that_is_proved(bars: pd.DataFrame) -> None:
    expected = bars.copy()
    bars.loc[2, ["high", "low"]] = bars.loc[2, ["low", "high"]].to_numpy()
    low = bars.loc[9, "low"]
    bars.loc[9, "high"] = low * 0.5
    cleaned, report = clean(bars)
    assert report.repairs == {"high_and_low_swapped": 1}
    assert report.dropped == {"high_below_low": 1}
    pd.testing.assert_frame_equal(cleaned, expected.drop(index=9).reset_index(drop=True))


def test_a_range_is_widened_by_rounding_but_not_by_errors(bars: pd.DataFrame) -> None:
    close = bars.loc[2, "close"]
    bars.loc[2, ["open", "high", "low"]] = [close * 0.99, close * 0.9999, close * 0.98]
    bars.loc[4, "close"] = bars.loc[4, "high"] * 1.5
    cleaned, report = clean(bars)
    assert cleaned.loc[2, "high"] == close
    assert report.repairs == {"range_widened_to_open_and_close": 1}
    assert report.dropped == {"open_or_close_outside_range": 1}


def test_impossible_volumes_become_unknown(bars: pd.DataFrame) -> None:
    bars.loc[[1, 2], "volume"] = [-5.0, np.inf]
    cleaned, report = clean(bars)
    assert report.repairs == {"impossible_volume_to_unknown": 2}
    assert report.unknown == {"volume": 2}
    assert len(cleaned) == len(bars)


def test_future_and_closed_days_are_dropped(bars: pd.DataFrame) -> None:
    closed = bars.iloc[[0, 1, 2]].assign(
        date=pd.to_datetime(["2024-01-06", "2024-01-01", "1985-01-02"])
    )
    cleaned, report = clean(pd.concat([bars, closed]), today=date(2024, 1, 10))
    assert report.dropped == {"not_a_session": 2, "before_the_calendar": 1, "future_date": 6}
    assert cleaned["date"].max() == pd.Timestamp("2024-01-10")
    with pytest.raises(DataError, match="none of its 48 rows.*future"):
        clean(bars, today=date(2020, 1, 2))


def test_a_missing_adjusted_close_follows_the_adjustment_of_its_symbol(bars: pd.DataFrame) -> None:
    bars.loc[0:4, "adjusted_close"] = bars["close"] * 0.8
    expected = bars.copy()
    bars.loc[[0, 3, 7], "adjusted_close"] = [np.nan, -2.0, 0.0]
    none_known = bars["symbol"] == "S002"
    bars.loc[none_known, "adjusted_close"] = np.nan
    expected.loc[none_known, "adjusted_close"] = bars["close"]
    cleaned, report = clean(bars)
    pd.testing.assert_frame_equal(cleaned, expected)
    assert report.repairs == {"adjusted_close_from_close": 3 + int(none_known.sum())}


def test_without_an_adjusted_close_the_close_is_taken(bars: pd.DataFrame) -> None:
    cleaned, report = clean(bars.drop(columns="adjusted_close"))
    assert (cleaned["adjusted_close"] == bars["close"]).all()
    assert report.repairs == {"adjusted_close_from_close": len(bars)}


REFUSED: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no rows": (lambda f: f.iloc[:0], "holds no rows"),
    "no columns": (lambda _: pd.DataFrame(), "lacks the column"),
    "a column missing": (lambda f: f.drop(columns="high"), r"lacks the column\(s\) high"),
    "two columns for one field": (lambda f: f.assign(Close=1.0), "two columns for close"),
    "all NaN": (lambda f: f.assign(**dict.fromkeys(FIELDS, np.nan)), "holds no number"),
    "no volume at all": (lambda f: f.assign(volume=np.nan), "'volume' holds no number"),
    "words for prices": (lambda f: f.assign(close="n/a"), "'close' holds no number"),
    "no dates": (lambda f: f.assign(date="yesterday"), "100.0% of its 48 rows.*no date"),
    "blank symbols": (lambda f: f.assign(symbol=" "), "no symbol"),
    "mostly negative": (lambda f: f.assign(low=-f["low"]), "nonpositive price"),
    "wide": (lambda f: f.pivot(index="date", columns="symbol", values=["open"]), "long rows"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_hopeless_sources_are_refused_with_the_reason(bars: pd.DataFrame, kind: str) -> None:
    spoil, reason = REFUSED[kind]
    with pytest.raises(DataError, match=reason):
        clean(spoil(bars))


def test_the_share_of_bad_rows_decides(bars: pd.DataFrame) -> None:
    bars.loc[bars.index[:9], "close"] = -1.0
    assert clean(bars, share=0.19)[1].dropped == {"nonpositive_price": 9}
    with pytest.raises(DataError, match=r"18.8% of its 48 rows .*18.0% that data.max_bad_row"):
        clean(bars, share=0.18)


def test_from_20_to_7000_symbols_is_fine_and_fewer_are_refused() -> None:
    week = (date(2024, 1, 8), date(2024, 1, 12))
    assert clean(make_bars(20, *week), min_symbols=20)[1].symbols == 20
    assert clean(make_bars(7_000, *week), min_symbols=20)[1].symbols == 7_000
    with pytest.raises(DataError, match="19 symbols; at least 20"):
        clean(make_bars(19, *week), min_symbols=20)


DIRT = st.sampled_from([np.nan, 0.0, -1.0, np.inf, -np.inf, 1e-9, 1e12, 50.0])


@pytest.mark.slow
@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 47), st.sampled_from(FIELDS), DIRT), max_size=12))
def test_whatever_comes_in_what_goes_out_is_possible(dirt: list[tuple[int, str, float]]) -> None:
    frame = make_bars()
    for row, name, value in dirt:
        frame.loc[row, name] = value
    cleaned, _ = clean(frame, share=1.0)
    values = cleaned[list(FIELDS)].to_numpy()
    assert not np.isinf(values).any()
    assert not (cleaned[["open", "high", "low", "close", "adjusted_close"]] <= 0).any(axis=None)
    assert not (cleaned["high"] < cleaned[["open", "low", "close"]].max(axis=1)).any()
    assert not (cleaned["low"] > cleaned[["open", "close"]].min(axis=1)).any()
    assert not (cleaned["volume"] < 0).any()
    assert cleaned[["close", "adjusted_close"]].notna().all(axis=None)
    # Cleaning what is clean changes nothing more.
    again, second = clean(cleaned)
    pd.testing.assert_frame_equal(again, cleaned)
    assert second.repairs == second.dropped == {}
