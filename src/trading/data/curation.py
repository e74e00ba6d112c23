"""Lay batches of bars over one another, and arrange bars as panels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trading.data.parquet import BarColumns, concat_columns
from trading.market.bars import FIELDS
from trading.market.panel import FloatArray, Panel, SessionArray


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


def to_panel(parts: Sequence[BarColumns], first: str, last: str) -> Panel:
    """Arrange the rows from day `first` to `last` (ISO), both included; parts do not overlap."""
    sessions, symbols, grids = to_grids(parts, first, last, FIELDS)
    return Panel(sessions, symbols, **grids)


def to_grids(
    parts: Sequence[BarColumns], first: str, last: str, fields: Sequence[str]
) -> tuple[SessionArray, tuple[str, ...], dict[str, FloatArray]]:
    """Return sessions `(T,)`, symbols (N, sorted) and `(T, N)` values by field, as `to_panel`."""
    low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
    kept = [part.take((part.day >= low) & (part.day <= high)) for part in parts]
    # Days and codes are small integers: marking those that occur is faster than sorting them.
    traded = np.zeros((high - low).astype(np.int64) + 1, dtype=bool)
    present: set[str] = set()
    for part in kept:
        traded[(part.day - low).astype(np.int64)] = True
        used = np.bincount(part.code, minlength=len(part.names)) > 0
        present.update(name for name, there in zip(part.names, used, strict=True) if there)
    sessions, symbols = low + np.flatnonzero(traded), tuple(sorted(present))
    row_of = np.cumsum(traded) - 1
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    grids = {name: np.full((len(sessions), len(symbols)), np.nan) for name in fields}
    for part in kept:
        column = np.array([column_of.get(name, -1) for name in part.names], dtype=np.int64)
        cell = row_of[(part.day - low).astype(np.int64)] * len(symbols) + column[part.code]
        for name, grid in grids.items():
            grid.ravel()[cell] = part.values[name]
    return sessions, symbols, grids


def select_rows(
    parts: Sequence[BarColumns], first: str, last: str, symbols: Sequence[str] | None
) -> BarColumns:
    """Return the rows from day `first` to `last` of some symbols (None: all), by symbol and day."""
    low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
    wanted = None if symbols is None else set(symbols)
    kept = []
    for part in parts:
        rows = (part.day >= low) & (part.day <= high)
        if wanted is not None:
            rows &= np.array([name in wanted for name in part.names], dtype=bool)[part.code]
        kept.append(part.take(rows))
    return overlay(kept)


def _key(bars: BarColumns) -> npt.NDArray[np.int64]:
    return bars.code * 1_000_000 + bars.day.astype(np.int64)
