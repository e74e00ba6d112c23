"""A renamed share keeps its slot, and a symbol that passed on does not bring its slot along."""

from datetime import date

from trading.config import UniverseSettings
from trading.data.actions.symbols import Listing, SymbolMap
from trading.universe.constituents import Constituent, Constituents
from trading.universe.renames import renamed_members, renamed_slots
from trading.universe.slots import SlotMap, SlotState, allocate

SMALL = UniverseSettings(active=6, archive=3, padding=3, batch=4)
JUNE, JULY = date(2022, 6, 1), date(2022, 7, 1)
# Facebook took the symbol META, which a fund had borne until a few months before.
MAP = SymbolMap(
    (
        Listing("FB", date(2012, 5, 18), date(2022, 6, 8), "facebook"),
        Listing("META", date(2021, 6, 30), date(2022, 1, 28), "fund"),
        Listing("METV", date(2022, 1, 31), None, "fund"),
        Listing("META", date(2022, 6, 9), None, "facebook"),
    )
)


def index_of(slots: SlotMap) -> dict[str, int]:
    return {slot.symbol: slot.index for slot in slots.slots if slot.symbol}


def test_a_renamed_share_keeps_its_slot() -> None:
    before, _ = allocate(None, ["FB", "METV", "A"], JUNE, SMALL)
    moved = renamed_slots(before, MAP.known(JULY), JULY)
    assert index_of(moved) == {
        "META": index_of(before)["FB"],
        "METV": index_of(before)["METV"],
        "A": index_of(before)["A"],
    }
    after, report = allocate(moved, ["META", "METV", "A"], JULY, SMALL)
    assert index_of(after) == index_of(moved)
    assert (report.added, report.archived, report.churn) == ((), (), 0.0)
    # Without the map it would be a name that left and a name that came.
    _, lost = allocate(before, ["META", "METV", "A"], JULY, SMALL)
    assert (lost.added, lost.archived) == (("META",), ("FB",))


def test_an_archived_share_keeps_its_slot_too() -> None:
    held, _ = allocate(None, ["FB", "A"], date(2022, 5, 2), SMALL)
    gone, _ = allocate(held, ["A"], JUNE, SMALL)
    moved = renamed_slots(gone, MAP.known(JULY), JULY)
    back, report = allocate(moved, ["A", "META"], JULY, SMALL)
    assert report.returned == ("META",)
    assert index_of(back)["META"] == index_of(held)["FB"]
    assert back.slots[index_of(back)["META"]].state is SlotState.ACTIVE


def test_a_rename_that_is_not_yet_known_changes_nothing() -> None:
    before, _ = allocate(None, ["FB", "METV"], date(2022, 5, 2), SMALL)
    assert renamed_slots(before, MAP.known(JUNE), JUNE) is before
    # Known the day before it happens, in force the day after.
    eve = date(2022, 6, 9)
    assert "FB" in renamed_slots(before, MAP.known(eve), eve).symbols


def test_names_that_would_meet_in_two_slots_stay_apart() -> None:
    before, _ = allocate(None, ["FB", "META"], JUNE, SMALL)
    assert set(renamed_slots(before, MAP.known(JULY), JULY).active) == {"FB", "META"}


def test_a_published_list_is_read_under_later_symbols() -> None:
    members = tuple(Constituent(s, s, "", "NYSE", 1.0) for s in ("FB", "A"))
    listed = Constituents(date(2022, 5, 31), members, {})
    assert renamed_members(listed, MAP.known(JULY), JULY).symbols == ("META", "A")
    assert renamed_members(listed, SymbolMap(), JULY) is listed
