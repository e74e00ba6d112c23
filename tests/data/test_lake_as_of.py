"""What a lake serves as of a day: adjusted by the actions known then, however the bars arrived."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from trading.data.actions.adjustment import adjust_bars
from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.lake import Lake
from trading.data.providers.base import FetchResult
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction, CorporateActionType

SPLIT, DIVIDEND = CorporateActionType.SPLIT, CorporateActionType.DIVIDEND
FIRST, LAST, AFTER = date(2023, 12, 20), date(2024, 1, 12), date(2024, 2, 1)


def traded(symbols: int = 3) -> pd.DataFrame:
    """Return bars as traded, whose adjusted close nobody told."""
    return make_bars(symbols, FIRST, LAST).assign(adjusted_close=np.nan)


def by_day(lake: Lake, bars: pd.DataFrame, actions: list[CorporateAction]) -> Lake:
    """Ingest session by session, each with the actions that go ex on it."""
    for day, rows in bars.groupby("date"):
        due = tuple(a for a in actions if pd.Timestamp(a.ex_date) == day)
        part = replace(fetched(rows.reset_index(drop=True)), actions=due)
        lake.ingest(part, simulated=False, adjusted_through=date.min)
    return lake


def assert_served(lake: Lake, expected: pd.DataFrame, before: date = AFTER) -> None:
    pd.testing.assert_frame_equal(
        lake.bars(None, before=before), expected, rtol=1e-12, check_dtype=False
    )


actions_of_a_history = st.lists(
    st.one_of(
        st.tuples(st.just(SPLIT), st.sampled_from([2.0, 3.0, 1.5, 0.1])),
        st.tuples(st.just(DIVIDEND), st.sampled_from([0.1, 1.0, 2.5])),
    ),
    max_size=5,
)


@hypothesis_settings(max_examples=8, deadline=None)
@given(told=actions_of_a_history, spots=st.lists(st.integers(0, 14), min_size=5, max_size=5),
       cut=st.integers(2, 15))  # fmt: skip
def test_as_of_a_day_nothing_later_counts(
    told: list[tuple[CorporateActionType, float]],
    spots: list[int],
    cut: int,
) -> None:
    bars = traded()
    days = [stamp.date() for stamp in sorted(bars["date"].unique())]
    actions = list(
        {
            (days[spot + 1], kind): CorporateAction(f"S00{spot % 2}", days[spot + 1], kind, value)
            for (kind, value), spot in zip(told, spots, strict=False)
            if spot + 1 < len(days)
        }.values()
    )
    whole = by_day(Lake(MemoryStore()), bars, actions)
    assert_served(whole, adjust_bars(bars, actions))
    # Cut off the future: the same bars, bit for bit, and the same hash.
    before = days[min(cut, len(days) - 1)]
    early = bars[bars["date"] < pd.Timestamp(before)].reset_index(drop=True)
    known = [a for a in actions if a.ex_date < before]
    short = by_day(Lake(MemoryStore()), early, known)
    pd.testing.assert_frame_equal(
        whole.bars(None, before=before), short.bars(None, before=before), check_exact=True
    )
    assert whole.data_hash(before) == short.data_hash(before)
    assert whole.corporate_actions(before=before) == short.corporate_actions(before=before)
    panel = whole.panel(before=before)
    for name in FIELDS:
        np.testing.assert_array_equal(whole.field(name, before=before)[2], getattr(panel, name))


def test_hindsight_of_a_source_is_undone(new_lake: Callable[[str], Lake]) -> None:
    # What a vendor that adjusts to this day sends, and what was told day by day, serve the same.
    bars = traded()
    actions = [
        CorporateAction("S001", date(2023, 12, 28), DIVIDEND, 1.0),
        CorporateAction("S000", date(2024, 1, 3), SPLIT, 2.0),
        CorporateAction("S001", date(2024, 1, 4), SPLIT, 0.1),
        CorporateAction("S001", date(2024, 1, 9), DIVIDEND, 4.0),
    ]
    daily = by_day(new_lake("daily"), bars, actions)
    adjusted = adjust_bars(bars, actions)
    # The vendor tells the first dividend in the shares of its own day, after the reverse split.
    retold = [replace(actions[0], value=10.0), *actions[1:]]
    vendor = new_lake("vendor")
    answer = replace(fetched(adjusted), actions=tuple(retold))
    vendor.ingest(answer, simulated=False, adjusted_through=LAST)
    for before in (date(2023, 12, 28), date(2024, 1, 4), date(2024, 1, 5), AFTER):
        assert_served(vendor, daily.bars(None, before=before), before)
        assert [(a.symbol, a.ex_date, round(a.value or 0.0, 9)) for a in
                vendor.corporate_actions(before=before)] == [
            (a.symbol, a.ex_date, round(a.value or 0.0, 9))
            for a in daily.corporate_actions(before=before)
        ]  # fmt: skip


def test_a_split_that_arrives_adjusts_what_is_stored(lake: Lake) -> None:
    bars = traded()
    by_day(lake, bars, [])
    raw = {key: lake._store.get(key).body for key in lake._store.keys("data/")}
    before = lake.data_hash(AFTER)
    split = CorporateAction("S001", date(2024, 1, 3), SPLIT, 4.0)
    assert lake.ingest_actions([split], adjusted_through=LAST) == 1
    assert_served(lake, adjust_bars(bars, [split]))
    assert lake.data_hash(AFTER) != before
    assert {key: lake._store.get(key).body for key in lake._store.keys("data/")} == raw
    # Before it went ex nobody saw it.
    early = lake.bars(["S001"], before=date(2024, 1, 3))
    expected = bars[(bars["symbol"] == "S001") & (bars["date"] < "2024-01-03")]
    np.testing.assert_array_equal(early["close"], expected["close"])
    # Told again it says nothing new; told otherwise it is corrected; taken back it is gone.
    assert lake.ingest_actions([split], adjusted_through=LAST) == 0
    assert lake.ingest_actions([replace(split, value=5.0)], adjusted_through=LAST) == 1
    assert_served(lake, adjust_bars(bars, [replace(split, value=5.0)]))
    assert lake.ingest_actions([replace(split, value=1.0)], adjusted_through=LAST) == 1
    assert_served(lake, adjust_bars(bars, []))
    assert lake.data_hash(AFTER) == before
    assert lake.corporate_actions(before=AFTER) == ()


def test_actions_outlive_a_lost_table(lake: Lake) -> None:
    bars = traded()
    own = CorporateAction("S000", date(2024, 1, 3), SPLIT, 2.0)
    by_day(lake, bars, [own])
    late = CorporateAction("S001", date(2024, 1, 5), DIVIDEND, 1.0)
    lake.ingest_actions([late], adjusted_through=LAST)
    lake._store.delete("corporate_actions/actions.parquet")
    lake._store.delete("catalog.json")
    lake.rebuild()
    assert_served(lake, adjust_bars(bars, [own, late]))


def test_actions_before_the_first_bars_count(lake: Lake) -> None:
    split = CorporateAction("S000", date(2024, 1, 3), SPLIT, 2.0)
    lake.ingest_actions([split], adjusted_through=LAST)
    bars = traded()
    by_day(lake, bars, [])
    assert_served(lake, adjust_bars(bars, [split]))


def test_a_dividend_that_cannot_be_is_named(lake: Lake) -> None:
    by_day(lake, traded(), [CorporateAction("S001", date(2024, 1, 3), DIVIDEND, 5000.0)])
    with pytest.raises(DataError, match=r"the dividend 5000 of S001 on 2024-01-03 is not below"):
        lake.panel(before=AFTER)
    # The closes themselves are not in doubt.
    assert lake.field("close", before=AFTER)[2].shape[1] == 3
    none = CorporateAction("S001", date(2024, 1, 3), DIVIDEND, 0.0)
    lake.ingest_actions([none], adjusted_through=LAST)
    assert lake.panel(before=AFTER).shape[1] == 3


def test_an_unknown_adjusted_close_is_derived_from_an_unknown_close_as_unknown(lake: Lake) -> None:
    bars = traded()
    bars.loc[3, "close"] = np.nan
    by_day(lake, bars, [CorporateAction("S000", bars["date"][4].date(), DIVIDEND, 1.0)])
    served = lake.bars(["S000"], before=AFTER)
    assert np.isnan(served["adjusted_close"][3])
    # The dividend is measured by the last close that is known.
    factor = served["adjusted_close"][2] / served["close"][2]
    np.testing.assert_allclose(factor, 1 - 1.0 / bars["close"][2])


def test_shares_are_followed_through_renames_from_the_day_they_bear_them(lake: Lake) -> None:
    bars = traded(2)
    change = pd.Timestamp("2024-01-03")
    renamed = bars.copy()
    renamed.loc[(bars["symbol"] == "S000") & (bars["date"] >= change), "symbol"] = "NEW"
    split = CorporateAction("S000", date(2023, 12, 27), SPLIT, 2.0)
    by_day(lake, renamed, [split])
    symbols = SymbolMap(
        (
            Listing("S000", date(2020, 1, 2), date(2024, 1, 2), "share-0"),
            Listing("NEW", date(2024, 1, 3), None, "share-0"),
        )
    )
    unfollowed = lake.data_hash(AFTER)
    assert lake.ingest_symbols(symbols, told=LAST)
    assert not lake.ingest_symbols(symbols, told=LAST)
    assert lake.data_hash(AFTER) != unfollowed
    panel = lake.panel(before=AFTER)
    assert panel.symbols == ("NEW", "S001")
    expected = adjust_bars(bars, [split])
    mine = expected[expected["symbol"] == "S000"]
    np.testing.assert_allclose(panel.close[:, 0], mine["close"], rtol=1e-12)
    assert {a.symbol for a in lake.corporate_actions(before=AFTER)} == {"NEW"}
    # The day before, the share was S000 and nobody knew of the other name.
    early = lake.panel(before=date(2024, 1, 3))
    assert early.symbols == ("S000", "S001")
    assert lake.symbols(before=date(2024, 1, 3)).listings == (
        Listing("S000", date(2020, 1, 2), None, "share-0"),
    )
    with pytest.raises(DataError, match="later than 2023-01-02"):
        lake.ingest_symbols(SymbolMap(), told=date(2023, 1, 2))


def test_a_source_that_knows_present_symbols_only_is_not_renamed(lake: Lake) -> None:
    # NEW was another share's symbol until 2024-01-02; this source gives today's NEW throughout.
    bars = traded(1).assign(symbol="NEW").astype({"symbol": "str"})
    symbols = SymbolMap(
        (
            Listing("NEW", date(2020, 1, 2), date(2024, 1, 2), "another"),
            Listing("S000", date(2020, 1, 2), date(2024, 1, 2), "share-0"),
            Listing("NEW", date(2024, 1, 3), None, "share-0"),
        )
    )
    lake.ingest_symbols(symbols, told=LAST)
    lake.ingest(fetched(bars), simulated=False, adjusted_through=LAST, present_symbols=True)
    assert lake.panel(before=AFTER).symbols == ("NEW",)


def test_a_simulated_market_is_served_as_it_is_stored(lake: Lake) -> None:
    bars = make_bars()
    split = CorporateAction("S000", date(2024, 1, 3), SPLIT, 2.0)
    answer = replace(fetched(bars, "simulated market (seed 1)"), actions=(split,))
    lake.ingest(answer, simulated=True)
    pd.testing.assert_frame_equal(lake.bars(None, before=AFTER), bars)
    assert lake.corporate_actions(before=AFTER) == (split,)


def factor_file(file: Path) -> tuple[pd.DataFrame, list[CorporateAction]]:
    """Return a LEAN factor file's closes and factors, and the actions that it implies."""
    rows = pd.read_csv(file, names=["date", "price", "split", "close"], dtype={"date": str})
    rows["date"] = pd.to_datetime(rows["date"], format="%Y%m%d").astype("datetime64[s]")
    symbol = file.stem.upper()
    actions = []
    for i in range(len(rows) - 1):
        now, then = rows.iloc[i], rows.iloc[i + 1]
        ex = now["date"].date() + timedelta(days=1)
        ratio = float(then["split"] / now["split"])
        paid = (1 - now["price"] / then["price"]) * now["close"] / ratio
        if abs(ratio - 1) > 1e-4:
            actions.append(CorporateAction(symbol, ex, SPLIT, float(f"{ratio:.5g}")))
        if paid > 1e-9:
            actions.append(CorporateAction(symbol, ex, DIVIDEND, float(paid)))
    # The first row's close is a place-holder, the last row is the present.
    return rows.iloc[1:-1].assign(symbol=symbol), actions


