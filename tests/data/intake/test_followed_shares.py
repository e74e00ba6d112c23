"""A share that is renamed keeps its history: who bears a symbol is asked before its bars are."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from intake_examples import MORNING, Place

from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.intake import SessionStatus
from trading.data.intake.commit import commit_session
from trading.data.intake.followed import UNSETTLED, unsettled
from trading.data.lake import Lake
from trading.data.store.folder import FolderStore
from trading.errors import DataError

RENAMED, NEW = "T0004", "META"
DAY = 10


def place_of(
    folder: FolderStore, *, day: int = DAY, now: datetime = MORNING, **more: object
) -> Place:
    place = Place(folder, symbols=60, now=now, **more)  # type: ignore[arg-type]
    place.market.renames[RENAMED] = (NEW, day)
    return place


def morning_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(days=1)


def every_morning(place: Place, days: list[date]) -> list[str]:
    """Fetch each day on the morning after it; return all that was told."""
    told: list[str] = []
    for day in days:
        place.now = morning_after(day)
        # As the daily flow does: who is expected is read off the lake.
        held = place.lake.sessions()
        if len(held):
            last = held[-1].astype(object)
            place.expected = list(place.lake.panel(before=last + timedelta(days=1)).symbols)
        result = place.run([day])
        assert result.count(SessionStatus.COMPLETE) == 1, result
        assert not result.missing
        told += result.told()
    return told


def history_of(lake: Lake, symbol: str, before: date) -> list[date]:
    bars = lake.bars([symbol], before=before)
    return [stamp.date() for stamp in bars["date"]]


def test_a_renamed_share_keeps_its_history_from_the_daily_flow_on(folder: FolderStore) -> None:
    place = place_of(folder)
    days = place.days
    place.now = morning_after(days[7])
    assert place.run(days[:8]).told() == ()
    told = every_morning(place, days[8:])
    assert told == [f"{RENAMED} is {NEW} since {days[DAY]}: one history"]
    lake, end = place.lake, days[-1] + timedelta(days=1)
    assert history_of(lake, NEW, end) == days
    assert history_of(lake, RENAMED, end) == []
    assert lake.panel(before=end).shape[1] == 60
    # As of a morning before it nobody knew the new name.
    assert history_of(lake, RENAMED, days[DAY]) == days[:DAY]
    assert NEW not in lake.panel(before=days[DAY]).symbols


@pytest.mark.slow
def test_what_was_known_of_symbols_is_what_a_shorter_flow_knows(
    folder: FolderStore, tmp_path: Path
) -> None:
    place = place_of(folder)
    every_morning(place, place.days)
    whole = place.lake
    for cut in (DAY - 1, DAY, DAY + 1, len(place.days)):
        short = place_of(FolderStore(tmp_path / f"short-{cut}"))
        every_morning(short, place.days[:cut])
        before = place.days[cut - 1] + timedelta(days=1)
        assert whole.symbols(before=before) == short.lake.symbols(before=before)
        assert whole.bars(None, before=before).equals(short.lake.bars(None, before=before))
        assert whole.data_hash(before) == short.lake.data_hash(before)


@pytest.mark.slow
def test_sessions_fetched_late_find_the_day_of_the_rename_by_its_bars(folder: FolderStore) -> None:
    place = place_of(folder)
    every_morning(place, place.days[:6])
    place.expected = [f"T{i:04d}" for i in range(60)]
    place.now = MORNING
    result = place.run(place.days[6:])
    assert result.count(SessionStatus.COMPLETE) == len(place.days) - 6, result.missing
    assert place.lake.symbols().renames() == ((place.days[DAY], RENAMED, NEW),)
    assert history_of(place.lake, NEW, date(2025, 1, 1)) == place.days


def test_a_backfill_of_an_empty_lake_joins_what_was_renamed_in_its_time(
    folder: FolderStore,
) -> None:
    place = place_of(folder)
    # The universe of the end: nobody there knows the old name.
    place.expected = [NEW if s == RENAMED else s for s in place.expected]
    result = place.run()
    assert result.count(SessionStatus.COMPLETE) == len(place.days), result.missing
    assert place.lake.symbols().renames() == ((place.days[DAY], RENAMED, NEW),)
    assert history_of(place.lake, NEW, date(2025, 1, 1)) == place.days
    tickers = [t for t in place.services.targets if "/v3/reference/tickers" in t]
    assert len(tickers) == 2
    again = place.run()
    assert again.count(SessionStatus.HELD) == len(place.days)
    assert len([t for t in place.services.targets if "/v3/reference/tickers" in t]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("told_under", [NEW, RENAMED])
def test_a_rename_on_the_day_of_a_split(folder: FolderStore, told_under: str) -> None:
    place = place_of(folder)
    n = place.market._column[RENAMED]
    place.market.splits[n] = (DAY, 4.0)
    answer = place.services._polygon

    def told(path: str, query: dict[str, str], fault: str, today: date) -> tuple[object, int]:
        content, status = answer(path, query, fault, today)
        if path.startswith("/v3/reference/splits"):
            shown = [r | {"ticker": told_under} for r in content["results"]]
            gte = query["execution_date.gte"]
            content = {"status": "OK", "results": [r for r in shown if r["execution_date"] >= gte]}
        if path.startswith("/v2/aggs/grouped") and today < place.days[DAY]:
            for row in content["results"]:
                if row["T"] == RENAMED:
                    row |= {k: row[k] * 4.0 for k in "ohlc"} | {"v": row["v"] / 4.0}
        return content, status

    place.services._polygon = told  # type: ignore[method-assign]
    every_morning(place, place.days)
    bars = place.lake.bars([NEW], before=date(2025, 1, 1))
    assert [stamp.date() for stamp in bars["date"]] == place.days
    expected = place.market.values["close"][:, n]
    assert bars["close"].to_numpy() == pytest.approx(expected)


@pytest.mark.slow
def test_a_symbol_that_another_company_takes_is_not_joined_to_it(folder: FolderStore) -> None:
    place = place_of(folder, day=10**6)
    taker = place.market._column[RENAMED]
    figis = place.market.figis
    told: list[str] = []
    for t, day in enumerate(place.days):
        if t == DAY:
            figis[taker] = "BBG001ANOTHER"
        told += every_morning(place, [day])
    eve = place.days[DAY] - timedelta(days=1)
    assert len(told) == 1
    assert told[0].startswith(f"{RENAMED} is another share since {place.days[DAY]}")
    end = date(2025, 1, 1)
    assert history_of(place.lake, RENAMED, end) == place.days[DAY:]
    assert history_of(place.lake, f"{RENAMED}.{eve}", end) == place.days[:DAY]


def test_a_list_that_cannot_be_had_is_told_and_the_session_comes(folder: FolderStore) -> None:
    place = place_of(folder, day=10**6)
    answer = place.services._polygon

    def refused(path: str, query: dict[str, str], fault: str, today: date) -> tuple[object, int]:
        if path == "/v3/reference/tickers":
            return {"status": "NOT_AUTHORIZED", "message": "upgrade your plan"}, 403
        return answer(path, query, fault, today)

    place.services._polygon = refused  # type: ignore[method-assign]
    result = place.run(place.days[-1:])
    assert result.count(SessionStatus.COMPLETE) == 1
    assert "the tickers of 2024-06-28 could not be asked" in result.symbols[0]
    assert place.lake.symbols() == SymbolMap()


def test_a_lake_that_was_told_later_keeps_what_it_has(folder: FolderStore) -> None:
    place = place_of(folder, day=10**6)
    held = SymbolMap((Listing("OLD", place.days[0], None, "share"),))
    place.lake.ingest_symbols(held, told=date(2024, 7, 10))
    result = place.run(place.days[-1:])
    assert result.count(SessionStatus.COMPLETE) == 1
    assert "tell changes with a later day" in result.symbols[0]
    assert place.lake.symbols() == held


def test_few_symbols_are_named_by_hand_and_no_list_is_asked(folder: FolderStore) -> None:
    place = Place(folder, symbols=10)
    place.run(place.days[-1:])
    assert not [t for t in place.services.targets if "/v3/reference/tickers" in t]


class Killed(BaseException):
    """Whatever ends a process: nothing of the run comes after it."""


def killed_at(monkeypatch: pytest.MonkeyPatch, place: Place, days: list[date], what: str) -> None:
    """Run, and die at a step of the run, or at its third session."""
    module = "trading.data.intake.run"
    kept, committed = commit_session, iter(range(2))

    def dies(*_: object, **__: object) -> None:
        raise Killed

    def third(*given: Any, **named: Any) -> Any:
        if next(committed, None) is None:
            raise Killed
        return kept(*given, **named)

    with monkeypatch.context() as patched:
        if what == "sessions":
            patched.setattr(f"{module}.commit_session", third)
        elif what == "map":
            patched.setattr(Lake, "ingest_symbols", dies)
        else:
            patched.setattr(f"{module}.settle_shares", dies)
        with pytest.raises(Killed):
            place.run(days)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "later"), [("map", 0), ("sessions", 0), ("sessions", 1), ("settling", 0)]
)
def test_a_killed_run_settles_its_renames_in_the_next(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, what: str, later: int
) -> None:
    place = place_of(folder)
    every_morning(place, place.days[:6])
    place.expected = [f"T{i:04d}" for i in range(60)]
    place.now = MORNING
    end = len(place.days) - later
    killed_at(monkeypatch, place, place.days[6:end], what)
    assert folder.get(UNSETTLED).body
    result = place.run(place.days[6:])
    assert result.told() == (f"{RENAMED} is {NEW} since {place.days[DAY]}: one history",)
    assert place.lake.symbols().renames() == ((place.days[DAY], RENAMED, NEW),)
    assert history_of(place.lake, NEW, date(2025, 1, 1)) == place.days
    assert UNSETTLED not in place.files()
    assert place.run(place.days[6:]).told() == ()


@pytest.mark.slow
def test_a_stopped_run_settles_its_renames_in_the_next(folder: FolderStore) -> None:
    place = place_of(folder)
    every_morning(place, place.days[:6])
    place.expected = [f"T{i:04d}" for i in range(60)]
    place.now = MORNING
    stopped = place.run(place.days[6:], stop=lambda: len(place.lake.sessions()) >= 8)
    assert stopped.count(SessionStatus.LEFT) == len(place.days) - 8
    # No bar has told the day yet: it is that of the list.
    assert place.lake.symbols().renames() == ((place.days[-1], RENAMED, NEW),)
    place.run(place.days[6:])
    assert place.lake.symbols().renames() == ((place.days[DAY], RENAMED, NEW),)
    assert history_of(place.lake, NEW, date(2025, 1, 1)) == place.days
    assert UNSETTLED not in place.files()


@pytest.mark.slow
def test_a_run_of_old_sessions_leaves_the_note_to_its_own(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(folder)
    every_morning(place, place.days[:6])
    place.expected = [f"T{i:04d}" for i in range(60)]
    place.now = MORNING
    killed_at(monkeypatch, place, place.days[6:], "sessions")
    assert place.run(place.days[:6]).told() == ()
    assert folder.get(UNSETTLED).body
    # A map that somebody gave the lake since is not replaced by what the note knows.
    mine = SymbolMap((Listing("MINE", place.days[0], None, "share"),))
    assert unsettled(folder, mine) is None
    folder.put(UNSETTLED, b"[1]")
    with pytest.raises(DataError, match=r"intake/symbols.json .* delete it"):
        place.run(place.days[6:])
