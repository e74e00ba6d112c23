"""The lake: raw bars that never change, and the curated bars made of them.

::

    data/YYYY/MM/DD/bars.parquet + manifest.json        one fetched session, immutable
    data/imports/<id>/bars.parquet + manifest.json      many sessions at once, immutable
    bars/year=YYYY.parquet                              curated, made of the raw batches in order
    corporate_actions/actions.parquet                   curated corporate actions
    catalog.json                                        which batches; digest of every session
    quarantine/YYYY-MM-DD.json                          why a session is held but not served
    benchmarks/…                                        see `trading.data.benchmark`

An ingest writes the raw object, its manifest, the curated years, then the catalog, which commits
it; a new session waits beside its year for a while, see `trading.data.curated`. A reader trusts a
curated year only when its checksum is the catalog's; while another writer is between the two, or
was killed there, the reader makes the year from the raw batches instead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from trading.data.actions import ACTIONS_KEY, decode_actions, encode_actions, merge_actions
from trading.data.benchmark import Benchmark, load_benchmark, read_benchmark, write_benchmark
from trading.data.catalog import CATALOG_KEY, Catalog, LakeSource
from trading.data.curated import CuratedBars, put_if_changed
from trading.data.curation import (
    select_rows,
    to_grids,
    to_panel,
)
from trading.data.manifest import (
    Manifest,
    batch_identity,
    describe,
    digest_of_sessions,
)
from trading.data.parquet import BarColumns, encode_bars
from trading.data.providers.base import FetchResult
from trading.data.quarantine import FOLDER as QUARANTINE
from trading.data.quarantine import QuarantinedSession
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.market.bars import FIELDS, CorporateAction, empty_bars
from trading.market.panel import FloatArray, Panel, SessionArray

__all__ = ["Lake", "LakeSource"]

ATTEMPTS = 20
Answer = TypeVar("Answer")


class Lake:
    """Market data in an object store.

    Every write is atomic and conditional: two writers at once both succeed, one after the other,
    and ingesting the same content again writes nothing.

    Parameters
    ----------
    store : where the objects are
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._curated = CuratedBars(store)

    def ingest(self, fetched: FetchResult, *, simulated: bool) -> Manifest:
        """Add the bars and actions of a fetch and return the manifest of their raw object.

        A row whose symbol and session the lake already holds replaces the curated one; the raw
        objects of both stay. Raises `DataError` when there are no bars, or when the lake holds
        another kind of market: simulated and real bars never mix, nor do two simulated markets.
        """
        bars = BarColumns.from_bars(fetched.bars)
        if not len(bars):
            raise DataError(f"{fetched.report.source} gave no bars; there is nothing to ingest")
        self._check_source(self._catalog()[0], fetched.report.source, simulated)
        identity = batch_identity(bars, fetched.actions)
        manifest = self._write_raw(fetched, bars, identity, simulated)
        self._retrying(lambda: self._commit(manifest, bars, fetched.actions))
        return manifest

    def panel(
        self, *, before: date, start: date | None = None, judging: date | None = None
    ) -> Panel:
        """Return the curated bars of every symbol from `start` to the session before `before`.

        The symbols are those with a bar in that time, sorted. A quarantined session is left out
        unless it is the one that is being judged. Raises `DataError` when there is no bar.
        """
        return to_panel(*self._parts(before, start, judging=judging))

    def quarantine(self, session: date, reasons: Sequence[str]) -> None:
        """Serve a session no longer; its raw and curated bars stay. Doing it again tells it anew.

        Raises `DataError` when the lake does not hold the session, or no reason is given.
        """
        record = QuarantinedSession.of(session, reasons)
        if session.isoformat() not in self._catalog()[0].sessions:
            raise DataError(f"{self._store.uri} holds no session {session} to quarantine")
        self._retrying(lambda: put_if_changed(self._store, record.key, record.to_json()))
        self._retrying(lambda: self._set_quarantined(session, "; ".join(record.reasons)))

    def release(self, session: date) -> bool:
        """Serve a quarantined session again; returns whether it was quarantined."""
        changed = self._retrying(lambda: self._set_quarantined(session, None))
        self._store.delete(QuarantinedSession(session, ()).key)
        return changed

    def quarantined(self) -> dict[date, str]:
        """Return the sessions that are held but not served, and why."""
        held = self._catalog()[0].quarantined
        return {date.fromisoformat(day): held[day] for day in sorted(held)}

    def field(
        self, name: str, *, before: date, start: date | None = None
    ) -> tuple[SessionArray, tuple[str, ...], FloatArray]:
        """Return one field of `panel`, such as `close`: sessions, symbols and `(T, N)` values.

        The other fields are not decoded, which makes it several times faster. Raises `DataError`
        when there is no bar in that time, or no such field.
        """
        if name not in FIELDS:
            raise DataError(f"bars have no field {name!r}; choose one of {', '.join(FIELDS)}")
        parts, first, last = self._parts(before, start, (name,))
        sessions, symbols, grids = to_grids(parts, first, last, (name,))
        return sessions, symbols, grids[name]

    def bars(
        self, symbols: Sequence[str] | None, *, before: date, start: date | None = None
    ) -> pd.DataFrame:
        """Return the bars frame of `symbols` (None: every one) in that time; it may be empty."""
        catalog, _ = self._catalog()
        if not _days(catalog.served, before, start):
            return empty_bars()
        return select_rows(*self._parts(before, start), symbols).to_bars()

    def _parts(
        self,
        before: date,
        start: date | None,
        fields: Sequence[str] = FIELDS,
        judging: date | None = None,
    ) -> tuple[list[BarColumns], str, str]:
        """Return the curated years of a time, and the first and last session served in it."""
        catalog, _ = self._catalog()
        hidden = {day for day in catalog.quarantined if day != str(judging)}
        served = {day: held for day, held in catalog.sessions.items() if day not in hidden}
        days = _days(served, before, start)
        if not days:
            raise DataError(
                f"{self._store.uri} holds no bars from {start or 'its beginning'} to before "
                f"{before}; it holds {_span(catalog)}"
            )
        years = sorted({day[:4] for day in days})
        parts = [part for year in years for part in self._curated.parts(catalog, year, fields)]
        if hidden:
            left_out = np.array(sorted(hidden), dtype="datetime64[D]")
            parts = [part.take(~np.isin(part.day, left_out)) for part in parts]
        return parts, min(days), max(days)

    def sessions(self) -> SessionArray:
        """Return the sessions served, `(T,) datetime64[D]`, ascending."""
        return np.array(sorted(self._catalog()[0].served), dtype="datetime64[D]")

    def data_hash(self, before: date) -> str:
        """Return a SHA-256 that identifies the bars of `panel(before=before)`.

        It is made of one digest a session: neither later bars nor the batches in which bars
        arrived change it.
        """
        held = self._catalog()[0].served
        return digest_of_sessions(
            {day: entry.digest for day, entry in held.items() if day < before.isoformat()}
        )

    def source(self) -> LakeSource | None:
        """Return where the bars come from, None for an empty lake."""
        return self._catalog()[0].source

    def manifests(self) -> tuple[Manifest, ...]:
        """Return the manifests of the batches in the order they were ingested."""
        return tuple(self._manifest(batch.manifest) for batch in self._catalog()[0].batches)

    def corporate_actions(self, *, before: date) -> tuple[CorporateAction, ...]:
        """Return the corporate actions effective strictly before `before`, by date and symbol."""
        try:
            held = decode_actions(self._store.get(ACTIONS_KEY).body)
        except NotFoundError:
            return ()
        return tuple(action for action in held if action.ex_date < before)

    def ingest_benchmark(self, file: Path, symbol: str | None = None) -> Benchmark:
        """Keep the benchmark of a file, see `load_benchmark`; it replaces the one before.

        Raises `DataError` when the file has none, or when the lake holds a simulated market, which
        no real index measures.
        """
        benchmark = load_benchmark(file, symbol)
        source = self.source()
        if source and source.simulated:
            raise DataError(
                f"{self._store.uri} holds the {source.name}, which the real benchmark "
                f"{benchmark.symbol} cannot measure: leave --benchmark out, or set another "
                "TRADING_HOME"
            )
        write_benchmark(self._store, benchmark)
        return benchmark

    def benchmark(self, *, before: date) -> tuple[str, Panel] | None:
        """Return the benchmark's name and its bars before `before`, None when there is none."""
        held = read_benchmark(self._store)
        return None if held is None else (held.symbol, held.panel().before(before))

    def rebuild(self) -> int:
        """Make the catalog and the curated years again from the raw batches.

        Batches keep the order of the catalog; those it does not list (all of them when it was
        lost) follow by their last and first session. Returns how many years were written anew.
        """
        return self._retrying(self._rebuild)

    def _rebuild(self) -> int:
        catalog, tag = self._catalog()
        listed = {batch.manifest for batch in catalog.batches}
        keys = [k for k in self._store.keys("data/") if k.endswith("/manifest.json")]
        found = [self._manifest(key) for key in keys if key not in listed]
        for manifest in sorted(found, key=lambda m: (m.last, m.first, m.id)):
            self._check_source(catalog, manifest.source, manifest.simulated)
            catalog = catalog.with_batch(manifest)
        years = {
            str(year)
            for batch in catalog.batches
            for year in range(int(batch.first[:4]), int(batch.last[:4]) + 1)
        }
        made = {year: self._curated.from_raw(catalog, year) for year in sorted(years)}
        catalog = replace(catalog, quarantined=dict(catalog.quarantined) | self._records())
        held = {year: rows for year, rows in made.items() if len(rows)}
        catalog, written = self._curated.write(catalog, held)
        self._put_catalog(catalog, tag)
        return written

    def _records(self) -> dict[str, str]:
        keys = list(self._store.keys(QUARANTINE))
        held = [QuarantinedSession.from_json(self._store.get(key).body, key) for key in keys]
        return {record.session.isoformat(): "; ".join(record.reasons) for record in held}

    def _set_quarantined(self, session: date, why: str | None) -> bool:
        catalog, tag = self._catalog()
        held = dict(catalog.quarantined)
        was = held.pop(session.isoformat(), None)
        if was == why:
            return False
        if why is not None:
            held[session.isoformat()] = why
        self._put_catalog(replace(catalog, quarantined=held), tag)
        return True

    def _catalog(self) -> tuple[Catalog, str | None]:
        try:
            held = self._store.get(CATALOG_KEY)
        except NotFoundError:
            return Catalog(), None
        return Catalog.from_json(held.body), held.etag

    def _manifest(self, key: str) -> Manifest:
        return Manifest.from_json(self._store.get(key).body, key)

    def _check_source(self, catalog: Catalog, source: str, simulated: bool) -> None:
        held = catalog.source
        if simulated and (benchmark := read_benchmark(self._store)) is not None:
            raise DataError(
                f"{self._store.uri} holds the real benchmark {benchmark.symbol}, which cannot "
                f"measure the {source}: set another TRADING_HOME"
            )
        if held is None:
            return
        if held.simulated != simulated or (simulated and held.name != source):
            kinds = {True: "simulated", False: "real"}
            raise DataError(
                f"{self._store.uri} holds {kinds[held.simulated]} bars ({held.name}); "
                f"{kinds[simulated]} bars ({source}) would mix with them: set another TRADING_HOME"
            )

    def _write_raw(
        self, fetched: FetchResult, bars: BarColumns, identity: str, simulated: bool
    ) -> Manifest:
        folder = self._raw_folder(bars, identity)
        manifest_key = f"{folder}/manifest.json"
        if self._store.exists(manifest_key):
            return self._manifest(manifest_key)
        key, body = f"{folder}/bars.parquet", encode_bars(bars)
        self._put_uncommitted(key, body)
        if fetched.actions:
            self._put_uncommitted(f"{folder}/actions.parquet", encode_actions(fetched.actions))
        manifest = describe(
            fetched, bars, identity=identity, key=key, body=body, simulated=simulated
        )
        try:
            self._store.put(manifest_key, manifest.to_json(), if_absent=True)
        except ConflictError:
            held = self._manifest(manifest_key)
            if held.id != identity:
                raise
            return held
        return manifest

    def _raw_folder(self, bars: BarColumns, identity: str) -> str:
        """Return the folder: a session has its own; what restates it, or is longer, an import."""
        first, last = bars.day.min(), bars.day.max()
        if first == last:
            folder = f"data/{str(first).replace('-', '/')}"
            key = f"{folder}/manifest.json"
            if not self._store.exists(key) or self._manifest(key).id == identity:
                return folder
        return f"data/imports/{identity}"

    def _put_uncommitted(self, key: str, body: bytes) -> None:
        """Write a raw object that has no manifest yet, over what a killed ingest left of it."""
        try:
            self._store.put(key, body, if_absent=True)
        except ConflictError:
            left = self._store.get(key)
            if left.body != body:
                self._store.put(key, body, if_match=left.etag)

    def _commit(
        self, manifest: Manifest, bars: BarColumns, actions: tuple[CorporateAction, ...]
    ) -> None:
        catalog, tag = self._catalog()
        self._check_source(catalog, manifest.source, manifest.simulated)
        if any(batch.id == manifest.id for batch in catalog.batches):
            return
        if actions:
            self._merge_actions(actions)
        self._put_catalog(self._curated.with_batch(catalog, manifest, bars), tag)

    def _put_catalog(self, catalog: Catalog, tag: str | None) -> None:
        body = catalog.to_json()
        try:
            self._store.put(CATALOG_KEY, body, if_absent=tag is None, if_match=tag)
        except ConflictError:
            # The retry of a write whose answer was lost conflicts with itself.
            if self._store.get(CATALOG_KEY).body != body:
                raise

    def _merge_actions(self, actions: tuple[CorporateAction, ...]) -> None:
        try:
            held = decode_actions(self._store.get(ACTIONS_KEY).body)
        except NotFoundError:
            held = ()
        put_if_changed(self._store, ACTIONS_KEY, encode_actions(merge_actions(held, actions)))

    def _retrying(self, attempt: Callable[[], Answer]) -> Answer:
        for _ in range(ATTEMPTS - 1):
            try:
                return attempt()
            except ConflictError:
                continue
        return attempt()


def _days(sessions: Iterable[str], before: date, start: date | None) -> list[str]:
    first = (start or date.min).isoformat()
    return [day for day in sessions if first <= day < before.isoformat()]


def _span(catalog: Catalog) -> str:
    if not catalog.served:
        return "none at all: fetch some first"
    return f"sessions from {min(catalog.served)} to {max(catalog.served)}"
