"""Lay batches of bars over one another, and arrange bars as panels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trading.data.parquet import BarColumns, concat_columns
from trading.market.bars import FIELDS
from trading.market.panel import FloatArray, Panel, SessionArray

IntArray = npt.NDArray[np.int64]


def years_of(bars: BarColumns) -> Iterator[tuple[str, BarColumns]]:
    """Yield each year (`YYYY`) and its rows."""
    year = bars.day.astype("datetime64[Y]")
    for which in np.unique(year):
        yield str(which), bars.take(year == which)


def overlay(parts: Sequence[BarColumns]) -> BarColumns:
    """Return all rows sorted by symbol then day; of a repeated (symbol, day) the last part's."""
    bars = concat_columns(parts)
    key = _key(bars)
    if len(key) > 1 and not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        bars = bars.take(order[np.r_[ordered[1:] != ordered[:-1], True]])
    used = np.bincount(bars.code, minlength=len(bars.names)) > 0
    if used.all():
        return bars
    code = (np.cumsum(used) - 1)[bars.code]
    return replace(bars, code=code, names=tuple(np.array(bars.names, dtype=object)[used]))


def differing_rows(held: BarColumns, new: BarColumns) -> int:
    """Return how many rows of `new` repeat a (symbol, day) of `held` with other values."""
    both = concat_columns([held, new])
    key = _key(both)
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(key[order][1:] == key[order][:-1])
    mine, other = order[first], order[first + 1]
    differs = np.zeros(len(first), dtype=bool)
    for name in FIELDS:
        a, b = both.values[name][mine], both.values[name][other]
        differs |= (a != b) & ~(np.isnan(a) & np.isnan(b))
    return int(np.count_nonzero(differs))


def to_panel(parts: Sequence[BarColumns]) -> Panel:
    """Arrange bars as a panel; the parts are sorted by symbol and day and do not overlap."""
    sessions, symbols, grids = to_grids(parts, FIELDS)
    return Panel(sessions, symbols, **grids)


def to_grids(
    parts: Sequence[BarColumns], fields: Sequence[str]
) -> tuple[SessionArray, tuple[str, ...], dict[str, FloatArray]]:
    """Return sessions `(T,)`, symbols (N, sorted) and `(T, N)` values by field, as `to_panel`."""
    parts = [part for part in parts if len(part)]
    days = [part.day.view(np.int64) for part in parts]
    low = min((int(day.min()) for day in days), default=0)
    high = max((int(day.max()) for day in days), default=-1)
    # Days and codes are small integers: marking those that occur is faster than sorting them.
    traded = np.zeros(high - low + 1, dtype=bool)
    present: set[str] = set()
    for part, day in zip(parts, days, strict=True):
        traded[day - low] = True
        used = np.bincount(part.code, minlength=len(part.names)) > 0
        present.update(name for name, there in zip(part.names, used, strict=True) if there)
    sessions = (low + np.flatnonzero(traded)).astype("datetime64[D]")
    symbols = tuple(sorted(present))
    row_of = np.cumsum(traded) - 1
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    grids = {name: np.full((len(sessions), len(symbols)), np.nan) for name in fields}
    for part, day in zip(parts, days, strict=True):
        column = np.array([column_of.get(name, -1) for name in part.names], dtype=np.int64)
        _fill(grids, part, row_of[day - low], column)
    return sessions, symbols, grids


def _fill(
    grids: Mapping[str, FloatArray],
    part: BarColumns,
    row: IntArray,
    column: IntArray,
) -> None:
    """Lay one part into the grids, by way of a block of its own that stays in the cache.

    `row` is the row of each bar, `column` that of each name, -1 for names without a bar.
    """
    first, rows = int(row.min()), int(row.max() - row.min()) + 1
    there = column >= 0
    kept = column[there]
    whole = len(kept) and (np.diff(kept) == 1).all()
    where: slice | IntArray = slice(int(kept[0]), int(kept[-1]) + 1) if whole else kept
    shape = (len(kept), rows)
    # Sorted, and a bar for every symbol and session: the values are the block.
    dense = len(part) == shape[0] * shape[1]
    cell = None if dense else (np.cumsum(there) - 1)[part.code] * rows + (row - first)
    for name, grid in grids.items():
        target = grid[first : first + rows]
        if dense:
            block = part.values[name].reshape(shape)
        else:
            block = np.ascontiguousarray(target[:, where].T)
            block.ravel()[cell] = part.values[name]
        target[:, where] = block.T


def select_rows(parts: Sequence[BarColumns], symbols: Sequence[str] | None) -> BarColumns:
    """Return the rows of some symbols (None: all), by symbol and day."""
    if symbols is None:
        return overlay(parts)
    wanted = set(symbols)
    chosen = [np.array([name in wanted for name in part.names], dtype=bool) for part in parts]
    return overlay([part.take(which[part.code]) for part, which in zip(parts, chosen, strict=True)])


def in_order(bars: BarColumns) -> BarColumns:
    """Return the bars sorted by symbol and day; of a repeated one the last."""
    key = _key(bars)
    return bars if (key[1:] > key[:-1]).all() else overlay([bars])


def _key(bars: BarColumns) -> npt.NDArray[np.int64]:
    return bars.code * 1_000_000 + bars.day.astype(np.int64)
