"""The catalog of a lake: which raw batches its curated bars are made of, and their digests."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from trading.data.manifest import Manifest
from trading.errors import DataError

CATALOG_KEY = "catalog.json"
MOST_NAMES = 8
# Curated years of an earlier layout do not say what their bars are adjusted for.
LAYOUT = 1
EVERY_ROW = sys.maxsize


@dataclass(frozen=True)
class LakeSource:
    """Where the bars of a lake come from: one simulated market, or real sources."""

    name: str
    simulated: bool


@dataclass(frozen=True)
class Batch:
    """A raw object that the curated bars contain; a later batch restates the bars it repeats."""

    id: str
    manifest: str
    first: str
    last: str
    restated: int


@dataclass(frozen=True)
class Session:
    """The digest of a session's curated bars, and how many symbols have one."""

    digest: str
    bars: int


@dataclass(frozen=True)
class Catalog:
    """The state of a lake; writing it is what commits an ingest.

    Attributes
    ----------
    sources : the distinct descriptions of the sources, in the order they came
    simulated : whether the market is invented; None for an empty lake
    batches : raw objects in the order they were ingested
    years : year -> SHA-256 of the curated Parquet object
    sessions : ISO day -> `Session`
    pending : year -> manifests of sessions that its Parquet object does not yet hold
    quarantined : ISO days of `sessions` that are held but not served -> why
    told : how many rows of the table of corporate actions count, the first ones
    layout : of the curated years
    """

    sources: tuple[str, ...] = ()
    simulated: bool | None = None
    batches: tuple[Batch, ...] = ()
    years: Mapping[str, str] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    pending: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    told: int = EVERY_ROW
    layout: int = LAYOUT

    @property
    def served(self) -> Mapping[str, Session]:
        """The sessions that readers see: all but the quarantined ones."""
        return {day: held for day, held in self.sessions.items() if day not in self.quarantined}

    @property
    def source(self) -> LakeSource | None:
        """The source in a few words, None for an empty lake."""
        if self.simulated is None:
            return None
        named = ", ".join(self.sources[:MOST_NAMES])
        more = len(self.sources) - MOST_NAMES
        return LakeSource(f"{named} and {more} more" if more > 0 else named, self.simulated)

    def refuse_another(self, uri: str, source: str, *, simulated: bool) -> None:
        """Raise `DataError` where bars of `source` would mix with those of another kind."""
        held = self.source
        if held and (held.simulated != simulated or (simulated and held.name != source)):
            kinds = {True: "simulated", False: "real"}
            raise DataError(
                f"{uri} holds {kinds[held.simulated]} bars ({held.name}); "
                f"{kinds[simulated]} bars ({source}) would mix with them: set another TRADING_HOME"
            )

    def with_batch(self, manifest: Manifest, restated: int = 0) -> "Catalog":
        """Return this catalog with one batch more; its years and sessions are not yet in it."""
        batch = Batch(
            id=manifest.id,
            manifest=manifest.own_key,
            first=manifest.first.isoformat(),
            last=manifest.last.isoformat(),
            restated=restated,
        )
        new = () if manifest.source in self.sources else (manifest.source,)
        return replace(
            self,
            sources=(*self.sources, *new),
            simulated=manifest.simulated,
            batches=(*self.batches, batch),
        )

    def to_json(self) -> bytes:
        """Return the catalog as JSON; the same catalog gives the same bytes."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, body: bytes) -> "Catalog":
        """Read a catalog; raises `DataError` when it is not one."""
        try:
            plain: dict[str, Any] = json.loads(body)
            return cls(
                sources=tuple(plain["sources"]),
                simulated=plain["simulated"],
                batches=tuple(Batch(**batch) for batch in plain["batches"]),
                years=dict(plain["years"]),
                sessions={day: Session(**entry) for day, entry in plain["sessions"].items()},
                pending={y: tuple(keys) for y, keys in plain.get("pending", {}).items()},
                quarantined=dict(plain.get("quarantined", {})),
                told=int(plain.get("told", EVERY_ROW)),
                layout=int(plain.get("layout", 0)),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{CATALOG_KEY} of the lake is broken ({error}); delete it and run "
                "`trading data rebuild`"
            ) from error
