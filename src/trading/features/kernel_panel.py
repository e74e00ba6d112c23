"""The features of every row of a panel by the compiled formulas, block after block of names."""

from dataclasses import astuple, fields

import numpy as np

from trading.features.exponential import Remembered
from trading.features.kernel import compute_block, prepare, store
from trading.features.kernel_cells import Cells
from trading.features.kernel_windows import LANES, START
from trading.features.listings import UNSEEN, Listings
from trading.features.returns import Float32Array
from trading.features.specification import FEATURE_NAMES
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import NEVER

NOBODY = (NEVER, NEVER, UNSEEN, UNSEEN)
"""`Listings` of a place of a block that holds no name."""


def fill_planes(panel: Panel, listings: Listings, past: Remembered, planes: Float32Array) -> None:
    """Write the features of all rows into `planes`, `(17, T, N)`; `past` goes on to the last."""
    rows, names = panel.shape
    cells = Cells.of_rows(rows)
    flat = planes.reshape(-1)
    for first in range(0, names, LANES):
        columns = slice(first, min(first + LANES, names))
        _cut(cells, panel, listings, columns)
        memories = cells.past.reshape(-1, LANES)[:, : columns.stop - first]
        for field, row in zip(fields(Remembered), memories, strict=True):
            row[:] = getattr(past, field.name)[columns]
        prepare(cells)
        _log(cells.open)
        compute_block(cells, flat, names, first)
        for name, values in (
            ("volume_shock", cells.shock),
            ("dollar_volume_21", cells.medians),
            ("amihud_21", cells.impact),
        ):
            _log(values)
            store(values, flat, names, first, FEATURE_NAMES.index(name))
        for field, row in zip(fields(Remembered), memories, strict=True):
            getattr(past, field.name)[columns] = row


def _cut(cells: Cells, panel: Panel, listings: Listings, columns: slice) -> None:
    """Put some names' bars and listings into the block."""
    width = columns.stop - columns.start
    for values, field in (
        (cells.open, panel.open),
        (cells.high, panel.high),
        (cells.close, panel.close),
        (cells.volume, panel.volume),
        (cells.price, panel.adjusted_close),
    ):
        block = values[START:].reshape(-1, LANES)
        block[:, :width] = field[:, columns]
        block[:, width:] = np.nan
    own = cells.listings.reshape(-1, LANES)
    own[:] = np.array(NOBODY, dtype=np.float64)[:, None]
    own[:, :width] = astuple(listings.of(columns))


def _log(values: FloatArray | Float32Array) -> None:
    np.log(values[START:], out=values[START:])
