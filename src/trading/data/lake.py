"""The lake: raw bars that never change, and the curated bars made of them.

::

    data/YYYY/MM/DD/bars.parquet + manifest.json        one fetched session, immutable
    data/imports/<id>/bars.parquet + manifest.json      many sessions at once, immutable
    bars/year=YYYY.parquet                              curated, made of the raw batches in order
    corporate_actions/, fundamentals/                   see `trading.data.reference`
    catalog.json                                        which batches; digest of every session
    quarantine/YYYY-MM-DD.json                          why a session is held but not served
    benchmarks/…                                        see `trading.data.benchmark`

Raw bars stay as they came. What a reader gets is derived: split- and dividend-adjusted by the
actions known on the day it asks for, under the symbols of that day (`trading.data.as_of`); so a
split that arrives adjusts all of history, and a read as of an earlier day does not see it. The
simulated market needs none of that: its bars are adjusted to each company's first session.

An ingest writes the raw object, its manifest, the curated years, then the catalog, which commits
it; a new session waits beside its year for a while, see `trading.data.curated`. A reader trusts a
curated year only when its checksum is the catalog's; while another writer is between the two, or
was killed there, the reader makes the year from the raw batches instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from trading.data.actions.symbols import SymbolMap
from trading.data.actions.told import ToldAction, in_force, tell
from trading.data.as_of import Knowledge
from trading.data.benchmark import Benchmark, load_benchmark, read_benchmark, write_benchmark
from trading.data.catalog import CATALOG_KEY, LAYOUT, Catalog, LakeSource
from trading.data.curated import CuratedBars
from trading.data.curation import select_rows, to_grids, to_panel
from trading.data.fundamentals import FundamentalsTable
from trading.data.late_repairs import LateRepair
from trading.data.late_repairs import in_force as in_force_repairs
from trading.data.manifest import Manifest, batch_identity
from trading.data.parquet import BarColumns
from trading.data.providers.base import FetchResult
from trading.data.quarantine import QuarantinedSession, recorded
from trading.data.raw import RawLayer, put_if_changed
from trading.data.reference import ReferenceData, retrying
from trading.data.serving import Serving, days_of
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.market.bars import FIELDS, CorporateAction, FundamentalData, empty_bars
from trading.market.panel import FloatArray, Panel, SessionArray

__all__ = ["Lake", "LakeSource"]


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
        self._raw, self._curated = RawLayer(store), CuratedBars(store)
        self._reference = ReferenceData(store)
        self._serving = Serving(store.uri, self._raw, self._curated, self._reference)

    def ingest(
        self,
        fetched: FetchResult,
        *,
        simulated: bool,
        adjusted_through: date | None = None,
        present_symbols: bool = False,
        quarantined: Sequence[str] = (),
    ) -> Manifest:
        """Add the bars and actions of a fetch and return the manifest of their raw object.

        A row whose symbol and session the lake already holds replaces the curated one; the raw
        objects of both stay.

        Parameters
        ----------
        adjusted_through : the day through which the source has applied splits (to prices, volume
            and dividends) and dividends (to the adjusted close): that of the fetch for a source
            that adjusts with hindsight, `date.min` for prices as traded; None: the last session
            of the bars. A missing adjusted close is derived from the close when read
        present_symbols : every bar is under the symbol of that day, not under that of its session
        quarantined : why its one session is held but not served; in the same write as the bars

        Raises
        ------
        DataError
            There are no bars, or the lake holds another kind of market: simulated and real bars
            never mix, nor do two simulated markets.
        """
        bars = BarColumns.from_bars(fetched.bars, adjusted_through, present_symbols=present_symbols)
        if not len(bars):
            raise DataError(f"{fetched.report.source} gave no bars; there is nothing to ingest")
        self._check_source(self._catalog()[0], fetched.report.source, simulated)
        identity = batch_identity(bars, fetched.actions)
        manifest = self._raw.write(fetched, bars, identity, simulated=simulated)
        if manifest.told != bars.adjusted_through:
            # These bars came before: what they are adjusted for was told then.
            bars = self._raw.bars(manifest.own_key)
        told = tell(fetched.actions, manifest.told)
        held = QuarantinedSession.of(manifest.last, quarantined) if quarantined else None
        if held:
            retrying(lambda: put_if_changed(self._store, held.key, held.to_json()))
        retrying(lambda: self._commit(manifest, bars, told, held))
        return manifest

    def panel(
        self, *, before: date, start: date | None = None, judging: date | None = None
    ) -> Panel:
        """Return the curated bars of every symbol from `start` to the session before `before`.

        The symbols are those with a bar in that time, sorted. A quarantined session is left out
        unless it is the one that is being judged. Raises `DataError` when there is no bar.
        """
        return to_panel(self._serving.parts(self._catalog()[0], before, start, judging=judging))

    def quarantine(self, session: date, reasons: Sequence[str]) -> None:
        """Serve a session no longer; its raw and curated bars stay. Doing it again tells it anew.

        Raises `DataError` when the lake does not hold the session, or no reason is given.
        """
        record = QuarantinedSession.of(session, reasons)
        if session.isoformat() not in self._catalog()[0].sessions:
            raise DataError(f"{self._store.uri} holds no session {session} to quarantine")
        retrying(lambda: put_if_changed(self._store, record.key, record.to_json()))
        retrying(lambda: self._set_quarantined(session, record.why))

    def release(self, session: date) -> bool:
        """Serve a quarantined session again; returns whether it was quarantined."""
        # The record first: killed in between, the session stays held until it is released again.
        self._store.delete(QuarantinedSession(session, ()).key)
        return retrying(lambda: self._set_quarantined(session, None))

    def quarantined(self) -> dict[date, str]:
        """Return the sessions that are held but not served, and why."""
        held = self._catalog()[0].quarantined
        return {date.fromisoformat(day): held[day] for day in sorted(held)}

    def field(
        self, name: str, *, before: date, start: date | None = None, as_of: date | None = None
    ) -> tuple[SessionArray, tuple[str, ...], FloatArray]:
        """Return one field of `panel`, such as `close`: sessions, symbols and `(T, N)` values.

        It is as known on the morning of `as_of`, by default of `before`. The other fields are not
        decoded, which makes it several times faster. Raises `DataError` when there is no bar in
        that time, or no such field.
        """
        if name not in FIELDS:
            raise DataError(f"bars have no field {name!r}; choose one of {', '.join(FIELDS)}")
        parts = self._serving.parts(self._catalog()[0], before, start, (name,), as_of=as_of)
        sessions, symbols, grids = to_grids(parts, (name,))
        return sessions, symbols, grids[name]

    def bars(
        self,
        symbols: Sequence[str] | None,
        *,
        before: date,
        start: date | None = None,
        as_of: date | None = None,
    ) -> pd.DataFrame:
        """Return the bars frame of `symbols` (None: every one) in that time; it may be empty.

        It is as known on the morning of `as_of`, by default of `before`.
        """
        catalog, _ = self._catalog()
        if not days_of(catalog.served, before, start):
            return empty_bars()
        parts = self._serving.parts(catalog, before, start, as_of=as_of)
        return select_rows(parts, symbols).to_bars()

    def stored_bars(self, symbols: Sequence[str], *, before: date, start: date) -> pd.DataFrame:
        """Return the bars frame as it was stored, neither adjusted nor renamed since."""
        parts = self._serving.stored(self._catalog()[0], before, start)
        return select_rows(parts, symbols).to_bars() if parts else empty_bars()

    def stored_parts(self, start: date, end: date) -> list[BarColumns]:
        """Return the served bars from `start` to `end`, both included, as they were stored.

        They are under the symbols and on the share basis of their source, with the repairs that
        are known today.
        """
        catalog, _ = self._catalog()
        before = date.fromordinal(min(end.toordinal() + 1, date.max.toordinal()))
        parts = self._serving.stored(catalog, before, start, hidden=set(catalog.quarantined))
        return Knowledge.of(self._reference, date.max, told=0).repaired_as_stored(parts)

    def told(self) -> tuple[ToldAction, ...]:
        """Return every version of every corporate action, in the order they were told."""
        return self._reference.told(self._catalog()[0].told)

    def sessions(self) -> SessionArray:
        """Return the sessions served, `(T,) datetime64[D]`, ascending."""
        return np.array(sorted(self._catalog()[0].served), dtype="datetime64[D]")

    def data_hash(self, before: date) -> str:
        """Return a SHA-256 that identifies the bars of `panel(before=before)`.

        It is made of one digest a session, and of the splits, dividends and renames that those
        bars are served with: neither later bars nor the batches in which bars arrived change it.
        """
        return self._serving.data_hash(self._catalog()[0], before)

    def source(self) -> LakeSource | None:
        """Return where the bars come from, None for an empty lake."""
        return self._catalog()[0].source

    def manifests(self) -> tuple[Manifest, ...]:
        """Return the manifests of the batches in the order they were ingested."""
        return tuple(self._raw.manifest(batch.manifest) for batch in self._catalog()[0].batches)

    def corporate_actions(self, *, before: date) -> tuple[CorporateAction, ...]:
        """Return the corporate actions effective strictly before `before`, by date and symbol.

        They go with `panel(before=before)`: the same symbols, dividends in the same shares.
        """
        return self._serving.actions(self._catalog()[0], before)

    def knowledge(self, before: date) -> Knowledge:
        """Return the splits and dividends that are known, as of a morning, under stored symbols.

        It adjusts bars that are kept beside the lake's; those of a simulated market need nothing.
        """
        catalog, _ = self._catalog()
        told = () if catalog.simulated else in_force(self._reference.told(catalog.told))
        return Knowledge(before, told)

    def ingest_actions(self, actions: Iterable[CorporateAction], *, adjusted_through: date) -> int:
        """Add corporate actions that came without bars; returns how many tell something new.

        Dividends are in the shares of `adjusted_through`, or of a later ex-date. One told again is
        corrected; a dividend of 0, or a split of 1, takes it back.
        """
        if not (told := tell(actions, adjusted_through)):
            return 0
        self._raw.write_actions(told)
        rows, added = self._reference.tell(told)
        retrying(lambda: self._count_told(rows))
        return added

    def symbols(self, *, before: date = date.max) -> SymbolMap:
        """Return which share bore which symbol, as known then: bars are read under its names."""
        return self._reference.symbols().known(before)

    def ingest_symbols(self, symbols: SymbolMap, *, told: date) -> bool:
        """Keep a whole symbol map as of the day it was told; returns whether that was new."""
        return self._reference.add_symbols(symbols, told)

    def repairs(self, *, before: date = date.max) -> tuple[LateRepair, ...]:
        """Return the repairs of stored bars that count on the morning of `before`."""
        return in_force_repairs(self._reference.repairs(), before)

    def undone_repairs(self) -> frozenset[tuple[str, date, str]]:
        """Return the symbol, session and kind of every repair that was taken back."""
        last = {row.key: row.undone for row in self._reference.repairs()}
        return frozenset(key for key, undone in last.items() if undone)

    def add_repairs(self, repairs: Iterable[LateRepair]) -> int:
        """Add what later bars proved about stored ones, or take it back; returns how many are new.

        Nothing stored is touched: whoever reads as of a morning after a repair's `known` gets the
        bar mended, whoever reads as of an earlier one gets it as it was.
        """
        return self._reference.add_repairs(repairs)

    def fundamentals(self, *, before: date, since: date | None = None) -> FundamentalsTable:
        """Return what was known of companies before `before`, of 550 days without `since`."""
        return self._reference.fundamentals(before=before, since=since)

    def ingest_fundamentals(self, records: Iterable[FundamentalData], *, source: str) -> int:
        """Add what became known of companies; returns how many records tell something new."""
        return self._reference.add_fundamentals(records, source)

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
        return retrying(self._rebuild)

    def _rebuild(self) -> int:
        catalog, tag = self._catalog()
        listed = {batch.manifest for batch in catalog.batches}
        found = [self._raw.manifest(key) for key in self._raw.manifests() if key not in listed]
        for manifest in sorted(found, key=lambda m: (m.last, m.first, m.id)):
            self._check_source(catalog, manifest.source, manifest.simulated)
            catalog = catalog.with_batch(manifest)
        told, _ = self._reference.tell(
            self._raw.told(self._raw.manifest(batch.manifest) for batch in catalog.batches)
        )
        quarantined = dict(catalog.quarantined) | recorded(self._store)
        catalog = replace(catalog, quarantined=quarantined, told=told, layout=LAYOUT)
        catalog, written = self._curated.write_all(catalog)
        self._put_catalog(catalog, tag)
        return written

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

    def _check_source(self, catalog: Catalog, source: str, simulated: bool) -> None:
        if simulated and (benchmark := read_benchmark(self._store)) is not None:
            raise DataError(
                f"{self._store.uri} holds the real benchmark {benchmark.symbol}, which cannot "
                f"measure the {source}: set another TRADING_HOME"
            )
        catalog.refuse_another(self._store.uri, source, simulated=simulated)

    def _commit(
        self,
        manifest: Manifest,
        bars: BarColumns,
        actions: Sequence[ToldAction],
        held: QuarantinedSession | None,
    ) -> None:
        catalog, tag = self._catalog()
        self._check_source(catalog, manifest.source, manifest.simulated)
        if any(batch.id == manifest.id for batch in catalog.batches):
            return
        if tag is None and any(
            self._raw.manifest(k).id != manifest.id for k in self._raw.manifests()
        ):
            # The catalog was lost, the raw batches were not.
            self._rebuild()
            return
        if actions or tag is None:
            catalog = replace(catalog, told=self._reference.tell(actions)[0])
        if held:
            why = {**catalog.quarantined, held.session.isoformat(): held.why}
            catalog = replace(catalog, quarantined=why)
        self._put_catalog(self._curated.with_batch(catalog, manifest, bars), tag)

    def _count_told(self, rows: int) -> None:
        catalog, tag = self._catalog()
        if tag is not None and catalog.told < rows:
            self._put_catalog(replace(catalog, told=rows), tag)

    def _put_catalog(self, catalog: Catalog, tag: str | None) -> None:
        body = catalog.to_json()
        try:
            self._store.put(CATALOG_KEY, body, if_absent=tag is None, if_match=tag)
        except ConflictError:
            # The retry of a write whose answer was lost conflicts with itself.
            if self._store.get(CATALOG_KEY).body != body:
                raise
