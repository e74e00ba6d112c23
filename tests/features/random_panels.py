"""Random panels with everything that real bars do: gaps, listings, delistings, halts, no trades."""

from datetime import date

import numpy as np

from trading.market.bars import FIELDS
from trading.market.calendar import sessions_between
from trading.market.panel import Panel

FIRST_SESSION = date(2021, 1, 4)


def random_panel(
    sessions: int, names: int, seed: int = 0, *, missing: float = 0.02, dirty: bool = True
) -> Panel:
    """Return a random panel of real sessions; `missing` is the share of bars that are not there."""
    random = np.random.default_rng(seed)
    days = sessions_between(FIRST_SESSION, date(2035, 12, 31))[:sessions]
    shape = (sessions, names)
    adjusted = 20.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, shape), axis=0))
    close = adjusted * np.linspace(1.05, 1.0, sessions)[:, None]
    opened = close * np.exp(random.normal(0.0, 0.01, shape))
    values = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) * 0.99,
        "close": close,
        "volume": np.round(np.exp(random.normal(12.0, 1.0, shape))),
        "adjusted_close": adjusted,
    }
    gone = random.random(shape) < missing
    if dirty:
        row = np.arange(sessions)[:, None]
        start, end = random.integers(0, sessions, (2, names))
        gone |= (random.random(names) < 0.15) & (row < start)
        gone |= (random.random(names) < 0.15) & (row > end)
        gone |= (random.random(names) < 0.15) & (row >= start) & (row < start + 90)
        idle = (random.random(names) < 0.2) & (row >= end) & (row < end + 30)
        values["volume"] = np.where(idle, 0.0, values["volume"])
        values = {
            name: np.where(idle, array[end, np.arange(names)], array) if name != "volume" else array
            for name, array in values.items()
        }
    for array in values.values():
        array[gone] = np.nan
    symbols = tuple(f"N{i:04d}" for i in range(names))
    return Panel(days, symbols, **{name: values[name] for name in FIELDS})


def with_rows(panel: Panel, rows: slice, factor: float) -> Panel:
    """Return the panel with every field of some rows multiplied."""
    changed = {name: getattr(panel, name).copy() for name in FIELDS}
    for array in changed.values():
        array[rows] *= factor
    return Panel(panel.sessions, panel.symbols, **changed)


def with_columns(panel: Panel, columns: np.ndarray) -> Panel:
    """Return some of the columns, in that order."""
    picked = {name: getattr(panel, name)[:, columns] for name in FIELDS}
    return Panel(panel.sessions, tuple(panel.symbols[i] for i in columns), **picked)


def without_bars(panel: Panel, rows: slice, column: int) -> Panel:
    """Return the panel without the bars of one name in some rows."""
    changed = {name: getattr(panel, name).copy() for name in FIELDS}
    for array in changed.values():
        array[rows, column] = np.nan
    return Panel(panel.sessions, panel.symbols, **changed)
