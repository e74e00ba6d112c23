"""The 3,600 slots: which name sits where, so that the model never changes shape.

A slot is ACTIVE (a current member), ARCHIVE (a removed member, kept for `archive_months` with its
index) or PADDING (empty). The states are not tied to ranges of indices: a name keeps its index for
as long as it is in the map, whatever its state. At most `active` slots are ACTIVE and at most
`archive` are ARCHIVE, which leaves at least `padding` empty ones.
"""

import calendar
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Self

from trading.config import UniverseSettings
from trading.errors import DataError

VERSION_LENGTH = 16


class SlotState(StrEnum):
    """What a slot holds."""

    ACTIVE = "active"
    ARCHIVE = "archive"
    PADDING = "padding"


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of the map.

    Attributes
    ----------
    index : position in every array over slots, 0 to 3,599
    symbol : the name that holds it; an empty string where it is empty
    state : ACTIVE, ARCHIVE or PADDING
    since : as-of date on which the name last became active; None where the slot is empty
    removed : as-of date on which the name left the universe; None unless archived
    """

    index: int
    symbol: str
    state: SlotState
    since: date | None = None
    removed: date | None = None


@dataclass(frozen=True)
class SlotMap:
    """All slots as of a date, under a version that is the hash of the content.

    Attributes
    ----------
    version : first 16 hexadecimal digits of the SHA-256 over `as_of` and the slots
    as_of : the date from whose morning on the map holds
    slots : every slot, in the order of its index
    """

    version: str
    as_of: date
    slots: tuple[Slot, ...]

    @classmethod
    def of(cls, as_of: date, slots: Sequence[Slot]) -> Self:
        """Return the map of these slots under the version of its content."""
        return cls(_content_version(as_of, slots), as_of, tuple(slots))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of every slot, an empty string where there is none."""
        return tuple(slot.symbol for slot in self.slots)

    @property
    def active(self) -> tuple[str, ...]:
        """The active symbols, in the order of their slots."""
        return tuple(slot.symbol for slot in self.slots if slot.state is SlotState.ACTIVE)

    @property
    def archived(self) -> tuple[str, ...]:
        """The archived symbols, in the order of their slots."""
        return tuple(slot.symbol for slot in self.slots if slot.state is SlotState.ARCHIVE)

    def to_json(self) -> str:
        """Return the map as JSON; empty slots are left out, so their count is kept beside."""
        held = [_row(slot) for slot in self.slots if slot.symbol]
        document = {
            "version": self.version,
            "as_of": self.as_of.isoformat(),
            "size": len(self.slots),
            "slots": held,
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a map; raises `DataError` where the text is not one or was altered."""
        try:
            document = json.loads(text)
            size = int(document["size"])
            held = [_slot(row) for row in document["slots"]]
            as_of = date.fromisoformat(document["as_of"])
            version = str(document["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"this is not a slot map ({error!r}); write one with SlotMap.to_json"
            ) from error
        slots = [Slot(index, "", SlotState.PADDING) for index in range(size)]
        for slot in held:
            if not 0 <= slot.index < size:
                raise DataError(
                    f"{slot.symbol} has slot {slot.index}, but the slot map has {size} slots"
                )
            slots[slot.index] = slot
        found = _content_version(as_of, slots)
        if found != version or sum(1 for slot in slots if slot.symbol) != len(held):
            raise DataError(
                f"the slot map says version {version}, but its content is {found}; it was altered "
                "after it was written, allocate it anew"
            )
        return cls(version, as_of, tuple(slots))


@dataclass(frozen=True)
class SlotReport:
    """What an allocation changed; every field but `as_of` and `churn` is a tuple of symbols.

    Attributes
    ----------
    added : new names that took an empty slot
    returned : archived names that are members again, in their old slot
    archived : members that left and keep their slot as archived
    freed : names that lost their slot: archived too long, or pushed out of a full archive
    left_out : members beyond the active slots, in the order given
    churn : share of the members before that left, 0..1; 0 for the first map
    """

    as_of: date
    added: tuple[str, ...]
    returned: tuple[str, ...]
    archived: tuple[str, ...]
    freed: tuple[str, ...]
    left_out: tuple[str, ...]
    churn: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        names = ("added", "returned", "archived", "freed", "left_out")
        return {
            "as_of": self.as_of.isoformat(),
            **{name: list(getattr(self, name)) for name in names},
            "churn": self.churn,
        }


def allocate(
    previous: SlotMap | None,
    members: Sequence[str],
    as_of: date,
    settings: UniverseSettings,
) -> tuple[SlotMap, SlotReport]:
    """Return the slots for `members`, as little changed from `previous` as can be.

    A member that has a slot, active or archived, keeps or regains it. One that is no longer a
    member is archived; after `archive_months`, or when more than `archive` names are archived
    (those removed first go first; of one date the last by symbol), its slot is freed. New members
    take the lowest free slots in the order of their symbols, so the order of `members` matters
    only for who is left out where there are more than `active`: those at the end.

    Parameters
    ----------
    previous : the map before, or None for the first
    members : unique symbols, the most important first
    as_of : the date of the new map, not before that of `previous`

    Raises
    ------
    DataError
        A member is doubled or blank, `previous` is later than `as_of` or of another size.
    """
    _check(previous, members, as_of, settings)
    kept, left_out = set(members[: settings.active]), tuple(members[settings.active :])
    before = {slot.symbol: slot for slot in previous.slots if slot.symbol} if previous else {}
    was_active = [s for s in before.values() if s.state is SlotState.ACTIVE]

    archive = [
        Slot(slot.index, slot.symbol, SlotState.ARCHIVE, slot.since, slot.removed or as_of)
        for slot in before.values()
        if slot.symbol not in kept
    ]
    remembered, freed = _trim_archive(archive, as_of, settings)
    slots = [Slot(index, "", SlotState.PADDING) for index in range(settings.slots)]
    for slot in remembered:
        slots[slot.index] = slot
    returned = []
    for symbol in sorted(kept & before.keys()):
        old = before[symbol]
        if old.state is SlotState.ARCHIVE:
            returned.append(symbol)
            old = Slot(old.index, symbol, SlotState.ACTIVE, since=as_of)
        slots[old.index] = old
    added = sorted(kept - before.keys())
    empty = (slot.index for slot in slots if not slot.symbol)
    for symbol, index in zip(added, empty, strict=False):
        slots[index] = Slot(index, symbol, SlotState.ACTIVE, since=as_of)

    gone = sorted(slot.symbol for slot in was_active if slot.symbol not in kept)
    report = SlotReport(
        as_of=as_of,
        added=tuple(added),
        returned=tuple(returned),
        archived=tuple(symbol for symbol in gone if symbol not in freed),
        freed=tuple(sorted(freed)),
        left_out=left_out,
        churn=len(gone) / len(was_active) if was_active else 0.0,
    )
    return SlotMap.of(as_of, slots), report


def _trim_archive(
    archive: list[Slot], as_of: date, settings: UniverseSettings
) -> tuple[list[Slot], set[str]]:
    """Split the archived slots into those that stay and the symbols that are freed."""
    newest_first = sorted(archive, key=lambda slot: slot.symbol)
    newest_first.sort(key=lambda slot: slot.removed or as_of, reverse=True)
    fresh = [
        slot
        for slot in newest_first
        if _months_later(slot.removed or as_of, settings.archive_months) > as_of
    ]
    stay = fresh[: settings.archive]
    return stay, {slot.symbol for slot in archive} - {slot.symbol for slot in stay}


def _months_later(day: date, months: int) -> date:
    """Return the day `months` later, the last of its month where that day does not exist."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _check(
    previous: SlotMap | None, members: Sequence[str], as_of: date, settings: UniverseSettings
) -> None:
    doubled = [symbol for symbol, count in Counter(members).items() if count > 1]
    if doubled:
        raise DataError(
            f"{len(doubled)} member(s) occur more than once, the first is {doubled[0]!r}; "
            "give every symbol once"
        )
    if any(not symbol.strip() for symbol in members):
        raise DataError("a member has a blank symbol; leave it out")
    if previous is None:
        return
    if previous.as_of > as_of:
        raise DataError(
            f"the slot map before is of {previous.as_of}, later than {as_of}; "
            "give the map of an earlier month"
        )
    if len(previous.slots) != settings.slots:
        raise DataError(
            f"the slot map before has {len(previous.slots)} slots, the settings ask for "
            f"{settings.slots}; a model keeps its shape, so start a new universe to change it"
        )


def _row(slot: Slot) -> list[Any]:
    return [
        slot.index,
        slot.symbol,
        slot.state.value,
        slot.since.isoformat() if slot.since else None,
        slot.removed.isoformat() if slot.removed else None,
    ]


def _slot(row: Sequence[Any]) -> Slot:
    index, symbol, state, since, removed = row
    return Slot(
        int(index),
        str(symbol),
        SlotState(state),
        date.fromisoformat(since) if since else None,
        date.fromisoformat(removed) if removed else None,
    )


def _content_version(as_of: date, slots: Sequence[Slot]) -> str:
    content = [as_of.isoformat(), len(slots), [_row(slot) for slot in slots if slot.symbol]]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]
