"""What a portfolio may be paid for without any skill: beta, size and illiquidity.

Every name of a decision gets characteristics that were known then, and the returns that followed
are split across them by one weighted cross-sectional regression (E. Fama and J. MacBeth, "Risk,
Return, and Equilibrium", 1973): its slopes are returns of portfolios that mimic one characteristic
and none of the others (R. Grinold and R. Kahn, "Active Portfolio Management", 2000). Weights are
inverse variances, so that wild names do not drown the others.

Size is the dollar volume, illiquidity is Amihud's; both enter as normal scores with their squares
and cubes, since a premium need not be linear in anything, and once more as means of the year that
has passed: a month tells them with noise, and whatever knows the noise, as a feature of volume
does, would pass for foresight of the premium.
"""

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trading.evaluation.information import average_ranks
from trading.features.dataset import Dataset
from trading.features.specification import FEATURE_NAMES

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

YEAR = 252
MIN_BETA_SESSIONS = 63
PRIOR_BETA_DEVIATION = 0.3
COLUMNS = 10
MARKET_COLUMNS = 2
"""The first columns, the market and the beta less one: hedged month by month."""
ILLIQUIDITY = FEATURE_NAMES.index("amihud_21")
VOLATILITY_BOUNDS = (0.25, 4.0)
NORMAL = NormalDist()


@dataclass(frozen=True)
class Characteristics:
    """The characteristics of one decision.

    Attributes
    ----------
    names : (n,) slots that could be held
    table : (n, k) float64: one, beta - 1, then for size and illiquidity z, z^2 - 1, z^3 - 3 z and
        the z of the year's mean
    risk : (n,) volatility relative to the median name's, within `VOLATILITY_BOUNDS`
    daily_volatility : (n,) `risk` in daily units
    """

    names: IntArray
    table: FloatArray
    risk: FloatArray
    daily_volatility: FloatArray

    @property
    def scaled(self) -> FloatArray:
        """The table over the names' risk `(n, k)`: regressors of outcomes over risk."""
        return np.asarray(self.table / self.risk[:, None])

    def premia(self, scaled_outcomes: FloatArray) -> FloatArray:
        """Return what each characteristic earned `(k, ...)`, from outcomes over risk `(n, ...)`."""
        return np.asarray(np.linalg.pinv(self.scaled, rcond=1e-8) @ scaled_outcomes)

    def among(self, which: BoolArray) -> "Characteristics":
        """Return the characteristics of the names that `which (n,)` marks."""
        return Characteristics(
            self.names[which], self.table[which], self.risk[which], self.daily_volatility[which]
        )


def characteristics(dataset: Dataset, index: int) -> Characteristics:
    """Return the characteristics of the names eligible at decision `index`, as known then."""
    names = np.flatnonzero(dataset.eligible[index])
    beta = _betas(dataset, index, names)
    columns = [np.ones(len(names)), beta - 1.0]
    year = _past_year(dataset, index)
    with np.errstate(divide="ignore"):
        volume = np.log(dataset.dollar_volume[year][:, names].astype(np.float64))
    illiquidity = dataset.features[year][:, names, ILLIQUIDITY].astype(np.float64)
    for values in (volume, illiquidity):
        z = normal_scores(values[-1])
        # Where nothing tells the names apart, its powers would only be the market once more.
        varied = len(z) > 0 and bool(np.ptp(z) > 0.0)
        columns += [z, (z**2 - 1.0) * varied, z**3 - 3.0 * z, normal_scores(_known_mean(values))]
    sigma = dataset.volatility[index, names].astype(np.float64)
    known = np.isfinite(sigma) & (sigma > 0.0)
    middle = float(np.median(sigma[known])) if known.any() else 1.0
    risk = np.clip(np.where(known, sigma, middle) / middle, *VOLATILITY_BOUNDS)
    return Characteristics(names, np.column_stack(columns), risk, risk * middle)


def normal_scores(values: FloatArray) -> FloatArray:
    """Return van der Waerden's normal scores `(n,)` of values; 0 where there is none.

    Equal values share a score; values that are all equal get 0.
    """
    known = np.isfinite(values)
    scores = np.zeros(len(values))
    count = int(known.sum())
    if count:
        ranks = average_ranks(values[known])
        # Ranks are multiples of one half: each quantile is computed once.
        halves = np.rint(2.0 * ranks).astype(np.int64)
        scores[known] = _quantiles(count)[halves - 2]
    return scores


def _past_year(dataset: Dataset, index: int) -> IntArray:
    """Return the decisions of the year that ends with decision `index`, itself the last."""
    until = dataset.decisions[: index + 1]
    return np.flatnonzero(until > until[-1] - YEAR)


def _known_mean(values: FloatArray) -> FloatArray:
    """Return the mean `(n,)` of the finite values of each column; NaN where there is none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@lru_cache(maxsize=64)
def _quantiles(count: int) -> FloatArray:
    """Return the normal quantiles of 2 .. 2 `count` halves of `count` + 1."""
    whole = 2.0 * (count + 1)
    return np.array([NORMAL.inv_cdf(half / whole) for half in range(2, 2 * count + 1)])


def _betas(dataset: Dataset, index: int, names: IntArray) -> FloatArray:
    """Return each name's beta to the mean of all, shrunk to 1 by its own uncertainty.

    O. Vasicek, "A Note on Using Cross-Sectional Information in Bayesian Estimation of Security
    Betas" (1973). A name with fewer than `MIN_BETA_SESSIONS` returns has beta 1.
    """
    last = int(dataset.decisions[index])
    rows = dataset.returns[max(last + 1 - YEAR, 0) : last + 1, names].astype(np.float64)
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    if not len(rows) or not len(names):
        return np.ones(len(names))
    returns = np.where(known, rows, 0.0)
    market = returns.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    n = np.maximum(count, 1)
    mean_market = known.T @ market / n
    centred = np.where(known, market[:, None] - mean_market, 0.0)
    spread = (centred**2).sum(axis=0)
    varied = (spread > 0.0) & (count >= MIN_BETA_SESSIONS)
    raw = (centred * returns).sum(axis=0) / np.where(varied, spread, 1.0)
    own = np.where(known, returns - returns.sum(axis=0) / n - raw * centred, 0.0)
    error = (own**2).sum(axis=0) / np.maximum(count - 2, 1) / np.where(varied, spread, 1.0)
    trust = PRIOR_BETA_DEVIATION**2 / (PRIOR_BETA_DEVIATION**2 + error)
    return np.where(varied, 1.0 + trust * (raw - 1.0), 1.0)
