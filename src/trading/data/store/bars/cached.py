"""A bar store with a cache in front of its queries."""

import hashlib
import json
import threading
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import pandas as pd

from trading.data.cache import Cache, ReadThrough
from trading.data.store.bars.base import (
    BarStore,
    StoreReport,
    known_on,
    time_span,
    wanted_symbols,
)
from trading.data.store.bars.frames import decode_stamped_bars, encode_stamped_bars, with_basis
from trading.market.bars import BarInterval, CorporateAction


class CachedBars:
    """A `BarStore` that remembers the answers of another.

    Every answer belongs to a generation of its interval, a counter that a `store` through this
    class raises in the cache once its bars are in: answers of earlier generations are never read
    again, in any process that shares the cache. A writer that goes past this class is seen when
    the answers expire. A cache that does not answer is gone past; while a generation could not be
    raised, this store asks its source only.

    Parameters
    ----------
    source : the store whose bars these are
    cache : where answers are kept
    ttl : seconds that an answer lives (the cache's own when None)
    """

    def __init__(self, source: BarStore, cache: Cache, *, ttl: float | None = None) -> None:
        self._source, self.cache, self._ttl = source, cache, ttl
        self._read_through = ReadThrough(cache)
        self._owed: set[BarInterval] = set()
        self._lock = threading.Lock()
        self.description = f"{source.description}, cached"
        self._name = hashlib.sha256(source.description.encode()).hexdigest()[:12]

    def store(
        self,
        bars: pd.DataFrame,
        interval: BarInterval = BarInterval.DAY,
        *,
        adjusted_through: date | None = None,
    ) -> StoreReport:
        """Keep bars in the source, see `BarStore.store`, and outdate the answers held."""
        try:
            return self._source.store(bars, interval, adjusted_through=adjusted_through)
        finally:
            # Also after a failure: part of the days may have been written.
            self._outdate(interval)

    def withhold(self, session: date) -> None:
        """Serve no daily bar of a session, see `BarStore.withhold`."""
        try:
            self._source.withhold(session)
        finally:
            self._outdate(BarInterval.DAY)

    def store_actions(self, actions: Iterable[CorporateAction], *, adjusted_through: date) -> int:
        """Keep actions, see `BarStore.store_actions`; they change answers of every interval."""
        try:
            return self._source.store_actions(actions, adjusted_through=adjusted_through)
        finally:
            for interval in BarInterval:
                self._outdate(interval)

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
        generation = self._generation(interval)
        if generation is None:
            return self._source.query(wanted, first, last, interval, as_of=as_of)
        morning = known_on(last, as_of)
        question = [wanted, first.isoformat(), last.isoformat(), morning.isoformat()]
        digest = hashlib.sha256(json.dumps(question).encode()).hexdigest()
        key = f"bars:{self._name}:{interval.value}:{generation}:{digest}"
        body = self._read_through.get(
            key,
            lambda: encode_stamped_bars(
                with_basis(
                    self._source.query(wanted, first, last, interval, as_of=morning), date.min
                )
            ),
            self._ttl,
        )
        return decode_stamped_bars(body, f"{key} of the cache").drop(columns="basis")

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _outdate(self, interval: BarInterval) -> None:
        with self._lock:
            self._owed.add(interval)
        self._generation(interval)

    def _generation(self, interval: BarInterval) -> int | None:
        """Return the generation of an interval, None while a raise is owed or unknown."""
        counter = f"bars:{self._name}:{interval.value}:generation"
        with self._lock:
            if interval not in self._owed:
                return self.cache.counter(counter)
            raised = self.cache.increment(counter)
            if raised is not None:
                self._owed.discard(interval)
            return raised
