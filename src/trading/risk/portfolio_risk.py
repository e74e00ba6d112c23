"""Value at risk and expected shortfall of a portfolio, and what each holding adds to them.

Weights `(N,)` are fractions of equity, negative for a short; returns `(T, N)` simple, per bar. The
figures are losses of one bar as fractions of equity, >= 0. A portfolio without holdings has no
risk: every figure is 0.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError
from trading.risk.correlation import covariance, filled_returns
from trading.risk.measures import (
    NORMAL,
    cornish_fisher_expected_shortfall,
    cornish_fisher_value_at_risk,
    expected_shortfall,
    normal_expected_shortfall,
    normal_value_at_risk,
    require_level,
    value_at_risk,
)

FloatArray = npt.NDArray[np.float64]
Method = Literal["historical", "normal", "cornish_fisher", "monte_carlo"]

# Eigenvalues below minus this share of the largest are no rounding error of a covariance matrix.
INDEFINITE = 1e-8


@dataclass(frozen=True, slots=True)
class TailRisk:
    """Value at risk and expected shortfall of one bar, fractions of equity; NaN: not defined."""

    value_at_risk: float
    expected_shortfall: float


@dataclass(frozen=True, eq=False, slots=True)
class RiskContributions:
    """The normal value at risk of a portfolio, by holding.

    Attributes
    ----------
    total : the portfolio's value at risk, mean returns taken as 0
    marginal : (N,) its derivative by each weight
    component : (N,) weight times derivative; they sum to `total` (Euler)
    share : (N,) component / total, NaN without risk
    """

    total: float
    marginal: FloatArray
    component: FloatArray
    share: FloatArray


def portfolio_returns(weights: npt.ArrayLike, returns: npt.ArrayLike) -> FloatArray:
    """Return what today's weights would have returned `(T,)`; an unknown return counts as 0."""
    held, series = _aligned(weights, returns)
    return np.asarray(np.where(np.isnan(series), 0.0, series)[:, held != 0.0] @ held[held != 0.0])


def portfolio_tail_risk(
    weights: npt.ArrayLike,
    returns: npt.ArrayLike,
    level: float = 0.95,
    *,
    method: Method = "historical",
    paths: int = 100_000,
    seed: int = 0,
    degrees_of_freedom: float | None = None,
) -> TailRisk:
    """Return value at risk and expected shortfall of the portfolio.

    Parameters
    ----------
    weights, returns : (N,), (T, N)
    method : `historical` replays the returns at today's weights; `normal` takes the mean and
        deviation of that series, `cornish_fisher` its skewness and kurtosis too; `monte_carlo`
        draws from the names' means and covariances
    paths, seed, degrees_of_freedom : of `monte_carlo`, see `simulated_returns`

    Raises
    ------
    RiskError
        Shapes differ, a weight or return is infinite, the level is outside 0..1, or (Monte Carlo) a
        held name has too few returns.
    """
    require_level(level)
    held, series = _aligned(weights, returns)
    used = held != 0.0
    if not used.any():
        return TailRisk(0.0, 0.0)
    if method == "monte_carlo":
        filled, known = filled_returns(series[:, used])
        if not known.all():
            raise RiskError("a held name has fewer than half of its returns; use a longer history")
        drawn = simulated_returns(
            filled.mean(axis=0),
            covariance(filled, shrink=False),
            paths=paths,
            seed=seed,
            degrees_of_freedom=degrees_of_freedom,
        )
        path = drawn @ held[used]
    else:
        path = portfolio_returns(held, series)
    if method == "normal":
        if len(path) < 2:
            return TailRisk(float("nan"), float("nan"))
        mean, deviation = path.mean(), path.std(ddof=1)
        return TailRisk(
            float(normal_value_at_risk(mean, deviation, level)),
            float(normal_expected_shortfall(mean, deviation, level)),
        )
    if method == "cornish_fisher":
        return TailRisk(
            float(cornish_fisher_value_at_risk(path, level)),
            float(cornish_fisher_expected_shortfall(path, level)),
        )
    return TailRisk(float(value_at_risk(path, level)), float(expected_shortfall(path, level)))


