"""Slots as a state machine: whatever the months bring, nobody sits twice and nobody moves."""

import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trading.config import UniverseSettings
from trading.errors import DataError
from trading.universe.slots import Slot, SlotMap, SlotReport, SlotState, allocate

SMALL = UniverseSettings(active=6, archive=3, padding=3, archive_months=3, batch=4)
NAMES = [chr(ord("A") + i) * 3 for i in range(14)]
MEMBERS = st.lists(st.sampled_from(NAMES), unique=True, max_size=10)


def month_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, day.day)


class Universe(RuleBasedStateMachine):
    """Months of arbitrary membership, checked against what the documentation promises."""

    @initialize(members=MEMBERS)
    def begin(self, members: list[str]) -> None:
        self.as_of = date(2024, 1, 2)
        self.members = members
        self.before: SlotMap | None = None
        self.map, self.report = allocate(None, members, self.as_of, SMALL)

    @rule(members=MEMBERS, months=st.integers(0, 5))
    def next_month(self, members: list[str], months: int) -> None:
        self.as_of = month_later(self.as_of, months)
        self.members, self.before = members, self.map
        self.map, self.report = allocate(self.map, members, self.as_of, SMALL)

    @invariant()
    def the_shape_never_changes(self) -> None:
        assert [slot.index for slot in self.map.slots] == list(range(12))
        assert len(self.map.active) <= 6
        assert len(self.map.archived) <= 3

    @invariant()
    def nobody_sits_twice(self) -> None:
        held = [symbol for symbol in self.map.symbols if symbol]
        assert len(held) == len(set(held))

    @invariant()
    def the_active_are_the_first_members(self) -> None:
        assert set(self.map.active) == set(self.members[:6])
        assert self.report.left_out == tuple(self.members[6:])

    @invariant()
    def nobody_moves(self) -> None:
        if self.before:
            where = {s.symbol: s.index for s in self.before.slots if s.symbol}
            for slot in self.map.slots:
                if slot.symbol in where:
                    assert slot.index == where[slot.symbol]

    @invariant()
    def states_and_dates_agree(self) -> None:
        for slot in self.map.slots:
            assert (slot.state is SlotState.PADDING) == (slot.symbol == "") == (slot.since is None)
            assert (slot.state is SlotState.ARCHIVE) == (slot.removed is not None)
            if slot.removed:
                assert slot.removed <= self.as_of < month_later(slot.removed, 3)

    @invariant()
    def the_report_accounts_for_every_change(self) -> None:
        before = self.before or SlotMap.of(self.as_of, ())
        was, now = set(before.symbols) - {""}, set(self.map.symbols) - {""}
        report = self.report
        assert set(report.added) == now - was
        assert set(report.freed) == was - now
        assert set(report.returned) == set(before.archived) & set(self.map.active)
        assert set(report.archived) == set(before.active) & set(self.map.archived)
        gone = set(before.active) - set(self.map.active)
        assert report.churn == (len(gone) / len(before.active) if before.active else 0.0)

    @invariant()
    def a_freed_name_was_older_than_the_archived_that_stay(self) -> None:
        if self.before:
            removed = {s.symbol: s.removed or self.as_of for s in self.before.slots}
            stay = [s.removed for s in self.map.slots if s.removed]
            if len(stay) == 3:
                assert all(removed[name] <= min(stay) for name in self.report.freed)

    @invariant()
    def neither_the_order_nor_the_journey_matters(self) -> None:
        kept = self.members[:6]
        shuffled = random.Random(1).sample(kept, len(kept)) + self.members[6:]
        assert allocate(self.before, shuffled, self.as_of, SMALL)[0] == self.map
        assert SlotMap.from_json(self.map.to_json()) == self.map
        again, report = allocate(self.map, self.members, self.as_of, SMALL)
        assert again == self.map
        assert report.added + report.archived + report.returned + report.freed == ()


Universe.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
TestUniverse = Universe.TestCase


def months(*memberships: str, step: int = 1) -> tuple[SlotMap, SlotReport]:
    """Return the map and report after a month for each string of one-letter members."""
    day, slots, report = date(2024, 1, 2), None, None
    for members in memberships:
        slots, report = allocate(slots, list(members), day, SMALL)
        day = month_later(day, step)
    assert slots is not None
    assert report is not None
    return slots, report


