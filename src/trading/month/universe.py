"""The month's slots: allocated from the months before, stored by month."""

from collections.abc import Iterator

from trading.data.store import ObjectStore
from trading.errors import DataError
from trading.market.panel import Panel
from trading.month.payloads import MonthRun
from trading.month.resources import Resources
from trading.month.universe_table import UniverseTable
from trading.universe.constituents import Constituents, members_for, read_iwv
from trading.universe.renames import renamed_members, renamed_slots
from trading.universe.slots import SlotMap, SlotReport, allocate
from trading.universe.versions import UniverseRecord

SLOTS = "universe/slots"
LISTS = "universe/constituents"
# The name under which a month's slots are in the table of universes.
MONTHS = "months"


def store_constituents(resources: Resources, body: bytes) -> Constituents:
    """Check a published holdings file and keep it under its date; raises `DataError`."""
    constituents = read_iwv(body)
    resources.data.put(f"{LISTS}/{constituents.as_of}.csv", body)
    return constituents


def allocate_slots(
    panel: Panel, month: MonthRun, resources: Resources
) -> tuple[SlotMap, SlotReport]:
    """Return the slots of the month and what changed, and store them.

    A rerun begins from the same earlier month, so it stores the same map. A share that was renamed
    since keeps its slot. The version's metadata goes to the ledger's table.
    """
    settings = resources.settings
    symbols = resources.lake.symbols(before=month.as_of)
    previous = _previous(resources.data, month.month)
    if previous is not None:
        previous = renamed_slots(previous, symbols, month.as_of)
    published = _published(resources.data, month)
    if published is not None:
        published = renamed_members(published, symbols, month.as_of)
    members = members_for(panel, previous, month.as_of, settings.universe, published)
    if len(members) < settings.data.min_symbols:
        raise DataError(
            f"{len(members)} symbols trade before {month.as_of}; at least"
            f" {settings.data.min_symbols} are needed (data.min_symbols)"
        )
    slots, report = allocate(previous, members, month.as_of, settings.universe)
    key = f"{SLOTS}/{month.month}.json"
    resources.data.put(key, slots.to_json().encode())
    source = "bars" if published is None else f"the list published on {published.as_of}"
    table = UniverseTable(resources.name("TRADING_LEDGER_TABLE"))
    table.put_universe(UniverseRecord.of(MONTHS, slots, report, key=key, source=source))
    return slots, report


def slots_of(store: ObjectStore, month: str) -> SlotMap:
    """Return the stored slots of a month; raises `NotFoundError`."""
    return SlotMap.from_json(store.get(f"{SLOTS}/{month}.json").body)


def latest_slots(store: ObjectStore) -> SlotMap | None:
    """Return the stored slots of the latest month, None when no month has run."""
    months = list(_names(store, SLOTS))
    return slots_of(store, max(months)) if months else None


def _previous(store: ObjectStore, month: str) -> SlotMap | None:
    earlier = [name for name in _names(store, SLOTS) if name < month]
    return slots_of(store, max(earlier)) if earlier else None


def _published(store: ObjectStore, month: MonthRun) -> Constituents | None:
    """Return the last list published before the month, if there is one."""
    known = [name for name in _names(store, LISTS) if name < month.as_of.isoformat()]
    return read_iwv(store.get(f"{LISTS}/{max(known)}.csv").body) if known else None


def _names(store: ObjectStore, folder: str) -> Iterator[str]:
    return (key.rpartition("/")[2].rpartition(".")[0] for key in store.keys(f"{folder}/"))
