"""Other bars in place of the given ones: copies that end early, and futures that did not happen."""

import numpy as np
import numpy.typing as npt

from trading.market.bars import FIELDS, PRICE_COLUMNS
from trading.market.market_data import MarketData

FloatArray = npt.NDArray[np.float64]

STEP_DEVIATION = 0.05
MISSING_SHARE = 0.05


def copied(data: MarketData) -> MarketData:
    """Return the same bars in memory of their own.

    A slice is a view: whoever reads the array behind it sees the bars that were cut off.
    """
    fields = {name: np.array(getattr(data, name)) for name in FIELDS}
    return MarketData(
        np.array(data.timestamps),
        np.array(data.sessions),
        data.symbols,
        **fields,
        interval=data.interval,
    )


def scrambled_after(data: MarketData, row: int, random: np.random.Generator) -> MarketData:
    """Return bars that are the same up to `row`, and a possible other market after it.

    Each symbol's prices are multiplied by a random walk (one factor a bar, so that open, high, low
    and close keep their order), volumes by lognormal factors; one bar in twenty is missing.
    """
    later = slice(row + 1, None)
    shape = data.close[later].shape
    factor = np.exp(np.cumsum(STEP_DEVIATION * random.standard_normal(shape), axis=0))
    missing = random.random(shape) < MISSING_SHARE
    scale = dict.fromkeys((*PRICE_COLUMNS, "adjusted_close"), factor)
    scale["volume"] = np.exp(random.standard_normal(shape))
    fields: dict[str, FloatArray] = {}
    for name in FIELDS:
        values = np.array(getattr(data, name))
        values[later] *= scale[name]
        values[later][missing] = np.nan
        fields[name] = values
    return MarketData(
        np.array(data.timestamps),
        np.array(data.sessions),
        data.symbols,
        **fields,
        interval=data.interval,
    )
