"""The versions of a universe: every slot map and its report, kept under the universe's name.

::

    universe/<name>/<as-of>.json            the slot map of a date
    universe/<name>/<as-of>.report.json     what moved, see `Rebalance.to_dict`

Both are immutable; a metadata record of each can be kept in a table (DynamoDB's `ledger`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from trading.data.store import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.universe.rebalance import Rebalance
from trading.universe.slots import SlotMap, SlotReport

FOLDER = "universe"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class UniverseRecord:
    """What a table keeps of one version.

    Attributes
    ----------
    name, as_of, version : which universe, from which morning on, and the hash of its slots
    key : object of the slot map
    source : where its members come from
    active, archive, slots : how many
    added, archived, returned, freed : how many moved
    churn : share of the members before that left, 0..1
    """

    name: str
    as_of: date
    version: str
    key: str
    source: str
    active: int
    archive: int
    slots: int
    added: int
    archived: int
    returned: int
    freed: int
    churn: float

    def to_item(self) -> dict[str, Any]:
        """Return the DynamoDB item: key `pk = universe#<name>`, `sk = <as-of>`, plain types.

        DynamoDB takes no floats: the churn is kept in basis points, an integer.
        """
        return {
            "pk": f"universe#{self.name}",
            "sk": self.as_of.isoformat(),
            "version": self.version,
            "key": self.key,
            "source": self.source,
            "churn_bps": round(self.churn * 10_000),
            **{
                field: getattr(self, field)
                for field in (
                    "active", "archive", "slots", "added", "archived", "returned", "freed"
                )
            },
        }  # fmt: skip

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> "UniverseRecord":
        """Return the record of a DynamoDB item."""
        counts = ("active", "archive", "slots", "added", "archived", "returned", "freed")
        return cls(
            name=str(item["pk"]).removeprefix("universe#"),
            as_of=date.fromisoformat(str(item["sk"])),
            version=str(item["version"]),
            key=str(item["key"]),
            source=str(item["source"]),
            churn=int(item["churn_bps"]) / 10_000,
            **{name: int(item[name]) for name in counts},
        )

    @classmethod
    def of(
        cls, name: str, slots: SlotMap, report: SlotReport, *, key: str, source: str
    ) -> "UniverseRecord":
        """Return the record of slots, what moved in them, and where they lie."""
        return cls(
            name=name,
            as_of=slots.as_of,
            version=slots.version,
            key=key,
            source=source,
            active=len(slots.active),
            archive=len(slots.archived),
            slots=len(slots.slots),
            added=len(report.added),
            archived=len(report.archived),
            returned=len(report.returned),
            freed=len(report.freed),
            churn=report.churn,
        )


class UniverseMetadata(Protocol):
    """A table of universe versions."""

    def put_universe(self, record: UniverseRecord) -> None:
        """Keep a record; the same record again is fine."""


class UniverseVersions:
    """The kept versions of one universe.

    Parameters
    ----------
    store : where the objects are
    name : of the universe, such as `russell-3000`: lower-case letters, digits and dashes
    metadata : a table that gets a record of every version kept
    """

    def __init__(
        self, store: ObjectStore, name: str, metadata: UniverseMetadata | None = None
    ) -> None:
        if not NAME.fullmatch(name):
            raise DataError(
                f"{name!r} is no name of a universe; expected lower-case letters, digits and "
                "dashes, such as russell-3000"
            )
        self._store, self._name, self._metadata = store, name, metadata

    def dates(self) -> tuple[date, ...]:
        """Return the dates of the versions, ascending."""
        stems = (
            key.rpartition("/")[2].removesuffix(".json")
            for key in self._store.keys(f"{FOLDER}/{self._name}/")
            if not key.endswith(".report.json")
        )
        return tuple(sorted(date.fromisoformat(stem) for stem in stems))

    def keep(self, done: Rebalance) -> UniverseRecord:
        """Keep the version that a rebalance made, and return its record.

        Keeping the same again changes nothing. Raises `ConflictError` when its date holds another
        version: versions are never rewritten.
        """
        as_of = done.slots.as_of
        self._put_once(self._key(as_of, "report.json"), json.dumps(done.to_dict()).encode(), as_of)
        self._put_once(self._key(as_of), done.slots.to_json().encode(), as_of)
        key = self._key(as_of)
        record = UniverseRecord.of(self._name, done.slots, done.report, key=key, source=done.source)
        if self._metadata is not None:
            self._metadata.put_universe(record)
        return record

    def before(self, as_of: date) -> SlotMap | None:
        """Return the slots that a version of `as_of` begins from, None for the first.

        Raises `ConflictError` when a later version is kept and none of this date: it was not made
        from this one.
        """
        held = self.dates()
        if held and as_of < held[-1] and as_of not in held:
            raise ConflictError(
                f"the universe {self._name} has a version of {held[-1]}, after {as_of}; versions "
                "are made in the order of their dates, choose another name to start anew"
            )
        earlier = [day for day in held if day < as_of]
        return self.slots(earlier[-1]) if earlier else None

    def slots(self, on: date | None = None) -> SlotMap:
        """Return the slots in force on a day, the latest when None; raises `NotFoundError`."""
        return SlotMap.from_json(self._store.get(self._key(self._in_force(on))).body)

    def report(self, on: date | None = None) -> dict[str, Any]:
        """Return the slot report of the version in force on a day; raises `NotFoundError`."""
        body = self._store.get(self._key(self._in_force(on), "report.json")).body
        report: dict[str, Any] = json.loads(body)
        return report

    def _in_force(self, on: date | None) -> date:
        held = self.dates()
        known = [day for day in held if on is None or day <= on]
        if not known:
            said = f"the first is of {held[0]}" if held else "none is kept"
            raise NotFoundError(
                f"the universe {self._name} has no version on or before {on or 'today'} ({said}); "
                "make one with `trading universe build`"
            )
        return known[-1]

    def _key(self, as_of: date, ending: str = "json") -> str:
        return f"{FOLDER}/{self._name}/{as_of.isoformat()}.{ending}"

    def _put_once(self, key: str, body: bytes, as_of: date) -> None:
        try:
            self._store.put(key, body, if_absent=True)
        except ConflictError as error:
            if self._store.get(key).body != body:
                raise ConflictError(
                    f"the universe {self._name} has another version of {as_of} already; versions "
                    "are never rewritten, choose another name or a later date"
                ) from error
