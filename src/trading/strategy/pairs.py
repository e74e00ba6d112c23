"""Pairs of symbols whose prices move together: cointegration by Engle and Granger.

R. Engle and C. Granger, "Co-integration and Error Correction", Econometrica 55 (1987): the
residual of a regression of one series on the other is tested for a unit root. Critical values are
those of J. MacKinnon (2010), as statsmodels has them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.market.rolling import FloatArray

ADF_LAGS = 1
# statsmodels warns, and has no p-value, from about 1.5e-6 on.
LEAST_UNEXPLAINED = 1e-5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two symbols and their spread `log P[first] - intercept - hedge_ratio * log P[second]`.

    Attributes
    ----------
    first, second : columns
    hedge_ratio : USD of the second against one USD of the first, positive
    intercept : so that the spread's mean over the formation is 0
    deviation : standard deviation of the spread over the formation
    half_life : bars in which half of a deviation is expected to be gone
    p_value : of the unit root; small: cointegrated
    correlation : of the log returns over the formation
    """

    first: int
    second: int
    hedge_ratio: float
    intercept: float
    deviation: float
    half_life: float
    p_value: float
    correlation: float


@dataclass(frozen=True, slots=True)
class PairRules:
    """What a pair must be like, and how much is searched.

    Attributes
    ----------
    correlation : least correlation of log returns that a pair is tested from
    significance : largest p-value
    max_half_life : bars
    max_pairs : pairs that are kept, the most significant first
    max_candidates : pairs that are tested, the most correlated first
    max_symbols : symbols that are looked at, the largest mean dollar volume first
    """

    correlation: float
    significance: float
    max_half_life: float
    max_pairs: int
    max_candidates: int
    max_symbols: int


def form_pairs(
    prices: FloatArray, dollar_volume: FloatArray, symbols: Sequence[str], rules: PairRules
) -> tuple[Pair, ...]:
    """Return the pairs of a formation window; a symbol is in one pair at most.

    A symbol counts if all its prices are known and positive and they move. Two symbols that move as
    one (a regression that leaves less than 1e-5 of the variance) are no pair. The order of the
    columns does not matter: ties are broken by name.

    Parameters
    ----------
    prices : (F, N) adjusted closes
    dollar_volume : (N,) mean USD a bar; NaN counts as 0
    """
    eligible = _eligible(prices, dollar_volume, symbols, rules.max_symbols)
    if len(eligible) < 2:
        return ()
    logs = np.log(np.ascontiguousarray(prices[:, eligible]))
    tested = [
        pair
        for i, j, correlation in _candidates(logs, rules)
        if (pair := _stronger(logs, i, j, correlation)) is not None
        and pair.p_value <= rules.significance
        and pair.half_life <= rules.max_half_life
    ]
    tested.sort(key=lambda pair: (pair.p_value, pair.first, pair.second))
    chosen: list[Pair] = []
    taken: set[int] = set()
    for pair in tested:
        if len(chosen) == rules.max_pairs:
            break
        if pair.first in taken or pair.second in taken:
            continue
        taken |= {pair.first, pair.second}
        chosen.append(_in_columns(pair, eligible))
    return tuple(chosen)


def half_life(spread: FloatArray) -> float:
    """Return the half-life of a spread in bars: infinite where it does not revert.

    From the regression of the spread's change on its level, `ds = a + k * s`: `ln 2 / -ln(1 + k)`,
    and 0 where k <= -1 (E. Chan, "Algorithmic Trading", 2013, chapter 2, with the exact discrete
    form instead of `ln 2 / -k`).
    """
    level = spread[:-1] - spread[:-1].mean()
    variance = float(level @ level)
    if variance == 0.0:
        return math.inf
    speed = float(level @ np.diff(spread)) / variance
    if speed >= 0.0:
        return math.inf
    return 0.0 if speed <= -1.0 else math.log(2.0) / -math.log1p(speed)


def _eligible(
    prices: FloatArray, dollar_volume: FloatArray, symbols: Sequence[str], most: int
) -> npt.NDArray[np.int64]:
    """Return the columns that may be in a pair, sorted by name."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(prices).all(axis=0) & (prices > 0.0).all(axis=0)
        known &= prices.max(axis=0) > prices.min(axis=0)
    by_name = sorted(np.flatnonzero(known).tolist(), key=symbols.__getitem__)
    volume = np.nan_to_num(dollar_volume[by_name], nan=0.0)
    largest = np.sort(np.argsort(-volume, kind="stable")[:most])
    return np.array(by_name, dtype=np.int64)[largest]


def _candidates(logs: FloatArray, rules: PairRules) -> list[tuple[int, int, float]]:
    """Return the most correlated pairs `(i, j, correlation)`, i < j."""
    moves = np.diff(logs, axis=0)
    moves -= moves.mean(axis=0)
    norm = np.sqrt((moves * moves).sum(axis=0))
    moves /= np.where(norm > 0.0, norm, np.inf)
    # Rounded, so that equal correlations are equal whatever order BLAS sums in.
    correlation = np.round(moves.T @ moves, 12)
    first, second = np.nonzero(np.triu(correlation >= rules.correlation, k=1))
    found = correlation[first, second]
    best = np.argsort(-found, kind="stable")[: rules.max_candidates]
    return list(zip(first[best].tolist(), second[best].tolist(), found[best].tolist(), strict=True))


def _stronger(logs: FloatArray, i: int, j: int, correlation: float) -> Pair | None:
    """Test both regressions, and return the pair of the more significant one; None if neither."""
    one, other = _tested(logs, i, j, correlation), _tested(logs, j, i, correlation)
    if one is None or other is None:
        return one or other
    return other if other.p_value < one.p_value else one


def _tested(logs: FloatArray, i: int, j: int, correlation: float) -> Pair | None:
    # A second to import: only who forms pairs pays for it.
    from statsmodels.tsa.stattools import coint

    y, x = logs[:, i], logs[:, j]
    x_moves, y_moves = x - x.mean(), y - y.mean()
    ratio = float(x_moves @ y_moves) / float(x_moves @ x_moves)
    spread = y_moves - ratio * x_moves
    unexplained = float(spread @ spread) / float(y_moves @ y_moves)
    if ratio <= 0.0 or unexplained < LEAST_UNEXPLAINED:
        return None
    _, p_value, _ = coint(y, x, trend="c", maxlag=ADF_LAGS, autolag=None)
    if not math.isfinite(p_value):
        return None
    intercept = float(y.mean() - ratio * x.mean())
    return Pair(
        i, j, ratio, intercept, float(spread.std()), half_life(spread), float(p_value), correlation
    )


def _in_columns(pair: Pair, columns: npt.NDArray[np.int64]) -> Pair:
    return Pair(
        int(columns[pair.first]),
        int(columns[pair.second]),
        pair.hedge_ratio,
        pair.intercept,
        pair.deviation,
        pair.half_life,
        pair.p_value,
        pair.correlation,
    )
