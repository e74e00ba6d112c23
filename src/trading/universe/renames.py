"""Slots and published lists under the symbols of a later day: a renamed share keeps its slot."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from trading.data.actions.symbols import SymbolMap
from trading.universe.constituents import Constituents
from trading.universe.slots import SlotMap


def renames_between(symbols: SymbolMap, then: date, now: date) -> Mapping[str, str]:
    """Return the new symbol of each share that bore another on the day `then` than on `now`.

    Where one share took over the symbol of another, both are there.
    """
    return {listing.symbol: name for listing, name in symbols.renamed(now) if listing.covers(then)}


def renamed_slots(slots: SlotMap, symbols: SymbolMap, as_of: date) -> SlotMap:
    """Return the slots under the symbols known on the morning of `as_of`.

    Every share keeps its slot. A name that would then stand in two slots is left as it was: the
    map and the slots disagree on who it is.
    """
    found = renames_between(symbols, slots.as_of - timedelta(days=1), as_of - timedelta(days=1))
    if not found:
        return slots
    names = [found.get(slot.symbol, slot.symbol) for slot in slots.slots]
    doubled = {name for name in names if name and names.count(name) > 1}
    return SlotMap.of(
        slots.as_of,
        [
            slot if name in doubled or not name else replace(slot, symbol=name)
            for slot, name in zip(slots.slots, names, strict=True)
        ],
    )


def renamed_members(listed: Constituents, symbols: SymbolMap, as_of: date) -> Constituents:
    """Return a published list under the symbols known on the morning of `as_of`.

    Published lists write class shares without a separator; renames are found either way.
    """
    found = renames_between(symbols, listed.as_of, as_of - timedelta(days=1))
    members = tuple(
        replace(member, symbol=found[member.symbol]) if member.symbol in found else member
        for member in listed.members
    )
    return replace(listed, members=members) if found else listed
