"""Bars in the lake: daily ones as its raw batches and curated years, shorter ones as objects."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from trading.data.lake import Lake
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.store.bars.adjusted import adjusted_bars
from trading.data.store.bars.base import (
    StoreReport,
    canonical_bars,
    known_on,
    time_span,
    wanted_symbols,
)
from trading.data.store.bars.frames import differing, with_basis
from trading.data.store.bars.intraday import IntradayBars
from trading.data.store.base import ObjectStore
from trading.market.bars import BarInterval, CorporateAction

WITHHELD = "withheld by the lake that it is a copy of"


class LakeBars:
    """A `BarStore` on Parquet objects in S3 or a folder.

    Daily bars are ingested into the `Lake` as one raw batch a call, so that every `store` is kept
    as it came and the curated bars can be made again; minute and hour bars have no raw layer.

    Parameters
    ----------
    objects : where the objects are
    source, simulated : what the manifests of stored batches say about where the bars come from; a
        lake holds real bars or those of one simulated market, never both
    """

    def __init__(
        self, objects: ObjectStore, *, source: str = "stored bars", simulated: bool = False
    ) -> None:
        self._lake, self._intraday = Lake(objects), IntradayBars(objects)
        self._source, self._simulated = source, simulated
        self.description = f"Parquet lake at {objects.uri}"

    def store(
        self,
        bars: pd.DataFrame,
        interval: BarInterval = BarInterval.DAY,
        *,
        adjusted_through: date | None = None,
    ) -> StoreReport:
        """Keep bars, see `BarStore.store`; what is held in the same way is left out.

        Any bar of a session that `withhold` held back serves it again, once the bars are in. A
        session that was judged and quarantined stays so, whatever is stored of it.
        """
        canonical = canonical_bars(bars, interval)
        if canonical.empty:
            return StoreReport(0, 0)
        if interval is not BarInterval.DAY:
            based = with_basis(canonical, adjusted_through)
            return StoreReport(len(canonical), self._intraday.write(based, interval))
        first, last = (stamp.date() for stamp in (canonical["date"].min(), canonical["date"].max()))
        held = self._lake.stored_bars(
            canonical["symbol"].unique().tolist(), start=first, before=last + timedelta(days=1)
        )
        changed = canonical[differing(held, canonical)].reset_index(drop=True)
        if len(changed):
            report = IngestReport(self._source, len(changed), 0, 0, None, None)
            self._lake.ingest(
                FetchResult(changed, (), report.describing(changed)),
                simulated=self._simulated,
                adjusted_through=adjusted_through or last,
            )
        for session, why in self._lake.quarantined().items():
            if why == WITHHELD and (canonical["date"] == pd.Timestamp(session)).any():
                self._lake.release(session)
        return StoreReport(len(canonical), len(changed))

    def withhold(self, session: date) -> None:
        """Serve no daily bar of a session, see `BarStore.withhold`: it is quarantined."""
        if session in self._lake.sessions().tolist():
            self._lake.quarantine(session, (WITHHELD,))

    def store_actions(self, actions: Iterable[CorporateAction], *, adjusted_through: date) -> int:
        """Keep corporate actions, see `BarStore.store_actions`."""
        return self._lake.ingest_actions(actions, adjusted_through=adjusted_through)

    def query(
        self,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        interval: BarInterval = BarInterval.DAY,
        *,
        as_of: date | None = None,
    ) -> pd.DataFrame:
        """Return bars, see `BarStore.query`."""
        wanted = wanted_symbols(symbols)
        first, last = time_span(start, end)
        morning = known_on(last, as_of)
        if interval is not BarInterval.DAY:
            return self._shorter(wanted, first, last, interval, morning)
        # A daily bar stands at midnight: a span that begins later in the day begins the day after.
        from_day = (first + timedelta(days=1) - timedelta(seconds=1)).date()
        return self._lake.bars(
            wanted, start=from_day, before=last.date() + timedelta(days=1), as_of=morning
        )

    def _shorter(
        self,
        wanted: list[str] | None,
        first: datetime,
        last: datetime,
        interval: BarInterval,
        morning: date,
    ) -> pd.DataFrame:
        def read(low: datetime, high: datetime) -> pd.DataFrame:
            return self._intraday.read(wanted, low, high, interval)

        return adjusted_bars(read(first, last), self._lake.knowledge(morning), last, read)

    def close(self) -> None:
        """Nothing is held open."""
