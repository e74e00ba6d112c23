"""A curated year as a Parquet object: sorted by symbol and day, a row group for some symbols each.

The groups let a year be laid anew group by group, so that adding sessions to it takes the memory of
a group and not of a year.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.curation import differing_rows, overlay
from trading.data.parquet import BESIDE, BarColumns, BarWriter, columns_of, unreadable
from trading.market.bars import FIELDS

SYMBOLS_A_GROUP = 512


@dataclass(frozen=True)
class MergedYear:
    """A year that bars were laid over.

    Attributes
    ----------
    body : the new object
    changed : the bars of the sessions that were laid over
    restated : how many bars of the new ones repeat one that was held with other values
    """

    body: bytes
    changed: BarColumns
    restated: int


def encode_year(bars: BarColumns) -> bytes:
    """Return the bytes of a year's bars, sorted by symbol and day and without a repeated one."""
    writer = BarWriter(name for name in BESIDE if getattr(bars, name) is not None)
    for left in range(0, len(bars.names), SYMBOLS_A_GROUP):
        some = bars.names[left : left + SYMBOLS_A_GROUP]
        writer.write(_between(bars, some[0], some[-1]))
    return writer.finish()


def merge_year(body: bytes, key: str, pending: Sequence[BarColumns], new: BarColumns) -> MergedYear:
    """Lay sessions that wait beside a year, then new bars, over it, group by group.

    `body` is the year's object, `key` names it in errors.
    """
    held = _YearFile(body, key)
    waiting, fresh = overlay(list(pending)) if pending else None, overlay([new])
    layers = [layer for layer in (waiting, fresh) if layer is not None]
    names = sorted({*held.names, *(name for layer in layers for name in layer.names)})
    beside = {
        name
        for name in BESIDE
        if name in held.beside or any(getattr(layer, name) is not None for layer in layers)
    }
    writer = BarWriter(name for name in BESIDE if name in beside)
    days, restated, changed = np.unique(fresh.day), 0, []
    for left in range(0, len(names), SYMBOLS_A_GROUP):
        first, last = names[left], names[min(left + SYMBOLS_A_GROUP, len(names)) - 1]
        parts = [held.between(first, last)]
        parts += [] if waiting is None else [_between(waiting, first, last)]
        mine = _between(fresh, first, last)
        restated += differing_rows(overlay(parts), mine)
        block = overlay([*parts, mine])
        writer.write(block)
        changed.append(block.take(np.isin(block.day, days)))
    return MergedYear(writer.finish(), overlay(changed), restated)


class _YearFile:
    """The groups of a year, decoded one after the other."""

    def __init__(self, body: bytes, key: str) -> None:
        self._key = key
        with unreadable(key):
            self._file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=["symbol"])
            stored = self._file.schema_arrow.names
            self.beside = tuple(name for name in BESIDE if name in stored)
            self._names = [
                columns_of(self._file.read_row_group(i, columns=["date", "symbol"]), ()).names
                for i in range(self._file.num_row_groups)
            ]
        self.names = tuple(name for names in self._names for name in names)
        self._decoded: tuple[int, BarColumns] | None = None

    def between(self, first: str, last: str) -> BarColumns:
        """Return the rows of the symbols from `first` to `last`."""
        empty = BarColumns(
            np.empty(0, "datetime64[D]"), np.empty(0, np.int64), (), dict.fromkeys(FIELDS, _NONE)
        )
        groups = [
            i
            for i, names in enumerate(self._names)
            if names and names[0] <= last and names[-1] >= first
        ]
        return overlay([empty, *(_between(self._group(i), first, last) for i in groups)])

    def _group(self, index: int) -> BarColumns:
        if self._decoded is None or self._decoded[0] != index:
            with unreadable(self._key):
                table = self._file.read_row_group(index)
            self._decoded = (index, columns_of(table, FIELDS))
        return self._decoded[1]


_NONE = np.empty(0)


def _between(bars: BarColumns, first: str, last: str) -> BarColumns:
    """Return the rows of sorted bars whose symbols are from `first` to `last`."""
    names = np.array(bars.names, dtype=object)
    low, high = int((names < first).sum()), int((names <= last).sum())
    left, right = np.searchsorted(bars.code, [low, high])
    rows = slice(int(left), int(right))
    values = {name: column[rows] for name, column in bars.values.items()}
    basis, named = (None if c is None else c[rows] for c in (bars.basis, bars.named))
    chosen = bars.names[low:high]
    return BarColumns(bars.day[rows], bars.code[rows] - low, chosen, values, basis, named)
