"""Move the slots from one list of members to the next, and say what moved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from trading.config import UniverseSettings
from trading.errors import DataError
from trading.universe.iwv import symbol_key
from trading.universe.slots import SlotMap, SlotReport, SlotState, allocate


@dataclass(frozen=True)
class Rebalance:
    """One rebalance: the slots after it, and what moved.

    Attributes
    ----------
    slots : the map after
    report : the allocation's own report
    source : where the members come from, in words
    before : version of the map before, None for the first
    kept : names active before and after, each in its old slot
    """

    slots: SlotMap
    report: SlotReport
    source: str
    before: str | None
    kept: int

    def to_dict(self) -> dict[str, Any]:
        """Return the slot report as plain JSON values: counts, churn in per cent, and symbols."""
        states = [slot.state for slot in self.slots.slots]
        return {
            "as_of": self.slots.as_of.isoformat(),
            "source": self.source,
            "version": self.slots.version,
            "version_before": self.before,
            "active": states.count(SlotState.ACTIVE),
            "archive": states.count(SlotState.ARCHIVE),
            "empty": states.count(SlotState.PADDING),
            "slots": len(states),
            "kept": self.kept,
            "moved_to_archive": len(self.report.archived),
            "added": len(self.report.added),
            "returned_to_their_slot": len(self.report.returned),
            "freed": len(self.report.freed),
            "left_out": len(self.report.left_out),
            "churn_percent": round(100 * self.report.churn, 2),
            "symbols": {
                name: list(getattr(self.report, name))
                for name in ("added", "returned", "archived", "freed", "left_out")
            },
        }


def rebalance(
    previous: SlotMap | None,
    members: Sequence[str],
    as_of: date,
    settings: UniverseSettings,
    *,
    source: str = "members",
) -> Rebalance:
    """Return the slots for `members` and what moved.

    A member whose symbol the map spells otherwise (`BRK.B` for `BRKB`) keeps its slot and the
    map's spelling; of members that are one share class under two spellings the first counts.
    Otherwise as `allocate`, whose errors it raises.
    """
    known = {symbol_key(s): s for s in previous.symbols if s} if previous else {}
    spelt: dict[str, str] = {}
    for symbol in members:
        key = symbol_key(symbol)
        spelt.setdefault(key, known.get(key, symbol))
    slots, report = allocate(previous, list(spelt.values()), as_of, settings)
    kept = set(previous.active) & set(slots.active) if previous else set()
    return Rebalance(slots, report, source, previous.version if previous else None, len(kept))


def replay(
    lists: Iterable[tuple[date, Sequence[str], str]],
    settings: UniverseSettings,
    previous: SlotMap | None = None,
) -> Iterator[Rebalance]:
    """Yield the rebalance of each `(as_of, members, source)`, in the order of their dates.

    Raises `DataError` when two lists have one date, or one is not later than `previous`.
    """
    last = previous.as_of if previous else None
    for as_of, members, source in sorted(lists, key=lambda entry: entry[0]):
        if last is not None and as_of <= last:
            raise DataError(
                f"the list {source} of {as_of} is not later than the one before, of {last}; give "
                "each date once"
            )
        done = rebalance(previous, members, as_of, settings, source=source)
        yield done
        previous, last = done.slots, as_of
