"""The curated bars of a lake: one Parquet object a year, and the sessions that came since.

A new session is not laid into its year at once: it is *pending*, read from its raw object, until
`MOST_PENDING` of a year are; then the year is written with all of them. So a day costs what a day
holds, not what its year does.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trading.data.catalog import LAYOUT, Catalog, Session
from trading.data.curation import differing_rows, in_order, overlay, years_of
from trading.data.manifest import Manifest, session_digests
from trading.data.parquet import BarColumns, decode_bars, encode_bars
from trading.data.raw import RawLayer, put_if_changed
from trading.data.store.base import ObjectStore
from trading.errors import NotFoundError
from trading.market.bars import FIELDS

MOST_PENDING = 21
READERS = 4


class CuratedBars:
    """The curated bars in an object store, as a catalog describes them.

    A year's object is trusted only when its checksum is the catalog's; else the year is made from
    the raw batches, which never change.

    Parameters
    ----------
    store : where the objects are
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._raw = store, RawLayer(store)

    def parts(
        self, catalog: Catalog, year: str, fields: tuple[str, ...] = FIELDS
    ) -> list[BarColumns]:
        """Return the bars of a year in parts that share no (symbol, day)."""
        found: list[BarColumns] = []
        if catalog.layout < LAYOUT and not catalog.simulated:
            return [self.from_raw(catalog, year)]
        if year in catalog.years:
            key = year_key(year)
            try:
                held = self._store.get(key)
            except NotFoundError:
                return [self.from_raw(catalog, year)]
            # A folder's etag is the checksum already.
            if catalog.years[year] != held.etag and catalog.years[year] != _checksum(held.body):
                return [self.from_raw(catalog, year)]
            found.append(decode_bars(held.body, key, fields))
        pending = catalog.pending.get(year, ())
        return found + [in_order(self._raw.bars(key, fields)) for key in pending]

    def years(
        self, catalog: Catalog, years: Sequence[str], fields: tuple[str, ...] = FIELDS
    ) -> list[BarColumns]:
        """Return the bars of several years, read side by side."""
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(lambda year: self.parts(catalog, year, fields), years))
        return [part for parts in found for part in parts]

    def from_raw(self, catalog: Catalog, year: str) -> BarColumns:
        """Return the bars of a year made of its raw batches, in the order of the catalog."""
        parts: list[BarColumns] = []
        for batch in catalog.batches:
            if batch.first[:4] <= year <= batch.last[:4]:
                bars = self._raw.bars(batch.manifest)
                whole = batch.first[:4] == batch.last[:4]
                parts.append(bars if whole else bars.take(_in_year(bars, year)))
        return overlay(parts)

    def with_batch(self, catalog: Catalog, manifest: Manifest, bars: BarColumns) -> Catalog:
        """Return the catalog with a raw batch more, having written the years that must be."""
        day = str(bars.day[0])
        held = catalog.pending.get(day[:4], ())
        if (
            manifest.first == manifest.last
            and day not in catalog.sessions
            and len(held) < MOST_PENDING - 1
            and len(overlay([bars])) == len(bars)
        ):
            added = catalog.with_batch(manifest)
            pending = {**catalog.pending, day[:4]: (*held, added.batches[-1].manifest)}
            sessions = {**catalog.sessions, **_sessions(bars)}
            return replace(added, pending=pending, sessions=sessions)
        made: dict[str, BarColumns] = {}
        restated = 0
        for year, rows in years_of(bars):
            parts = self.parts(catalog, year)
            if any(str(session) in catalog.sessions for session in np.unique(rows.day)):
                parts = [overlay(parts)]
                restated += differing_rows(parts[0], rows)
            made[year] = overlay([*parts, rows])
        changed = {str(session) for session in np.unique(bars.day)}
        return self.write(catalog.with_batch(manifest, restated), made, changed)[0]

    def write_all(self, catalog: Catalog) -> tuple[Catalog, int]:
        """Make every year anew of its raw batches; return the catalog and how many differed."""
        years = {
            str(year)
            for batch in catalog.batches
            for year in range(int(batch.first[:4]), int(batch.last[:4]) + 1)
        }
        written = 0
        catalog = replace(catalog, years={}, sessions={}, pending={})
        for year in sorted(years):
            rows = self.from_raw(catalog, year)
            if len(rows):
                catalog, wrote = self.write(catalog, {year: rows})
                written += wrote
        return catalog, written

    def write(
        self, catalog: Catalog, made: Mapping[str, BarColumns], changed: set[str] | None = None
    ) -> tuple[Catalog, int]:
        """Write whole years; return the catalog that says so, and how many were written anew.

        `changed` are the sessions whose bars differ from what the catalog holds, None for all.
        """
        years, written = dict(catalog.years), 0
        sessions = {
            day: held
            for day, held in catalog.sessions.items()
            if changed is not None or day[:4] not in made
        }
        for year, rows in made.items():
            body = encode_bars(rows)
            years[year] = _checksum(body)
            written += put_if_changed(self._store, year_key(year), body)
            if changed is not None:
                days = np.array(sorted(changed), dtype="datetime64[D]")
                rows = rows.take(np.isin(rows.day, days))
            sessions |= _sessions(rows)
        pending = {year: keys for year, keys in catalog.pending.items() if year not in made}
        return replace(catalog, years=years, sessions=sessions, pending=pending), written


def year_key(year: str) -> str:
    """Return the key of a curated year (`YYYY`)."""
    return f"bars/year={year}.parquet"


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _in_year(bars: BarColumns, year: str) -> npt.NDArray[np.bool_]:
    return np.asarray(bars.day.astype("datetime64[Y]") == np.datetime64(year, "Y"))


def _sessions(bars: BarColumns) -> dict[str, Session]:
    return {day: Session(*entry) for day, entry in session_digests(bars).items()}
