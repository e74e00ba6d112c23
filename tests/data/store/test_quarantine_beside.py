"""A database beside the lake serves a session when the lake does, and not otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_examples import fetched, make_bars

from trading.cli.app import main
from trading.config import Settings
from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.cache import open_cache
from trading.data.intake import inspect_sessions
from trading.data.intake.beside import OWED, owe, settle
from trading.data.intake.commit import Place, finish_chosen, mend_older
from trading.data.lake import Lake
from trading.data.late_repairs import PRICES, LateRepair
from trading.data.store.bars import BarStore, CachedBars, LakeBars, copy_bars
from trading.data.store.bars.postgres import PostgresBars
from trading.data.store.folder import FolderStore
from trading.errors import StoreError

FIRST, LAST, BAD = date(2023, 12, 20), date(2024, 1, 12), date(2024, 1, 5)


@pytest.fixture
def objects(tmp_path) -> FolderStore:  # type: ignore[no-untyped-def]
    store = FolderStore(tmp_path / "lake")
    lake = Lake(store)
    for _, rows in make_bars(12).assign(adjusted_close=np.nan).groupby("date"):
        lake.ingest(fetched(rows.reset_index(drop=True)), simulated=False)
    return store


@pytest.fixture
def database(postgres: str, schema: str, objects: FolderStore) -> Iterator[PostgresBars]:
    store = PostgresBars.open(postgres, schema)
    copy_bars(Lake(objects), store, FIRST, LAST)
    yield store
    store.close()


@pytest.fixture
def settings(postgres: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings whose bars are in the test's own schema of the server."""
    for module in ("trading.data.intake.inspection", "trading.cli.lake_repairs"):
        monkeypatch.setattr(
            f"{module}.open_configured_bars", lambda *_: PostgresBars.open(postgres, schema)
        )
    return Settings.model_validate(
        {"data": {"min_symbols": 5, "store": {"bars": "postgres", "address": "postgresql://h/d"}}}
    )


def on(store: BarStore, day: date) -> int:
    return len(store.query(None, day, day))


def same(lake: FolderStore, other: BarStore) -> None:
    own = LakeBars(lake).query(None, FIRST, LAST)
    pd.testing.assert_frame_equal(other.query(None, FIRST, LAST), own, rtol=1e-12)


def test_a_session_quarantined_and_released_later_is_told(
    objects: FolderStore, database: PostgresBars, settings: Settings
) -> None:
    assert on(database, BAD) == 12
    strict = settings.model_copy(
        update={"data": settings.data.model_copy(update={"min_symbols": 13})}
    )
    (report,) = inspect_sessions(objects, [BAD], strict)
    assert report.verdict.value == "fail"
    assert on(database, BAD) == 0
    same(objects, database)
    # Judged again by the settings it was fetched with, it passes.
    inspect_sessions(objects, [BAD], settings)
    assert Lake(objects).quarantined() == {}
    assert on(database, BAD) == 12
    same(objects, database)
    assert not list(objects.keys(OWED))


