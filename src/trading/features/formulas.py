"""The formulas over a block of names, `(T, B)`; see `specification.FEATURES` for what each is."""

from collections.abc import Iterator

import numpy as np

from trading.features.block import Block
from trading.features.median import month_median
from trading.features.returns import STALE, positive
from trading.features.windows import (
    fold,
    highest,
    last_known,
    trailing_deviation,
    trailing_mean,
    trailing_volatility,
)
from trading.market.panel import FloatArray
from trading.universe.liquidity import IntArray

MONTH, HALF_YEAR, YEAR = 21, 126, 252
MONTH_LEAST, HALF_YEAR_LEAST, YEAR_LEAST = 14, 84, 168
"""Sessions of each that have to be known."""
NEW_SESSIONS = 63
LONGEST_TENURE, LONGEST_ARCHIVE = 3.0, 1.0
BOLLINGER, BOLLINGER_LEAST = 20, 14
STILL = 1e-9
"""A deviation of so little of the mean is none."""


def formulas(block: Block) -> Iterator[tuple[str, FloatArray]]:
    """Yield name and values of every feature but the exponential means; unknown is not finite."""
    for back in (1, 5, 21, 63, 126):
        yield f"return_{back}", _change(block, 0, back)
    yield "momentum_252_21", _change(block, MONTH, YEAR)
    yield "bollinger_z_20", _bollinger_z(block)
    yield (
        "volatility_21",
        trailing_volatility(block.returns, block.returns_known, MONTH, MONTH_LEAST),
    )
    yield "overnight_21", _overnight(block)
    yield "volume_shock", _volume_shock(block)
    traded = block.close * block.volume
    yield "dollar_volume_21", _usual_value(block, traded)
    yield "amihud_21", _illiquidity(block, traded)
    yield "high_252", _below_high(block)
    yield "new_listing", _new_listing(block)
    yield "tenure", _tenure(block)


def _change(block: Block, later: int, earlier: int) -> FloatArray:
    """Return the return from `earlier` rows ago to `later` rows ago."""
    change = np.full_like(block.price, np.nan)
    if earlier < len(change):
        now = block.price[earlier - later : len(change) - later]
        np.divide(now, block.price[:-earlier], out=change[earlier:])
        change -= 1.0
    _forget(change, block.resumed, earlier)
    return change


def _forget(values: FloatArray, resumed: IntArray | None, back: int) -> None:
    """Make unknown, in place, what looks back beyond a gap after which all may be another's."""
    if resumed is not None:
        values[np.arange(len(values))[:, None] - resumed < back] = np.nan


def _bollinger_z(block: Block) -> FloatArray:
    mean, deviation = trailing_deviation(
        block.price, block.price_known, BOLLINGER, BOLLINGER_LEAST, ddof=0
    )
    z = block.price - mean
    z /= deviation
    mean *= STILL
    z[deviation <= mean] = 0.0
    return z


def _overnight(block: Block) -> FloatArray:
    # Both in one logarithm, and in total returns, so that a dividend is no overnight loss:
    # (open / close)^2 * growth is the overnight growth over the intraday growth.
    ratio = positive(block.open) / positive(block.close)
    ratio *= ratio
    ratio *= block.growth
    _log(ratio)
    return trailing_mean(ratio, block.known(np.isfinite(ratio), 1), MONTH, MONTH_LEAST)


def _volume_shock(block: Block) -> FloatArray:
    known = block.known(np.isfinite(block.volume))
    shock = fold(known.zeroed(block.volume), MONTH)
    # Six months make the half-year; the sums of months are there already.
    half_year = fold(shock, HALF_YEAR // MONTH, stride=MONTH)
    shock /= half_year
    shock *= known.count(HALF_YEAR) / known.count(MONTH)
    known.require(shock, MONTH, MONTH_LEAST)
    return _log(known.require(shock, HALF_YEAR, HALF_YEAR_LEAST))


def _usual_value(block: Block, traded: FloatArray) -> FloatArray:
    # Rounding keeps the order: the median of what is rounded is the rounded median.
    known = block.known(np.isfinite(traded))
    return _log(month_median(traded.astype(np.float32), known, MONTH_LEAST))


def _illiquidity(block: Block, traded: FloatArray) -> FloatArray:
    impact = np.abs(block.returns)
    impact /= traded
    known = block.known((traded > 0.0) & block.returns_known.cells, 1)
    return _log(trailing_mean(impact, known, MONTH, MONTH_LEAST))


def _below_high(block: Block) -> FloatArray:
    high = positive(block.high)
    known = block.known(~np.isnan(high))
    below = last_known(positive(block.close), STALE) / highest(known.lowered(high), YEAR)
    below -= 1.0
    known.require(below, YEAR, YEAR_LEAST)
    _forget(below, block.resumed, YEAR - 1)
    return below


def _new_listing(block: Block) -> FloatArray:
    age = block.age
    new = (age < NEW_SESSIONS).astype(np.float64)
    return new if block.always_listed else np.where(age >= 0, new, np.nan)


def _tenure(block: Block) -> FloatArray:
    age = block.age
    tenure = np.minimum(age, LONGEST_TENURE * YEAR)
    tenure /= YEAR
    since_removal = block.since_removal
    if since_removal is not None:
        years = np.minimum(since_removal, LONGEST_ARCHIVE * YEAR) / -YEAR
        np.copyto(tenure, years, where=since_removal > 0)
    return tenure if block.always_listed else np.where(age >= 0, tenure, np.nan)


def _log(values: FloatArray) -> FloatArray:
    return np.log(values, out=values)
