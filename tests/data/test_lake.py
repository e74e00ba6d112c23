"""The lake: immutable raw, curated made of it, and one hash for the same bars."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from trading.data.lake import Lake
from trading.data.store.base import ObjectStore
from trading.errors import DataError, StoreError
from trading.market.bars import FIELDS, CorporateAction, CorporateActionType
from trading.market.panel import Panel

AFTER = date(2024, 2, 1)


def assert_same_panel(one: Panel, other: Panel) -> None:
    assert one.symbols == other.symbols
    np.testing.assert_array_equal(one.sessions, other.sessions)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_panel_is_what_was_ingested(store: ObjectStore, bars: pd.DataFrame) -> None:
    bars.loc[4, ["open", "volume"]] = np.nan
    lake = Lake(store)
    manifest = lake.ingest(fetched(bars), simulated=False)
    assert_same_panel(lake.panel(before=AFTER), Panel.from_bars(bars))
    assert (manifest.rows, manifest.symbols, manifest.verdict) == (len(bars), 3, "clean")
    assert (manifest.first, manifest.last) == (date(2023, 12, 20), date(2024, 1, 12))
    assert lake.manifests() == (manifest,)
    assert list(store.keys("bars/")) == ["bars/year=2023.parquet", "bars/year=2024.parquet"]
    assert list(store.keys("data/")) == [
        f"data/imports/{manifest.id}/bars.parquet",
        f"data/imports/{manifest.id}/manifest.json",
    ]
    np.testing.assert_array_equal(lake.sessions(), Panel.from_bars(bars).sessions)
    found = lake.source()
    assert found is not None
    assert (found.name, found.simulated) == ("test bars", False)


def test_a_panel_ends_before_and_has_only_symbols_of_its_time(lake: Lake) -> None:
    early = make_bars(2)
    late = make_bars(1, date(2024, 1, 16), date(2024, 1, 19)).assign(symbol="NEW")
    lake.ingest(fetched(early), simulated=False)
    lake.ingest(fetched(late), simulated=False)
    panel = lake.panel(before=date(2024, 1, 12))
    assert panel.symbols == ("S000", "S001")
    assert str(panel.sessions[-1]) == "2024-01-11"
    part = lake.panel(before=AFTER, start=date(2024, 1, 12))
    assert part.symbols == ("NEW", "S000", "S001")
    assert str(part.sessions[0]) == "2024-01-12"
    with pytest.raises(DataError, match="from 2023-12-20 to 2024-01-19"):
        lake.panel(before=date(2023, 12, 20))


def test_one_session_has_its_own_folder(lake: Lake, bars: pd.DataFrame) -> None:
    day = bars[bars["date"] == pd.Timestamp("2024-01-05")].reset_index(drop=True)
    manifest = lake.ingest(fetched(day), simulated=False)
    assert manifest.key == "data/2024/01/05/bars.parquet"
    # What restates the session is kept beside it: raw objects never change.
    changed = lake.ingest(fetched(day.assign(volume=7.0)), simulated=False)
    assert changed.key == f"data/imports/{changed.id}/bars.parquet"
    assert (lake.panel(before=AFTER).volume == 7.0).all()
    assert lake.manifests() == (manifest, changed)


def test_the_same_content_twice_writes_nothing(bars: pd.DataFrame) -> None:
    store = MemoryStore()
    lake = Lake(store)
    first = lake.ingest(fetched(bars), simulated=False)
    store.writes.clear()
    shuffled = fetched(bars.sample(frac=1, random_state=0))
    assert lake.ingest(shuffled, simulated=False) == first
    assert store.writes == []


@hypothesis_settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 15), max_size=4), seed=st.integers(0, 99))
def test_the_hash_does_not_tell_how_bars_arrived(cuts: list[int], seed: int) -> None:
    bars = make_bars(3)
    days = sorted(bars["date"].unique())
    whole, pieces = Lake(MemoryStore()), Lake(MemoryStore())
    whole.ingest(fetched(bars), simulated=False)
    edges = [0, *sorted(cuts), len(days)]
    parts = [bars[bars["date"].isin(days[a:b])] for a, b in pairwise(edges)]
    parts += [bars[bars["symbol"] == "S001"]]
    random.Random(seed).shuffle(parts)
    for part in parts:
        if len(part):
            pieces.ingest(fetched(part.reset_index(drop=True)), simulated=False)
    for day in (date(2024, 1, 3), AFTER):
        assert pieces.data_hash(day) == whole.data_hash(day)
    assert_same_panel(pieces.panel(before=AFTER), whole.panel(before=AFTER))


def test_the_hash_sees_every_value_and_nothing_later(new_lake: Callable[[str], Lake]) -> None:
    bars = make_bars(3)
    cut = date(2024, 1, 5)
    base = new_lake("base")
    base.ingest(fetched(bars), simulated=False)
    for i, name in enumerate(FIELDS):
        earlier, later = bars.copy(), bars.copy()
        earlier.loc[3, name] *= 1 + 1e-15
        later.loc[len(bars) - 1, name] += 1
        one, other = new_lake(f"earlier{i}"), new_lake(f"later{i}")
        one.ingest(fetched(earlier), simulated=False)
        other.ingest(fetched(later), simulated=False)
        assert one.data_hash(cut) != base.data_hash(cut)
        assert other.data_hash(cut) == base.data_hash(cut)
        assert other.data_hash(AFTER) != base.data_hash(AFTER)
    renamed = new_lake("renamed")
    renamed.ingest(fetched(bars.replace({"symbol": {"S002": "S003"}})), simulated=False)
    assert renamed.data_hash(cut) != base.data_hash(cut)


def test_later_batches_restate_and_are_counted(lake: Lake, bars: pd.DataFrame) -> None:
    lake.ingest(fetched(bars), simulated=False)
    changed = bars.copy()
    changed.loc[[2, 40], "close"] *= 1.001
    lake.ingest(fetched(changed.iloc[:44], "a mended file"), simulated=False)
    expected = pd.concat([changed.iloc[:44], bars.iloc[44:]])
    assert_same_panel(lake.panel(before=AFTER), Panel.from_bars(expected))
    assert [batch.restated for batch in lake._catalog()[0].batches] == [0, 2]
    assert lake.source().name == "test bars, a mended file"  # type: ignore[union-attr]


def test_simulated_and_real_bars_never_mix(
    new_lake: Callable[[str], Lake], bars: pd.DataFrame
) -> None:
    simulated, real = new_lake("simulated"), new_lake("real")
    simulated.ingest(fetched(bars, "simulated market (seed 1)"), simulated=True)
    real.ingest(fetched(bars), simulated=False)
    before = simulated.data_hash(AFTER), real.data_hash(AFTER)
    for lake, source, kind in (
        (simulated, "files", False),
        (real, "simulated market (seed 1)", True),
        (simulated, "simulated market (seed 2)", True),
    ):
        with pytest.raises(DataError, match="TRADING_HOME"):
            lake.ingest(fetched(make_bars(4), source), simulated=kind)
    assert (simulated.data_hash(AFTER), real.data_hash(AFTER)) == before


def test_an_ingest_killed_after_any_write_is_finished_by_the_next(bars: pd.DataFrame) -> None:
    first, second = bars.iloc[:20], bars.iloc[10:].assign(volume=5.0)
    actions = (CorporateAction("S001", date(2024, 1, 3), CorporateActionType.DIVIDEND, 0.5),)
    base = MemoryStore()
    Lake(base).ingest(fetched(first.reset_index(drop=True)), simulated=False)
    started = Lake(base).data_hash(AFTER)
    whole = MemoryStore()
    whole.objects = dict(base.objects)
    coming = replace(fetched(second.reset_index(drop=True)), actions=actions)
    Lake(whole).ingest(coming, simulated=False)
    total = len(whole.writes)
    assert total >= 6
    for killed_after in range(total):
        store = MemoryStore()
        store.objects = dict(base.objects)
        store.die_after = killed_after
        lake = Lake(store)
        with pytest.raises(StoreError, match="killed"):
            lake.ingest(coming, simulated=False)
        # A reader sees the state before, whatever half of the ingest is there.
        assert lake.data_hash(AFTER) == started
        assert_same_panel(lake.panel(before=AFTER), Panel.from_bars(first))
        store.die_after = None
        lake.ingest(coming, simulated=False)
        assert store.objects == whole.objects


def test_two_writers_at_once_both_get_in(bars: pd.DataFrame) -> None:
    store = MemoryStore()
    one, other = bars[bars["symbol"] != "S002"], bars[bars["symbol"] == "S002"]

    def race(key: str) -> None:
        if key == "bars/year=2024.parquet":
            store.before_put = lambda key: None
            Lake(store).ingest(fetched(other.reset_index(drop=True), "other"), simulated=False)

    store.before_put = race
    Lake(store).ingest(fetched(one.reset_index(drop=True), "one"), simulated=False)
    assert_same_panel(Lake(store).panel(before=AFTER), Panel.from_bars(bars))
    assert len(Lake(store).manifests()) == 2


def test_what_is_curated_can_be_rebuilt_from_raw(bars: pd.DataFrame) -> None:
    store = MemoryStore()
    lake = Lake(store)
    lake.ingest(fetched(bars.iloc[:30]), simulated=False)
    lake.ingest(fetched(bars.iloc[20:].reset_index(drop=True)), simulated=False)
    whole = dict(store.objects)
    store.objects["bars/year=2024.parquet"] = b"spoilt"
    assert_same_panel(lake.panel(before=AFTER), Panel.from_bars(bars))
    assert lake.rebuild() == 1
    assert store.objects == whole
    assert lake.rebuild() == 0
    for key in ("catalog.json", "bars/year=2023.parquet", "bars/year=2024.parquet"):
        store.delete(key)
    assert lake.rebuild() == 2
    assert_same_panel(lake.panel(before=AFTER), Panel.from_bars(bars))


def test_a_changed_raw_object_is_noticed(bars: pd.DataFrame) -> None:
    store = MemoryStore()
    lake = Lake(store)
    manifest = lake.ingest(fetched(bars), simulated=False)
    store.objects[manifest.key] = store.objects[manifest.key][:-1] + b"!"
    store.delete("bars/year=2023.parquet")
    with pytest.raises(DataError, match="does not match the checksum"):
        lake.panel(before=AFTER)


def test_broken_objects_are_told_by_their_key(bars: pd.DataFrame) -> None:
    store = MemoryStore()
    lake = Lake(store)
    manifest = lake.ingest(fetched(bars), simulated=False)
    key = manifest.key.replace("bars.parquet", "manifest.json")
    store.objects[key] = b"{}"
    with pytest.raises(DataError, match="manifest.json"):
        lake.manifests()
    store.objects["catalog.json"] = b"[]"
    with pytest.raises(DataError, match="catalog.json"):
        lake.sessions()


def test_corporate_actions_are_kept_once_and_by_date(lake: Lake, bars: pd.DataFrame) -> None:
    split = CorporateAction("S001", date(2024, 1, 9), CorporateActionType.SPLIT, 2.0)
    listing = CorporateAction("S002", date(2023, 12, 21), CorporateActionType.LISTING)
    lake.ingest(replace(fetched(bars.iloc[:20]), actions=(split,)), simulated=False)
    lake.ingest(replace(fetched(bars), actions=(split, listing)), simulated=False)
    assert lake.corporate_actions(before=AFTER) == (listing, split)
    assert lake.corporate_actions(before=date(2024, 1, 9)) == (listing,)


def test_an_empty_lake_says_so(lake: Lake) -> None:
    assert lake.source() is None
    assert lake.benchmark(before=AFTER) is None
    assert lake.corporate_actions(before=AFTER) == ()
    assert len(lake.sessions()) == 0
    with pytest.raises(DataError, match="none at all"):
        lake.panel(before=AFTER)
    with pytest.raises(DataError, match="nothing to ingest"):
        lake.ingest(fetched(make_bars().iloc[:0]), simulated=False)


def test_a_lake_in_s3_is_the_same_lake(
    s3_store: ObjectStore, new_lake: Callable[[str], Lake], bars: pd.DataFrame
) -> None:
    here, there = new_lake("folder"), Lake(s3_store)
    for lake in (here, there):
        lake.ingest(fetched(bars.iloc[:25]), simulated=False)
        lake.ingest(fetched(bars.iloc[25:].reset_index(drop=True)), simulated=False)
    assert here.data_hash(AFTER) == there.data_hash(AFTER)
    assert here.manifests() == there.manifests()
