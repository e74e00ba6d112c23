"""Bars in the lake: daily ones as its raw batches and curated years, shorter ones as objects."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from trading.data.lake import Lake
from trading.data.providers.base import FetchResult
from trading.data.report import IngestReport
from trading.data.store.bars.base import (
    StoreReport,
    canonical_bars,
    time_span,
    wanted_symbols,
)
from trading.data.store.bars.frames import lay_over
from trading.data.store.bars.intraday import IntradayBars
from trading.data.store.base import ObjectStore
from trading.market.bars import BarInterval


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

    def store(self, bars: pd.DataFrame, interval: BarInterval = BarInterval.DAY) -> StoreReport:
        """Keep bars, see `BarStore.store`."""
        canonical = canonical_bars(bars, interval)
        if canonical.empty:
            return StoreReport(0, 0)
        if interval is not BarInterval.DAY:
            return self._intraday.write(canonical, interval)
        first, last = (stamp.date() for stamp in (canonical["date"].min(), canonical["date"].max()))
        held = self._lake.bars(
            canonical["symbol"].unique().tolist(), start=first, before=last + timedelta(days=1)
        )
        _, written = lay_over(held, canonical)
        if written:
            report = IngestReport(self._source, len(canonical), 0, 0, None, None)
            fetched = FetchResult(canonical, (), report.describing(canonical))
            self._lake.ingest(fetched, simulated=self._simulated)
        return StoreReport(len(canonical), written)

    def query(
        self,
        symbols: Sequence[str] | None,
        start: date | datetime,
        end: date | datetime,
        interval: BarInterval = BarInterval.DAY,
    ) -> pd.DataFrame:
        """Return bars, see `BarStore.query`."""
        wanted = wanted_symbols(symbols)
        first, last = time_span(start, end)
        if interval is not BarInterval.DAY:
            return self._intraday.read(wanted, first, last, interval)
        # A daily bar stands at midnight: a span that begins later in the day begins the day after.
        from_day = (first + timedelta(days=1) - timedelta(seconds=1)).date()
        return self._lake.bars(wanted, start=from_day, before=last.date() + timedelta(days=1))

    def close(self) -> None:
        """Nothing is held open."""