def simulated_returns(
    mean: npt.ArrayLike,
    matrix: npt.ArrayLike,
    *,
    paths: int = 100_000,
    seed: int = 0,
    degrees_of_freedom: float | None = None,
) -> FloatArray:
    """Return drawn returns `(paths, N)` of one bar with these means and covariances.

    Parameters
    ----------
    mean, matrix : (N,), (N, N); a singular matrix is fine
    paths : at least 1
    seed : the same seed draws the same returns
    degrees_of_freedom : None draws from a normal distribution; above 2, from a multivariate t with
        fatter tails and the same covariances

    Raises
    ------
    RiskError
        Shapes differ, something is not finite, the matrix has a negative eigenvalue, or a count is
        out of bounds.

    Notes
    -----
    P. Glasserman, "Monte Carlo Methods in Financial Engineering" (2003), 2.3.3 and 9.3.
    """
    centre, sigma = np.asarray(mean, np.float64), np.asarray(matrix, np.float64)
    if centre.ndim != 1 or sigma.shape != (len(centre), len(centre)):
        raise RiskError(f"expected a mean (N,) and covariances (N, N), got {sigma.shape}")
    if not np.isfinite(centre).all() or not np.isfinite(sigma).all():
        raise RiskError("a mean or covariance is not finite; leave out names without history")
    if paths < 1 or (degrees_of_freedom is not None and not degrees_of_freedom > 2.0):
        raise RiskError("a simulation needs at least one path, and more than 2 degrees of freedom")
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2.0)
    if values.min(initial=0.0) < -INDEFINITE * values.max(initial=0.0):
        raise RiskError(
            f"the covariances have a negative eigenvalue ({values.min():.3g}): no returns have "
            "them; estimate them from one set of returns, or shrink them"
        )
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    generator = np.random.default_rng(seed)
    drawn = generator.standard_normal((paths, len(centre))) @ root.T
    if degrees_of_freedom is not None:
        nu = degrees_of_freedom
        drawn *= np.sqrt((nu - 2.0) / generator.chisquare(nu, (paths, 1)))
    return np.asarray(drawn + centre)


def value_at_risk_contributions(
    weights: npt.ArrayLike, matrix: npt.ArrayLike, level: float = 0.95
) -> RiskContributions:
    """Return the normal value at risk by holding: `z w' S w / sqrt(w' S w)` and its gradient.

    Parameters
    ----------
    weights, matrix : (N,), (N, N) covariances per bar; those of names of weight 0 may be NaN, and
        their marginal value at risk is then NaN
    level : 0.5 or more

    A portfolio without variance has a total of 0, marginals of 0 and shares of NaN. `RiskError` if
    shapes differ, a held name's covariances are not finite, or the level is out of bounds.

    Source: P. Jorion, "Value at Risk" (3rd ed., 2006), chapter 7.
    """
    held, sigma = np.asarray(weights, np.float64), np.asarray(matrix, np.float64)
    if held.ndim != 1 or sigma.shape != (len(held), len(held)):
        raise RiskError(f"expected weights (N,) and covariances (N, N), got {sigma.shape}")
    require_level(level)
    if level < 0.5:
        raise RiskError(f"below a level of 0.5 the normal value at risk is a gain; got {level}")
    used = held != 0.0
    if not np.isfinite(held).all() or not np.isfinite(sigma[np.ix_(used, used)]).all():
        raise RiskError("a weight, or a held name's covariance, is not finite")
    along = sigma[:, used] @ held[used]
    deviation = sqrt(max(float(held[used] @ along[used]), 0.0))
    z = NORMAL.inv_cdf(level)
    if deviation == 0.0:
        nothing = np.zeros(len(held))
        return RiskContributions(0.0, nothing, nothing, np.full(len(held), np.nan))
    marginal = z * along / deviation
    component = np.where(used, held * np.where(used, marginal, 0.0), 0.0)
    total = z * deviation
    return RiskContributions(
        total, marginal, component, component / total if total else np.full(len(held), np.nan)
    )


def _aligned(weights: npt.ArrayLike, returns: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    held, series = np.asarray(weights, np.float64), np.asarray(returns, np.float64)
    if held.ndim != 1 or series.ndim != 2 or series.shape[1] != len(held):
        raise RiskError(
            f"expected weights (N,) and returns (T, N), got {held.shape} and {series.shape}"
        )
    if not np.isfinite(held).all() or np.isinf(series).any():
        raise RiskError("a weight is not finite or a return infinite; check the prices behind it")
    return held, series
