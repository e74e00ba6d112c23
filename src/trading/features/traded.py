"""The value that a name trades on a usual day, as eligibility, costs and size take it."""

import numpy as np

from trading.features.median import month_median
from trading.features.windows import Known
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import dollar_volume

LEAST = 14
COLUMNS = 64


def median_value_traded(panel: Panel) -> FloatArray:
    """Return the median daily value traded over the last 21 sessions, `(T, N)` USD.

    Sessions without a bar are left out; NaN where fewer than 14 are known.
    """
    # Prices or volumes that are infinite, or overflow, are no value.
    with np.errstate(over="ignore", invalid="ignore"):
        traded = dollar_volume(panel)
        median = np.empty_like(traded)
        for start in range(0, traded.shape[1], COLUMNS):
            values = np.ascontiguousarray(traded[:, start : start + COLUMNS])
            cells = np.isfinite(values)
            known = Known(cells, 0 if cells.all() else None)
            median[:, start : start + COLUMNS] = month_median(values, known, LEAST)
    return median