def test_a_database_that_is_away_is_told_by_the_next_check(
    objects: FolderStore,
    database: PostgresBars,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = settings.model_copy(
        update={"data": settings.data.model_copy(update={"min_symbols": 13})}
    )
    there = PostgresBars.withhold

    def away(self: PostgresBars, session: date) -> None:
        raise StoreError("PostgreSQL does not answer")

    monkeypatch.setattr(PostgresBars, "withhold", away)
    with pytest.raises(StoreError, match="does not answer"):
        inspect_sessions(objects, [BAD], strict)
    # The lake holds it back already; the database is owed it.
    assert list(Lake(objects).quarantined()) == [BAD]
    assert on(database, BAD) == 12
    monkeypatch.setattr(PostgresBars, "withhold", there)
    inspect_sessions(objects, [LAST], settings)
    assert on(database, BAD) == 0
    same(objects, database)


def test_who_is_killed_between_lake_and_database_leaves_a_note(
    objects: FolderStore, database: PostgresBars
) -> None:
    lake = Lake(objects)
    for change in (lambda: lake.quarantine(BAD, ["half is missing"]), lambda: lake.release(BAD)):
        owe(objects, BAD)
        change()
        assert settle(objects, database) == (BAD,)
        same(objects, database)
        assert settle(objects, database) == ()


def test_a_note_that_another_writer_struck_out_is_not_lost(
    objects: FolderStore,
    database: PostgresBars,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The other one settles between this one's note and its change of the lake.
    def overtaken(store: FolderStore, session: date) -> None:
        owe(store, session)
        assert settle(store, database) == (session,)

    monkeypatch.setattr("trading.data.intake.inspection.owe", overtaken)
    strict = settings.model_copy(
        update={"data": settings.data.model_copy(update={"min_symbols": 13})}
    )
    inspect_sessions(objects, [BAD], strict)
    assert list(Lake(objects).quarantined()) == [BAD]
    assert on(database, BAD) == 0
    same(objects, database)


def test_a_copy_withholds_what_the_lake_quarantined_since(
    objects: FolderStore, database: PostgresBars
) -> None:
    Lake(objects).quarantine(BAD, ["half is missing"])
    copy_bars(Lake(objects), database, FIRST, LAST)
    assert on(database, BAD) == 0
    same(objects, database)


def test_every_store_withholds_a_session_until_bars_of_it_are_stored(bar_store: BarStore) -> None:
    cached = CachedBars(bar_store, open_cache("memory:"))
    bars = make_bars(3)
    cached.store(bars, adjusted_through=LAST)
    assert on(cached, BAD) == 3
    cached.withhold(BAD)
    cached.withhold(BAD)
    cached.withhold(date(2020, 1, 2))
    assert on(cached, BAD) == 0
    assert on(cached, LAST) == 3
    again = bars[bars["date"] == pd.Timestamp(BAD)].reset_index(drop=True)
    cached.store(again, adjusted_through=LAST)
    assert on(cached, BAD) == 3


def test_a_repair_proved_later_reaches_the_database(
    objects: FolderStore, database: PostgresBars
) -> None:
    row = LateRepair(date(2024, 1, 9), "S001", BAD, "hundredfold_price", 0.01, 1.0, "so")
    before = database.query(["S001"], BAD, BAD)["close"].iloc[0]
    place = Place(objects, Lake(objects), False, beside=database)
    assert mend_older(place, [row, replace(row, symbol="NOBODY")]) == 2
    after = database.query(["S001"], BAD, BAD, as_of=LAST)["close"].iloc[0]
    assert after == pytest.approx(before / 100)


def test_a_lake_that_cannot_take_the_bars_keeps_the_session_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = FolderStore(tmp_path / "copy")
    store, bars = LakeBars(objects), make_bars(3)
    store.store(bars, adjusted_through=LAST)
    store.withhold(BAD)
    mended = bars[bars["date"] == pd.Timestamp(BAD)].reset_index(drop=True)
    mended["close"] *= 0.5

    def away(*_: object, **__: object) -> None:
        raise StoreError("the lake does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(Lake, "ingest", away)
        with pytest.raises(StoreError, match="does not answer"):
            store.store(mended, adjusted_through=LAST)
    assert on(store, BAD) == 0
    # Killed after the bars are in: the same call serves them.
    with monkeypatch.context() as broken:
        broken.setattr(Lake, "release", away)
        with pytest.raises(StoreError, match="does not answer"):
            store.store(mended, adjusted_through=LAST)
    assert on(store, BAD) == 0
    assert store.store(mended, adjusted_through=LAST).written == 0
    found = store.query(None, BAD, BAD)["close"].to_numpy()
    np.testing.assert_allclose(found, mended["close"].to_numpy())


def test_a_bar_does_not_serve_a_session_that_was_judged(objects: FolderStore) -> None:
    Lake(objects).quarantine(BAD, ["half is missing"])
    store, bars = LakeBars(objects), make_bars(12)
    one = bars[bars["date"] == pd.Timestamp(BAD)].head(1).reset_index(drop=True)
    store.withhold(BAD)
    assert store.store(one, adjusted_through=LAST).rows == 1
    assert Lake(objects).quarantined() == {BAD: "half is missing"}
    assert on(store, BAD) == 0


def test_a_repair_that_is_taken_back_is_taken_back_in_the_database(
    objects: FolderStore,
    database: PostgresBars,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    was = database.query(["S001"], BAD, BAD)["close"].iloc[0]
    row = LateRepair(date(2024, 1, 9), "S001", BAD, "hundredfold_price", 0.01, 1.0, "so")
    mend_older(Place(objects, Lake(objects), False, beside=database), [row])
    assert database.query(["S001"], BAD, BAD)["close"].iloc[0] == pytest.approx(was / 100)
    monkeypatch.setattr("trading.cli.lake_repairs.load_settings", lambda: settings)
    asked = ["--undo", "S001", "--on", f"{BAD}", "--lake", str(tmp_path / "lake")]
    with pytest.raises(SystemExit) as ended:
        main(["data", "repairs", *asked, "--home", str(tmp_path / "home")])
    assert not ended.value.code
    assert Lake(objects).repairs() == ()
    assert database.query(["S001"], BAD, BAD)["close"].iloc[0] == was
    assert not list(objects.keys(OWED))


def test_a_repair_reaches_the_copy_under_the_symbol_of_the_session(
    objects: FolderStore, database: PostgresBars
) -> None:
    # S001 becomes NEW, and what was S002 takes its symbol over.
    renamed = date(2024, 1, 9)
    eve = date(2024, 1, 8)
    lake = Lake(objects)
    listings = (
        Listing("S001", FIRST, eve, "one"),
        Listing("NEW", renamed, None, "one"),
        Listing("S002", FIRST, eve, "two"),
        Listing("S001", renamed, None, "two"),
    )
    lake.ingest_symbols(SymbolMap(listings), told=renamed)
    was = lake.stored_bars(["S001", "S002"], before=LAST, start=BAD)
    place = Place(objects, lake, False, beside=database)
    row = LateRepair(renamed, "NEW", BAD, "hundredfold_price", 0.01, 1.0, "so")
    mend_older(place, [row])
    was.loc[(was["symbol"] == "S001") & (was["date"] == pd.Timestamp(BAD)), list(PRICES)] *= 0.01
    copied = pd.concat([part.to_bars() for part in lake.stored_parts(BAD, eve)])
    copied = copied[copied["symbol"].isin(["S001", "S002"])].reset_index(drop=True)
    wanted = was[was["date"] <= pd.Timestamp(eve)].reset_index(drop=True)
    keys = ["date", "symbol"]
    pd.testing.assert_frame_equal(
        copied.sort_values(keys, ignore_index=True), wanted.sort_values(keys, ignore_index=True)
    )
    held = database.query(["S001", "S002"], BAD, BAD)[["symbol", "close"]]
    of_day = wanted[wanted["date"] == pd.Timestamp(BAD)][["symbol", "close"]]
    assert dict(held.to_numpy()) == pytest.approx(dict(of_day.to_numpy()))


def test_who_is_killed_before_a_repair_reaches_the_database_leaves_a_note(
    objects: FolderStore, database: PostgresBars, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = LateRepair(date(2024, 1, 9), "S001", BAD, "hundredfold_price", 0.01, 1.0, "so")
    before = database.query(["S001"], BAD, BAD)["close"].iloc[0]
    place = Place(objects, Lake(objects), False, beside=database)
    add = Lake.add_repairs

    def killed(lake: Lake, rows: Sequence[LateRepair]) -> int:
        add(lake, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "add_repairs", killed)
        with pytest.raises(KeyboardInterrupt):
            mend_older(place, [row])
    assert database.query(["S001"], BAD, BAD)["close"].iloc[0] == before
    finish_chosen(place)
    after = database.query(["S001"], BAD, BAD, as_of=LAST)["close"].iloc[0]
    assert after == pytest.approx(before / 100)
    assert not list(objects.keys(OWED))
