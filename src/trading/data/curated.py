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
from trading.data.parquet import BarColumns, decode_bars
from trading.data.raw import RawLayer, put_if_changed
from trading.data.store.base import ObjectStore, StoredObject
from trading.data.year_files import encode_year, merge_year
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
        held = self._trusted(catalog, year)
        if held is None:
            return self._beside(catalog, year, fields)
        return [
            decode_bars(held.body, year_key(year), fields),
            *self._pending(catalog, year, fields),
        ]

    def years(
        self, catalog: Catalog, years: Sequence[str], fields: tuple[str, ...] = FIELDS
    ) -> list[BarColumns]:
        """Return the bars of several years, read side by side."""
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(lambda year: self.parts(catalog, year, fields), years))
        return [part for parts in found for part in parts]

    def from_raw(self, catalog: Catalog, year: str, fields: tuple[str, ...] = FIELDS) -> BarColumns:
        """Return the bars of a year made of its raw batches, in the order of the catalog."""
        parts: list[BarColumns] = []
        for batch in catalog.batches:
            if batch.first[:4] <= year <= batch.last[:4]:
                bars = self._raw.bars(batch.manifest, fields)
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
        restated = 0
        for year, rows in years_of(bars):
            catalog, changed = self._lay_over(catalog, year, rows)
            restated += changed
        return catalog.with_batch(manifest, restated)

    def _lay_over(self, catalog: Catalog, year: str, rows: BarColumns) -> tuple[Catalog, int]:
        """Write a year with rows laid over it; return how many repeat a held one otherwise."""
        held = self._trusted(catalog, year)
        if held is None:
            base = self._beside(catalog, year)
            merged = overlay([*base, rows])
            restated = differing_rows(overlay(base), rows) if base else 0
            body, days = encode_year(merged), np.unique(rows.day)
            changed = merged.take(np.isin(merged.day, days))
            put_if_changed(self._store, year_key(year), body)
        else:
            done = merge_year(held.body, year_key(year), self._pending(catalog, year), rows)
            body, changed, restated, tag = done.body, done.changed, done.restated, held.etag
            # The old bytes are not needed for the write: a year is large.
            del held
            if _checksum(body) != catalog.years[year]:
                self._store.put(year_key(year), body, if_match=tag)
        return self._written(
            catalog, year, body, {**catalog.sessions, **_sessions(changed)}
        ), restated

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
                body = encode_year(rows)
                written += put_if_changed(self._store, year_key(year), body)
                catalog = self._written(
                    catalog, year, body, {**catalog.sessions, **_sessions(rows)}
                )
        return catalog, written

    def _written(
        self, catalog: Catalog, year: str, body: bytes, sessions: Mapping[str, Session]
    ) -> Catalog:
        years = {**catalog.years, year: _checksum(body)}
        pending = {other: keys for other, keys in catalog.pending.items() if other != year}
        return replace(catalog, years=years, sessions=sessions, pending=pending)

    def _trusted(self, catalog: Catalog, year: str) -> StoredObject | None:
        """Return the year's object when it is the catalog's."""
        if year not in catalog.years or (catalog.layout < LAYOUT and not catalog.simulated):
            return None
        try:
            held = self._store.get(year_key(year))
        except NotFoundError:
            return None
        # A folder's etag is the checksum already.
        known = catalog.years[year]
        return held if known == held.etag or known == _checksum(held.body) else None

    def _beside(
        self, catalog: Catalog, year: str, fields: tuple[str, ...] = FIELDS
    ) -> list[BarColumns]:
        """Return the bars of a year whose object cannot be trusted, or is not there."""
        lost = year in catalog.years or catalog.layout < LAYOUT
        if lost:
            return [self.from_raw(catalog, year, fields)]
        return self._pending(catalog, year, fields)

    def _pending(
        self, catalog: Catalog, year: str, fields: tuple[str, ...] = FIELDS
    ) -> list[BarColumns]:
        """Return the sessions that wait beside a year."""
        keys = catalog.pending.get(year, ())
        return [in_order(self._raw.bars(key, fields)) for key in keys]


def year_key(year: str) -> str:
    """Return the key of a curated year (`YYYY`)."""
    return f"bars/year={year}.parquet"


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _in_year(bars: BarColumns, year: str) -> npt.NDArray[np.bool_]:
    return np.asarray(bars.day.astype("datetime64[Y]") == np.datetime64(year, "Y"))


def _sessions(bars: BarColumns) -> dict[str, Session]:
    return {day: Session(*entry) for day, entry in session_digests(bars).items()}
