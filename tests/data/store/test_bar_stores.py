"""One contract, kept by the Parquet lake and by a real PostgreSQL server."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from bar_examples import make_bars
from hypothesis import given
from hypothesis import strategies as st

from trading.data.store.bars import BarStore, StoreReport, canonical_bars, open_bars
from trading.data.store.bars.frames import (
    decode_stamped_bars,
    encode_stamped_bars,
    lay_over,
    with_basis,
)
from trading.errors import DataError, StoreError
from trading.market.bars import (
    FIELDS,
    BarInterval,
    CorporateAction,
    CorporateActionType,
    empty_bars,
)

FIRST, LAST = date(2023, 12, 20), date(2024, 1, 12)
INTERVALS = list(BarInterval)


def bars_of(interval: BarInterval, symbols: int = 3) -> pd.DataFrame:
    """Return bars of an interval over New Year; shorter ones begin at 14:30 UTC each session."""
    daily = make_bars(symbols)
    if interval is BarInterval.DAY:
        return daily
    step = 60 if interval is BarInterval.MINUTE else 3600
    parts = [
        daily.assign(date=daily["date"] + pd.Timedelta(seconds=14 * 3600 + 1800 + i * step))
        for i in range(4)
    ]
    frame = pd.concat(parts).astype({"date": "datetime64[s]"})
    return frame.sort_values(["symbol", "date"], ignore_index=True)


@pytest.mark.parametrize("interval", INTERVALS)
def test_what_is_stored_is_answered_to_the_last_digit(
    bar_store: BarStore, interval: BarInterval
) -> None:
    bars = bars_of(interval)
    bars.loc[2, ["open", "volume"]] = np.nan
    bars.loc[3, "close"] = 0.1 + 0.2
    bars.loc[4, "close"] = 1e-300
    given_rows = bars.sample(frac=1, random_state=1)
    assert bar_store.store(given_rows, interval) == StoreReport(len(bars), len(bars))
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST, interval), bars)


@pytest.mark.parametrize("interval", INTERVALS)
def test_storing_twice_is_storing_once(bar_store: BarStore, interval: BarInterval) -> None:
    bars = bars_of(interval)
    bars.loc[1, "high"] = np.nan
    bar_store.store(bars, interval)
    assert bar_store.store(bars, interval) == StoreReport(len(bars), 0)
    changed = bars.iloc[[1, 5, 9]].assign(volume=7.0)
    assert bar_store.store(changed, interval) == StoreReport(3, 3)
    expected = bars.copy()
    expected.loc[[1, 5, 9], "volume"] = 7.0
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST, interval), expected)


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_query_is_by_symbol_and_time_with_both_ends(
    bar_store: BarStore, interval: BarInterval
) -> None:
    bars = bars_of(interval)
    bar_store.store(bars, interval)
    start, end = date(2023, 12, 28), date(2024, 1, 3)
    days = bars["date"].dt.date
    expected = bars[
        (days >= start) & (days <= end) & bars["symbol"].isin(["S000", "S002"])
    ].reset_index(drop=True)
    found = bar_store.query(["S002", "S000", "S002", "NONE"], start, end, interval)
    pd.testing.assert_frame_equal(found, expected)
    for nothing in (
        bar_store.query([], start, end, interval),
        bar_store.query(["NONE"], start, end, interval),
        bar_store.query(None, date(2020, 1, 1), date(2020, 2, 1), interval),
    ):
        pd.testing.assert_frame_equal(nothing, empty_bars())


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_span_of_stamps_keeps_the_bars_that_begin_in_it(
    bar_store: BarStore, interval: BarInterval
) -> None:
    bars = bars_of(interval)
    bar_store.store(bars, interval)
    # 15:00 in New York is 20:00 UTC on the first of these days.
    start = datetime.fromisoformat("2023-12-28T09:31:00-05:00")
    end = datetime(2024, 1, 3, 14, 31, tzinfo=UTC)
    low, high = pd.Timestamp("2023-12-28T14:31"), pd.Timestamp("2024-01-03T14:31")
    expected = bars[(bars["date"] >= low) & (bars["date"] <= high)].reset_index(drop=True)
    pd.testing.assert_frame_equal(bar_store.query(None, start, end, interval), expected)


@pytest.mark.parametrize("interval", INTERVALS)
def test_an_action_that_is_stored_adjusts_what_was(
    bar_store: BarStore, interval: BarInterval
) -> None:
    bars = bars_of(interval).assign(adjusted_close=np.nan)
    split = CorporateAction("S001", date(2024, 1, 3), CorporateActionType.SPLIT, 2.0)
    paid = CorporateAction("S000", date(2024, 1, 4), CorporateActionType.DIVIDEND, 0.5)
    bar_store.store(bars, interval, adjusted_through=date.min)
    as_traded = bar_store.query(None, FIRST, LAST, interval)
    assert bar_store.store_actions([split, paid], adjusted_through=LAST) == 2
    assert bar_store.store_actions([split, paid], adjusted_through=LAST) == 0
    found = bar_store.query(None, FIRST, LAST, interval)
    before = (bars["symbol"] == "S001") & (bars["date"] < pd.Timestamp(split.ex_date))
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(found[name], np.where(before, bars[name] / 2, bars[name]))
    np.testing.assert_allclose(
        found["volume"], np.where(before, bars["volume"] * 2, bars["volume"])
    )
    paying = bars[(bars["symbol"] == "S000") & (bars["date"] < pd.Timestamp(paid.ex_date))]
    factor = 1 - 0.5 / paying["close"].iloc[-1]
    np.testing.assert_allclose(
        found["adjusted_close"].iloc[: len(paying)], paying["close"] * factor, rtol=1e-12
    )
    # A span that ends before knows nothing of it, unless it is asked as of a later day.
    early = date(2024, 1, 2)
    short = bar_store.query(None, FIRST, early, interval)
    known = as_traded[as_traded["date"].dt.date <= early].reset_index(drop=True)
    pd.testing.assert_frame_equal(short, known)
    later = bar_store.query(None, FIRST, early, interval, as_of=date(2024, 1, 13))
    expected = found[found["date"].dt.date <= early].reset_index(drop=True)
    pd.testing.assert_frame_equal(later, expected, rtol=1e-12)
    # The same bars again are held already; a source that knew of the split sends others.
    assert bar_store.store(bars, interval, adjusted_through=date.min).written == 0
    told = bars[bars["symbol"] == "S001"].reset_index(drop=True)
    known_split = told["date"] < pd.Timestamp(split.ex_date)
    told.loc[known_split, ["open", "high", "low", "close"]] /= 2
    told.loc[known_split, "volume"] *= 2
    assert bar_store.store(told, interval, adjusted_through=LAST).written == known_split.sum()
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST, interval), found, rtol=1e-12)


def test_intervals_are_kept_apart(bar_store: BarStore) -> None:
    for interval in INTERVALS:
        bar_store.store(bars_of(interval), interval)
    for interval in INTERVALS:
        found = bar_store.query(None, FIRST, LAST, interval)
        pd.testing.assert_frame_equal(found, bars_of(interval))


def test_stamps_with_a_zone_are_kept_in_utc(bar_store: BarStore) -> None:
    bars = bars_of(BarInterval.MINUTE)
    local = bars.assign(date=bars["date"].dt.tz_localize("UTC").dt.tz_convert("America/New_York"))
    bar_store.store(local, BarInterval.MINUTE)
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST, BarInterval.MINUTE), bars)


def test_symbols_of_any_spelling(bar_store: BarStore) -> None:
    names = ["BRK.B", "BF/B", "^GSPC", 'A"B', "A,B", "Ä", "株", "null", "NaN", "'; DROP TABLE x"]
    bars = pd.concat([make_bars(1).assign(symbol=name) for name in names])
    bars = bars.sort_values(["symbol", "date"], ignore_index=True).astype({"symbol": "str"})
    bar_store.store(bars)
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST), bars)
    found = bar_store.query(["'; DROP TABLE x", "株"], FIRST, LAST)
    assert set(found["symbol"]) == {"'; DROP TABLE x", "株"}


def test_nothing_is_stored_of_an_empty_frame(bar_store: BarStore) -> None:
    assert bar_store.store(empty_bars()) == StoreReport(0, 0)
    assert bar_store.query(None, FIRST, LAST).empty


def test_two_writers_at_once_leave_the_bars_of_both(bar_store: BarStore) -> None:
    both = bars_of(BarInterval.DAY, 40)
    one, other = both[both["symbol"] < "S030"], both[both["symbol"] >= "S010"]
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(bar_store.store, (one, other, one, other)))
    assert [report.rows for report in reports] == [len(one), len(other)] * 2
    pd.testing.assert_frame_equal(bar_store.query(None, FIRST, LAST), both)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda bars: bars.drop(columns="close"), "lack the column"),
        (lambda bars: bars.assign(symbol=" "), "blank symbol"),
        (lambda bars: bars.assign(symbol=5), "blank symbol or one that is not text"),
        (lambda bars: bars.assign(close=np.inf), "infinite"),
        (lambda bars: bars.assign(close="12"), "not numeric|lack"),
        (lambda bars: bars.assign(date="2024-01-02"), "expected datetime64"),
        (lambda bars: bars.assign(date=pd.NaT).astype({"date": "datetime64[s]"}), "no date"),
        (lambda bars: pd.concat([bars, bars.iloc[:2]]), "repeat a symbol and time"),
        (lambda bars: bars.assign(date=bars["date"] + pd.Timedelta("1h")), "not at midnight"),
        (
            lambda bars: bars.assign(
                date=bars["date"].astype("datetime64[ms]") + np.timedelta64(1)
            ),
            "fraction of a second",
        ),
    ],
)
def test_what_is_no_bar_is_refused_in_one_sentence(change: object, sentence: str) -> None:
    assert callable(change)
    if sentence.startswith("not numeric"):
        broken = make_bars().astype({"close": "object"})
        broken.loc[0, "close"] = "twelve"
    else:
        broken = change(make_bars())
    with pytest.raises(DataError, match=sentence):
        canonical_bars(broken, BarInterval.DAY)


def test_a_query_must_make_sense(bar_store: BarStore) -> None:
    with pytest.raises(DataError, match="after its end"):
        bar_store.query(None, LAST, FIRST)
    with pytest.raises(DataError, match="list of symbols"):
        bar_store.query("AAPL", FIRST, LAST)


def test_an_address_that_names_no_store_is_refused() -> None:
    with pytest.raises(StoreError, match="names no store"):
        open_bars("mysql://somewhere")
    with pytest.raises(StoreError, match="does not answer"):
        open_bars("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")


@pytest.mark.parametrize(
    "address", ["mysql://me:canary-7f3@host/db", "postgresql://me:canary%zz-7f3@host/db"]
)
def test_an_address_that_cannot_be_used_is_not_told_with_its_password(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_bars(address)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


values = st.floats(allow_infinity=False, width=64)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), values), max_size=30), st.data())
def test_laying_over_is_what_a_dictionary_would_do(
    rows: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    def frame(some: list[tuple[int, int, float]]) -> tuple[pd.DataFrame, dict[object, float]]:
        held = {(f"S{s}", np.datetime64("2024-01-02", "s") + d): v for s, d, v in some}
        made = pd.DataFrame(
            {
                "date": np.array([d for _, d in held], dtype="datetime64[s]"),
                "symbol": pd.Series([s for s, _ in held], dtype="str"),
                **{name: np.array(list(held.values()), dtype=np.float64) for name in FIELDS},
            }
        )
        made["date"] = made["date"].astype("datetime64[s]")
        made = made.sort_values(["symbol", "date"], ignore_index=True)
        return with_basis(made, date(2024, 1, 5)), dict(held)

    cut = data.draw(st.integers(0, len(rows)))
    held, old = frame(rows[:cut])
    new, fresh = frame(rows[cut:])
    made, written = lay_over(held, new)
    expected = old | fresh
    found = dict(zip(zip(made["symbol"], made["date"], strict=True), made["close"], strict=True))
    assert list(found) == sorted(expected)
    for key, value in expected.items():
        assert found[key] == value or (np.isnan(found[key]) and np.isnan(value))
    assert written == sum(
        key not in old or not (old[key] == v or (np.isnan(old[key]) and np.isnan(v)))
        for key, v in fresh.items()
    )
    pd.testing.assert_frame_equal(decode_stamped_bars(encode_stamped_bars(made), "x"), made)