def test_new_members_take_the_lowest_free_slots_by_symbol() -> None:
    slots, report = months("CAB")
    assert slots.symbols[:4] == ("A", "B", "C", "")
    assert report.added == ("A", "B", "C")
    assert slots.slots[0] == Slot(0, "A", SlotState.ACTIVE, since=date(2024, 1, 2))


def test_a_removed_member_keeps_its_slot_and_gets_it_back() -> None:
    archived, report = months("ABC", "AC")
    assert archived.slots[1] == Slot(
        1, "B", SlotState.ARCHIVE, since=date(2024, 1, 2), removed=date(2024, 2, 2)
    )
    assert (report.archived, report.churn) == (("B",), pytest.approx(1 / 3))
    back, report = months("ABC", "AC", "ABCD")
    assert back.slots[1] == Slot(1, "B", SlotState.ACTIVE, since=date(2024, 3, 2))
    assert (report.returned, report.added) == (("B",), ("D",))
    assert back.symbols[3] == "D"


def test_an_archived_slot_is_freed_after_its_months_and_reused() -> None:
    kept, _ = months("ABC", "AC", "AC", "AC")
    assert kept.symbols[1] == "B"
    freed, report = months("ABC", "AC", "AC", "AC", "ACD")
    assert report.freed == ("B",)
    assert freed.symbols[:4] == ("A", "D", "C", "")


def test_a_full_archive_frees_those_removed_first() -> None:
    slots, report = months("ABCDEF", "BCDEF", "F")
    assert set(slots.archived) == {"B", "C", "D"}
    assert report.freed == ("A", "E")
    assert report.archived == ("B", "C", "D")


def test_members_beyond_the_active_slots_are_left_out_in_the_order_given() -> None:
    slots, report = months("HGFEDCBA")
    assert set(slots.active) == set("HGFEDC")
    assert report.left_out == ("B", "A")
    assert report.to_dict()["left_out"] == ["B", "A"]


def test_the_version_is_of_the_content() -> None:
    first, _ = months("ABC")
    assert first.version == months("CBA")[0].version
    assert first.version != months("ABD")[0].version
    assert len(first.version) == 16


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_an_altered_map_is_refused(data: st.DataObject) -> None:
    text = months("ABC", "AC")[0].to_json()
    i = data.draw(st.integers(0, len(text) - 1))
    altered = text[:i] + data.draw(st.sampled_from("0123456789X,}")) + text[i + 1 :]
    if altered != text:
        with pytest.raises(DataError):
            SlotMap.from_json(altered)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"size": "x"}', b"\xff\xfe"])
def test_what_is_no_map_is_refused(text: str | bytes) -> None:
    with pytest.raises(DataError, match="not a slot map"):
        SlotMap.from_json(text)


@pytest.mark.parametrize(
    ("members", "match"),
    [(["A", "B", "A"], "'A'; give every symbol once"), (["A", " "], "blank symbol")],
)
def test_bad_members_are_refused(members: list[str], match: str) -> None:
    with pytest.raises(DataError, match=match):
        allocate(None, members, date(2024, 1, 2), SMALL)


def test_time_and_shape_do_not_run_backwards() -> None:
    slots, _ = months("ABC")
    with pytest.raises(DataError, match="later than 2023-12-01"):
        allocate(slots, ["A"], date(2023, 12, 1), SMALL)
    with pytest.raises(DataError, match="12 slots, the settings ask for 3600"):
        allocate(slots, ["A"], date(2024, 2, 1), UniverseSettings())


def test_the_last_day_of_a_month_is_archived_to_a_last_day() -> None:
    slots, _ = allocate(None, ["A", "B"], date(2024, 1, 31), SMALL)
    slots, _ = allocate(slots, ["A"], date(2024, 11, 30), SMALL)
    assert allocate(slots, ["A"], date(2025, 2, 27), SMALL)[0].archived == ("B",)
    assert allocate(slots, ["A"], date(2025, 2, 28), SMALL)[1].freed == ("B",)


def test_a_russell_year_fits_and_moves_little() -> None:
    members = [f"S{i:04d}" for i in range(3100)]
    slots, first = allocate(None, members, date(2024, 7, 1), UniverseSettings())
    assert (len(slots.slots), len(first.added), len(first.left_out)) == (3600, 3000, 100)
    changed = members[230:3000] + [f"T{i:04d}" for i in range(230)]
    slots, second = allocate(slots, changed, date(2025, 7, 1), UniverseSettings())
    assert (len(second.archived), len(second.added)) == (230, 230)
    assert second.churn == pytest.approx(230 / 3000)
    assert len(slots.to_json()) < 250_000
