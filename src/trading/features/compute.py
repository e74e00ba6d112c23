"""The 17 features of every name at chosen sessions, computed for the whole panel at once.

See `specification.FEATURES` for what each is. What a missing or strange bar does:

- **no bar**: prices count as the last known for at most `STALE` sessions, then as unknown; volume,
  value traded and the daily return of that session are unknown and left out of means. The first
  bar after a gap carries the return over the gap.
- **zero volume**: counts as no volume in means of volume, as no value traded in the median, and is
  left out of the illiquidity mean, where it would divide by zero.
- **a gap of more than 63 sessions**: what lies before it may be another company, so returns over
  it are unknown and a new listing begins.
- **unknown in the window**: a mean, median, deviation or high needs two thirds of its window, else
  it is NaN. A price that is not positive is unknown, and so is the logarithm of nothing (no
  volume or no move in a month).
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.features.returns import bridged_returns, resumption_rows
from trading.features.specification import FEATURES
from trading.features.windows import (
    deviation_known,
    exponential_mean,
    last_known,
    mean_known,
    shifted,
    trailing,
)
from trading.market.bars import FIELDS
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import NEVER, IntArray, last_bar_rows, median_known

Features = npt.NDArray[np.float32]

STALE = 5
COLUMNS = 512
ESTABLISHED = 5
NEW_SESSIONS = 63
YEAR = 252
LONGEST_TENURE, LONGEST_ARCHIVE = 3.0, 1.0
LONG_AGO = int(LONGEST_TENURE * YEAR)
WILDER = 14


def compute_features(
    panel: Panel,
    rows: IntArray,
    listed: IntArray | None = None,
    removed: IntArray | None = None,
) -> Features:
    """Return the features at `rows`, `(len(rows), N, 17)` float32, unscaled, NaN where unknown.

    Parameters
    ----------
    panel : bars; no session after a row is looked at for that row
    rows : rows of the panel, `(R,)`
    listed : `(N,)` int64, the row of each name's listing, negative for that many sessions before
        the panel; `listing_rows` where it is not given
    removed : `(N,)` int64, the row from which on a name is archived, `NEVER` for none

    Raises
    ------
    DataError
        A row lies outside the panel.
    """
    sessions, names = panel.shape
    rows = np.asarray(rows, dtype=np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < sessions):
        raise DataError(
            f"rows {rows.min()} to {rows.max()} were asked of a panel of {sessions} sessions; "
            f"expected 0 to {sessions - 1}"
        )
    features = np.full((len(rows), names, len(FEATURES)), np.nan, dtype=np.float32)
    if not len(rows):
        return features
    last = int(rows.max()) + 1
    listed = listing_rows(panel) if listed is None else listed
    removed = np.full(names, NEVER) if removed is None else removed
    for start in range(0, names, COLUMNS):
        columns = slice(start, start + COLUMNS)
        part = {name: getattr(panel, name)[:last, columns].copy() for name in FIELDS}
        block = Panel(panel.sessions[:last], panel.symbols[columns], **part)
        # What a division by zero, an overflow or a logarithm of zero gives is not finite: unknown.
        with np.errstate(all="ignore"):
            values = [*_from_prices(block, rows), *_from_trading(block, rows)]
            values += _temporal(block, rows, listed[columns], removed[columns])
            for i, value in enumerate(values):
                features[:, columns, i] = value
    features[~np.isfinite(features)] = np.nan
    return features


def listing_rows(panel: Panel) -> IntArray:
    """Return the row of each name's first bar, `(N,)` int64; `NEVER` for a name without bars.

    A name whose first bar is among the panel's first `ESTABLISHED` rows was listed before the
    panel begins, nobody knows when: it counts as listed for longer than any tenure that is told
    apart.
    """
    known = ~np.isnan(panel.close)
    if not len(known):
        return np.full(len(panel.symbols), NEVER)
    first = np.argmax(known, axis=0).astype(np.int64)
    first = np.where(first < ESTABLISHED, -LONG_AGO, first)
    return np.where(known.any(axis=0), first, NEVER)


def _from_prices(panel: Panel, rows: IntArray) -> list[FloatArray]:
    """Return `return_1` to `volatility_21`."""
    close = np.where(panel.adjusted_close > 0, panel.adjusted_close, np.nan)
    price = last_known(close, STALE)
    resumed = resumption_rows(panel.close)[rows]
    now = price[rows]

    def then(back: int) -> FloatArray:
        same_company = resumed <= rows[:, None] - back
        return np.where(same_company, shifted(price, rows, back), np.nan)

    changes = [now / then(back) - 1.0 for back in (1, 5, 21, 63, 126)]
    momentum = shifted(price, rows, 21) / then(YEAR) - 1.0
    return [
        *changes,
        momentum,
        _rsi(price)[rows],
        _macd_histogram(price)[rows],
        _bollinger_z(price, rows),
        trailing(bridged_returns(close), rows, 21, 14, partial(deviation_known, ddof=1)),
    ]


def _rsi(price: FloatArray) -> FloatArray:
    change = np.full_like(price, np.nan)
    change[1:] = np.diff(price, axis=0)
    up = exponential_mean(np.maximum(change, 0.0), 1.0 / WILDER, WILDER)
    down = exponential_mean(np.maximum(-change, 0.0), 1.0 / WILDER, WILDER)
    index = 100.0 * up / (up + down)
    return np.where(up + down == 0.0, 50.0, index)


def _macd_histogram(price: FloatArray) -> FloatArray:
    line = exponential_mean(price, 2.0 / 13.0, 12) - exponential_mean(price, 2.0 / 27.0, 26)
    return (line - exponential_mean(line, 2.0 / 10.0, 9)) / price


def _bollinger_z(price: FloatArray, rows: IntArray) -> FloatArray:
    mean = trailing(price, rows, 20, 14, mean_known)
    deviation = trailing(price, rows, 20, 14, partial(deviation_known, ddof=0))
    z = (price[rows] - mean) / deviation
    return np.where(deviation > 1e-9 * mean, z, np.where(deviation >= 0.0, 0.0, np.nan))


def _from_trading(panel: Panel, rows: IntArray) -> list[FloatArray]:
    """Return `overnight_21` to `high_252`."""
    opened = np.where(panel.open > 0, panel.open, np.nan)
    close = np.where(panel.close > 0, panel.close, np.nan)
    night = np.full_like(close, np.nan)
    # In dividend-adjusted prices, so that a dividend is no overnight loss.
    adjusted_open = opened * (panel.adjusted_close / close)
    night[1:] = np.log(adjusted_open[1:] / panel.adjusted_close[:-1])
    traded = panel.close * panel.volume
    moved = np.abs(bridged_returns(panel.adjusted_close))
    impact = np.where(traded > 0, moved / traded, np.nan)
    month = trailing(panel.volume, rows, 21, 14, mean_known)
    half_year = trailing(panel.volume, rows, 126, 84, mean_known)
    high = trailing(panel.high, rows, YEAR, 168, lambda part: np.fmax.reduce(part, axis=0))
    resumed = resumption_rows(panel.close)[rows]
    high[(resumed >= 0) & (resumed > rows[:, None] + 1 - YEAR)] = np.nan
    return [
        trailing(night - np.log(close / opened), rows, 21, 14, mean_known),
        np.log(month / half_year),
        np.log(trailing(traded, rows, 21, 14, median_known)),
        np.log(trailing(impact, rows, 21, 14, mean_known)),
        last_known(close, STALE)[rows] / high - 1.0,
    ]


def _temporal(
    panel: Panel, rows: IntArray, listed: IntArray, removed: IntArray
) -> list[FloatArray]:
    """Return `new_listing` and `tenure`."""
    row = rows[:, None]
    last_bar = last_bar_rows(panel)[rows]
    resumed = resumption_rows(panel.close)[rows]
    listed = np.where(resumed >= 0, np.maximum(listed, resumed), listed)
    is_listed = (last_bar >= 0) & (listed <= row)
    age = np.where(is_listed, row - np.where(is_listed, listed, 0), 0)
    # A name is gone once its last bar is more than STALE sessions old.
    archived = np.maximum(row - removed, row - last_bar - STALE - 1) + 1
    tenure = np.where(
        archived > 0,
        -np.minimum(archived / YEAR, LONGEST_ARCHIVE),
        np.minimum(age / YEAR, LONGEST_TENURE),
    )
    is_new = np.where(age < NEW_SESSIONS, 1.0, 0.0)
    return [np.where(is_listed, is_new, np.nan), np.where(is_listed, tenure, np.nan)]
