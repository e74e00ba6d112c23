"""Minute and hour bars as objects: `bars/1m/YYYY/MM/DD.parquet` and `bars/1h/YYYY/MM.parquet`.

An object is written whole, on the condition that it is still the one that was read: a reader sees
a day before or after a write, and of two writers at once the second lays its bars over the first's.
"""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.data.store.bars.frames import (
    between,
    decode_stamped_bars,
    encode_stamped_bars,
    lay_over,
    with_basis,
)
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, NotFoundError
from trading.market.bars import BarInterval, empty_bars

ATTEMPTS = 20
# numpy's name of a period, and the period's spelling in a key.
PERIODS = {BarInterval.MINUTE: "D", BarInterval.HOUR: "M"}


class IntradayBars:
    """Minute and hour bars in an object store.

    Parameters
    ----------
    store : where the objects are
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, bars: pd.DataFrame, interval: BarInterval) -> int:
        """Keep based bars, one object after the other; returns how many change anything.

        A day is in one object whole.
        """
        period = _periods(bars, interval)
        written = 0
        for which in np.unique(period):
            rows = bars[period == which].reset_index(drop=True)
            written += self._lay_over(_key(which, interval), rows)
        return written

    def read(
        self, wanted: list[str] | None, first: datetime, last: datetime, interval: BarInterval
    ) -> pd.DataFrame:
        """Return the based bars from `first` to `last` (naive UTC, both included)."""
        unit = PERIODS[interval]
        low, high = np.datetime64(first, "s"), np.datetime64(last, "s")
        folder = f"bars/{interval.value}/"
        spelt = _key(low.astype(f"datetime64[{unit}]"), interval)
        until = _key(high.astype(f"datetime64[{unit}]"), interval)
        keys = [key for key in self._store.keys(folder) if spelt <= key <= until]
        parts = [
            between(decode_stamped_bars(self._store.get(key).body, key), low, high, wanted)
            for key in keys
        ]
        parts = [part for part in parts if len(part)]
        if not parts:
            return with_basis(empty_bars(), None)
        found = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        return found.sort_values(["symbol", "date"], kind="stable", ignore_index=True)

    def _lay_over(self, key: str, rows: pd.DataFrame) -> int:
        for attempt in range(ATTEMPTS):
            try:
                held, tag = self._held(key)
                made, written = lay_over(held, rows)
                if written:
                    body = encode_stamped_bars(made)
                    self._store.put(key, body, if_absent=tag is None, if_match=tag)
                return written
            except ConflictError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def _held(self, key: str) -> tuple[pd.DataFrame, str | None]:
        try:
            held = self._store.get(key)
        except NotFoundError:
            return with_basis(empty_bars(), None), None
        return decode_stamped_bars(held.body, key), held.etag


def _periods(bars: pd.DataFrame, interval: BarInterval) -> npt.NDArray[np.datetime64]:
    stamps = bars["date"].to_numpy()
    return np.asarray(stamps.astype(f"datetime64[{PERIODS[interval]}]"))


def _key(period: np.datetime64, interval: BarInterval) -> str:
    return f"bars/{interval.value}/{str(period).replace('-', '/')}.parquet"
