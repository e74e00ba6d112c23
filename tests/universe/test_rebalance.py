"""Replayed rebalances and kept versions: slots stay, reports add up, nothing is rewritten."""

import os
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.config import UniverseSettings
from trading.data.store.folder import FolderStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.universe.iwv import read_iwv
from trading.universe.membership import membership_of_lists
from trading.universe.rebalance import rebalance, replay
from trading.universe.slots import SlotMap, SlotState
from trading.universe.versions import UniverseRecord, UniverseVersions

SMALL = UniverseSettings(active=6, archive=3, padding=3, batch=4)
FULL = UniverseSettings()


def index_of(slots: SlotMap) -> dict[str, int]:
    return {slot.symbol: slot.index for slot in slots.slots if slot.symbol}


def test_another_spelling_of_a_share_class_keeps_the_slot() -> None:
    first = rebalance(None, ["BRKB", "BF/B", "A"], date(2024, 1, 1), SMALL)
    after = rebalance(first.slots, ["A", "BRK.B", "BF-B", "BF.B"], date(2024, 2, 1), SMALL)
    assert index_of(after.slots) == index_of(first.slots)
    assert (after.kept, after.report.added, after.report.archived) == (3, (), ())


names = st.lists(st.sampled_from([f"S{i}" for i in range(14)]), min_size=1, max_size=8, unique=True)


@pytest.mark.slow
@given(st.lists(names, min_size=2, max_size=8), st.integers(1, 9))
def test_any_history_keeps_survivors_and_adds_up(history: list[list[str]], months: int) -> None:
    dates = [date(2020 + (i * months) // 12, 1 + (i * months) % 12, 1) for i in range(len(history))]
    steps = list(replay(((d, m, "x") for d, m in zip(dates, history, strict=True)), SMALL))
    for before, after in pairwise(steps):
        old, new = index_of(before.slots), index_of(after.slots)
        assert all(new[s] == old[s] for s in old.keys() & new.keys())
        assert len(new) <= SMALL.slots
        assert len(new) == len(old) + len(after.report.added) - len(
            [s for s in after.report.freed if s in old]
        )
        row = after.to_dict()
        assert row["active"] + row["archive"] + row["empty"] == SMALL.slots
        assert row["active"] == row["kept"] + row["added"] + row["returned_to_their_slot"]
        gone = set(before.slots.active) - set(after.slots.active)
        assert row["churn_percent"] == pytest.approx(
            100 * len(gone) / len(before.slots.active), abs=0.006
        )
        for symbol in after.report.returned:
            assert new[symbol] == old[symbol]


def test_lists_are_replayed_by_date_and_each_once() -> None:
    one, two = (date(2024, 1, 1), ["A"], "one"), (date(2024, 2, 1), ["B"], "two")
    assert [s.source for s in replay([two, one], SMALL)] == ["one", "two"]
    with pytest.raises(DataError, match="not later"):
        list(replay([one, one], SMALL))


class Table:
    def __init__(self) -> None:
        self.records: list[UniverseRecord] = []

    def put_universe(self, record: UniverseRecord) -> None:
        self.records.append(record)


def test_versions_are_kept_told_and_never_rewritten(tmp_path: Path) -> None:
    table = Table()
    versions = UniverseVersions(FolderStore(tmp_path), "russell-3000", table)
    assert versions.dates() == ()
    with pytest.raises(NotFoundError, match="trading universe build"):
        versions.slots()
    first = rebalance(None, ["A", "B"], date(2024, 1, 1), SMALL, source="one")
    second = rebalance(first.slots, ["B", "C"], date(2024, 7, 1), SMALL, source="two")
    for done in (first, second, second):
        versions.keep(done)
    assert versions.dates() == (date(2024, 1, 1), date(2024, 7, 1))
    assert versions.slots() == second.slots
    assert versions.slots(date(2024, 6, 30)) == first.slots
    assert versions.report()["symbols"]["archived"] == ["A"]
    with pytest.raises(NotFoundError, match="first is of 2024-01-01"):
        versions.slots(date(2023, 1, 1))
    with pytest.raises(ConflictError, match="never rewritten"):
        versions.keep(rebalance(first.slots, ["C"], date(2024, 7, 1), SMALL))
    with pytest.raises(ConflictError, match="order of their dates"):
        versions.before(date(2024, 3, 1))
    assert versions.before(date(2024, 7, 1)) == first.slots
    assert versions.before(date(2025, 7, 1)) == second.slots
    item = table.records[1].to_item()
    assert (item["pk"], item["sk"]) == ("universe#russell-3000", "2024-07-01")
    assert (item["archived"], item["added"], item["churn_bps"]) == (1, 1, 5000)
    assert not any(isinstance(value, float) for value in item.values())
    with pytest.raises(DataError, match="is no name"):
        UniverseVersions(FolderStore(tmp_path), "../x")


@pytest.fixture
def holdings() -> list[Path]:
    default = Path(__file__).parents[2] / "../shared/data"
    folder = Path(os.environ.get("TRADING_REAL_DATA", default)) / "universe/ishares_iwv"
    if not folder.is_dir():
        pytest.skip(f"no real IWV holdings at {folder}; set TRADING_REAL_DATA")
    return sorted(folder.glob("*.csv"))


@pytest.mark.real_data
def test_the_three_real_dates(holdings: list[Path]) -> None:
    lists = [read_iwv(file, date.fromisoformat(file.stem[-10:])) for file in holdings]
    steps = list(replay([(held.as_of, held.symbols, "iwv") for held in lists], FULL))
    assert [step.slots.as_of for step in steps] == [held.as_of for held in lists]
    for before, after in pairwise(steps):
        old, new = index_of(before.slots), index_of(after.slots)
        survivors = set(before.slots.active) & set(after.slots.active)
        assert len(survivors) == after.kept > 1900
        assert all(new[s] == old[s] for s in survivors)
    for step, held in zip(steps, lists, strict=True):
        assert len(step.slots.slots) == 3600
        assert len(index_of(step.slots)) <= 3300
        assert set(step.slots.active) == set(held.symbols)
        assert len(step.slots.archived) <= 300
    # The second and third date are nine months apart: who came back has the slot it had.
    old = index_of(steps[1].slots)
    states = {slot.symbol: slot.state for slot in steps[1].slots.slots}
    assert len(steps[2].report.returned) > 0
    for symbol in steps[2].report.returned:
        assert states[symbol] is SlotState.ARCHIVE
        assert index_of(steps[2].slots)[symbol] == old[symbol]
    members = membership_of_lists({held.as_of: held.symbols for held in lists})
    for held in lists:
        assert set(members.on(held.as_of)) == set(held.symbols)
