"""Lay batches of bars over one another, and arrange bars as panels."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from trading.data.parquet import BarColumns, concat_columns
from trading.market.bars import FIELDS
from trading.market.panel import Panel


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
    used, code = np.unique(bars.code, return_inverse=True)
    names = tuple(bars.names[i] for i in used)
    return BarColumns(bars.day, code.astype(np.int64), names, bars.values)


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
    low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
    kept = [part.take((part.day >= low) & (part.day <= high)) for part in parts]
    sessions = np.unique(np.concatenate([np.unique(part.day) for part in kept]))
    present = [[part.names[i] for i in np.unique(part.code)] for part in kept]
    symbols = tuple(sorted(set().union(*present)))
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    grids = {name: np.full((len(sessions), len(symbols)), np.nan) for name in FIELDS}
    for part in kept:
        column = np.array([column_of.get(name, -1) for name in part.names], dtype=np.int64)
        row = np.searchsorted(sessions, part.day)
        for name, grid in grids.items():
            grid[row, column[part.code]] = part.values[name]
    return Panel(sessions, symbols, **grids)


def _key(bars: BarColumns) -> npt.NDArray[np.int64]:
    return bars.code * 1_000_000 + bars.day.astype(np.int64)