@pytest.mark.real_data
def test_closes_as_traded_and_their_actions_are_the_vendors_adjusted_history(
    lake: Lake, real_prices: Path
) -> None:
    files = sorted((real_prices.parent / "fundamentals" / "lean_factor_files").glob("*.csv"))
    told = [factor_file(file) for file in files]
    rows = pd.concat([frame for frame, _ in told], ignore_index=True)
    rows = rows.sort_values(["symbol", "date"], ignore_index=True).astype({"symbol": "str"})
    close = rows["close"].astype(float)
    values = dict.fromkeys(("open", "high", "low", "close"), close)
    bars = pd.DataFrame({"date": rows["date"], "symbol": rows["symbol"]} | values)
    bars["volume"], bars["adjusted_close"] = 1000.0, np.nan
    actions = tuple(action for _, found in told for action in found)
    assert len(actions) > 500
    result = FetchResult(bars, (), fetched(bars).report)
    lake.ingest(result, simulated=False, adjusted_through=date.min)
    lake.ingest_actions(actions, adjusted_through=date.min)
    for before in (date(2005, 2, 26), date(2012, 1, 1), date(2030, 1, 1)):
        served = lake.bars(None, before=before)
        known = rows[rows["date"] < pd.Timestamp(before)].reset_index(drop=True)
        factor = known["price"] * known["split"]
        # The factors in force on that morning: of the first row not before it.
        present = {
            file.stem.upper(): next(
                row.price * row.split
                for row in pd.read_csv(file, names=["date", "price", "split", "close"]).itertuples()
                if str(row.date) >= f"{before - timedelta(days=1):%Y%m%d}"
            )
            for file in files
        }
        expected = known["close"] * factor / known["symbol"].map(present)
        np.testing.assert_allclose(served["adjusted_close"], expected, rtol=1e-4)
