"""The market context: a few numbers about the whole market, the same for every name.

They are not standardised across names, so a policy can tell a calm market from a wild one. The
market is the equally weighted mean of the names that trade; single daily returns are capped at
+-50 %, since a bad print of one name would otherwise be a market event.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.features.returns import STALE, bridged_returns, positive
from trading.features.specification import CONTEXT, CONTEXT_SPECIFICATION
from trading.features.windows import at_rows, last_known
from trading.market.panel import FloatArray, Panel
from trading.universe.liquidity import IntArray, dollar_volume

Context = npt.NDArray[np.float32]
Measure = Callable[[FloatArray], float]

RETURN_CAP = 0.5
LIMIT = 25.0
"""Bound of a scaled number; the wildest months of US equities stay within 10."""
SESSIONS_PER_YEAR = 252


def market_context(panel: Panel, rows: IntArray) -> Context:
    """Return the context at `rows`, `(len(rows), 8)` float32, scaled by fixed constants.

    See `specification.CONTEXT_SPECIFICATION`. Only sessions up to each row are looked at. A number
    that the panel does not hold yet is 0, the centre of its scale; none lies beyond +-25. Raises
    `DataError` for a row outside the panel.
    """
    rows = np.asarray(rows, dtype=np.int64)
    context = np.zeros((len(rows), len(CONTEXT)), dtype=np.float32)
    if not len(rows):
        return context
    if not (rows.min() >= 0 and rows.max() < len(panel.sessions)):
        raise DataError(
            f"rows {rows.min()} to {rows.max()} were asked of a panel of {len(panel.sessions)} "
            "sessions"
        )
    known = panel.rows(slice(0, int(rows.max()) + 1))
    market = market_returns(known)
    price = last_known(positive(known.adjusted_close), STALE)
    with np.errstate(over="ignore", invalid="ignore"):
        month = price[rows] / at_rows(price, rows, 21) - 1.0
        volume = np.nansum(dollar_volume(known), axis=1)
    measures = {
        "market_return_1": _each(rows, 1, market, _growth),
        "market_return_21": _each(rows, 21, market, _growth),
        "market_return_63": _each(rows, 63, market, _growth),
        "market_volatility_21": _each(rows, 21, market, _annual_deviation),
        "market_drawdown_252": _each(rows, SESSIONS_PER_YEAR, market, _below_high),
        "breadth_21": np.array([_breadth(row) for row in month]),
        "dispersion_21": np.array([_quartile_range(row) for row in month]),
        "market_volume_21": _each(rows, SESSIONS_PER_YEAR, volume, _month_over_year),
    }
    for i, spec in enumerate(CONTEXT_SPECIFICATION):
        scaled = (measures[spec.name] - spec.centre) / spec.scale
        scaled = np.clip(scaled, -LIMIT, LIMIT)
        context[:, i] = np.where(np.isfinite(scaled), scaled, 0.0)
    return context


def market_returns(panel: Panel) -> FloatArray:
    """Return the mean capped daily return of the names that traded, `(T,)`; NaN where none did."""
    returns = np.clip(bridged_returns(panel.adjusted_close), -RETURN_CAP, RETURN_CAP)
    traded = ~np.isnan(returns) & (panel.volume > 0)
    with np.errstate(invalid="ignore"):
        mean = np.where(traded, returns, 0.0).sum(axis=1) / np.count_nonzero(traded, axis=1)
    return np.asarray(mean)


def _each(rows: IntArray, window: int, series: FloatArray, measure: Measure) -> FloatArray:
    """Return `measure` of the `window` values that end at each row; NaN before there are any."""
    with np.errstate(all="ignore"):
        values = [
            measure(series[row + 1 - window : row + 1]) if row + 1 >= window else np.nan
            for row in rows
        ]
    return np.array(values)


def _growth(returns: FloatArray) -> float:
    return float(np.prod(1.0 + returns) - 1.0)


def _annual_deviation(returns: FloatArray) -> float:
    return float(np.std(returns, ddof=1) * np.sqrt(SESSIONS_PER_YEAR))


def _below_high(returns: FloatArray) -> float:
    level = np.cumprod(1.0 + returns)
    return float(level[-1] / level.max() - 1.0)


def _month_over_year(volume: FloatArray) -> float:
    return float(np.log(volume[-21:].mean() / volume.mean()))


def _breadth(returns: FloatArray) -> float:
    known = returns[~np.isnan(returns)]
    return float(np.mean(known > 0)) if len(known) else np.nan


def _quartile_range(returns: FloatArray) -> float:
    known = returns[~np.isnan(returns)]
    return float(np.subtract(*np.percentile(known, (75, 25)))) if len(known) else np.nan
