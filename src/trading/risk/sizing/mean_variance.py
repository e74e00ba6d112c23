"""Mean-variance optimisation, by skfolio."""

import warnings
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from trading.errors import RiskError
from trading.risk.correlation import LEAST_DEVIATION
from trading.risk.sizing.base import FloatArray, PortfolioSizer
from trading.risk.sizing.registry import register
from trading.strategy.base import Parameters

Objective = Literal["min_variance", "max_utility", "max_sharpe"]

# The solver's weights are this good; what lies below is zero.
PRECISION = 1e-7


def mean_variance_weights(
    returns: npt.ArrayLike,
    *,
    objective: Objective = "min_variance",
    upper: npt.ArrayLike = 1.0,
    risk_aversion: float = 2.0,
    shrink: bool = True,
) -> FloatArray:
    """Return long-only weights `(N,)` that are optimal for the past returns.

    Parameters
    ----------
    returns : (T, N) simple returns, T >= 2, finite
    objective : `min_variance`; `max_utility`, mean - risk_aversion * variance; `max_sharpe`,
        mean / deviation, all zero where no name has a positive mean
    upper : (N,) or one number > 0, the largest weights
    shrink : whether the covariances are shrunk (Ledoit and Wolf, 2004) towards a multiple of the
        identity; needed with more names than periods

    The weights sum to 1, or where the largest weights sum to less, are the largest weights.

    Raises
    ------
    RiskError
        The returns are not a finite `(T, N)`, a name does not vary, an upper bound is not positive,
        or the solver found no optimum.

    Notes
    -----
    H. Markowitz, "Portfolio Selection" (1952); solved by `skfolio.optimization.MeanRisk` with
    Clarabel. One name has weight `min(upper, 1)`, none gives an empty array.
    """
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim != 2 or len(series) < 2 or not np.isfinite(series).all():
        raise RiskError(f"expected finite returns (T, N), T >= 2, got an array of {series.shape}")
    names = series.shape[1]
    bounds = np.broadcast_to(np.asarray(upper, dtype=np.float64), (names,))
    if not (np.isfinite(bounds) & (bounds > 0.0)).all():
        raise RiskError(f"the largest weights must be above 0, got {bounds}")
    if not names:
        return np.empty(0)
    deviations = series.std(axis=0)
    if (deviations <= LEAST_DEVIATION).any():
        still = int(np.argmin(deviations))
        raise RiskError(f"name {still} has no variance: its risk is not known; leave it out")
    deviation = float(deviations.mean())
    if objective == "max_sharpe" and (series.mean(axis=0) <= 0.0).all():
        return np.zeros(names)
    if bounds.sum() <= 1.0 or names == 1:
        return np.minimum(bounds, 1.0)
    # In units of the typical deviation, so that the solver's tolerance is one of the weights.
    return _solve(series / deviation, objective, bounds, risk_aversion * deviation, shrink)


def _solve(
    series: FloatArray, objective: Objective, bounds: FloatArray, aversion: float, shrink: bool
) -> FloatArray:
    # Imported here: skfolio takes seconds, and no other sizer needs it.
    from skfolio import RiskMeasure
    from skfolio.exceptions import SkfolioError
    from skfolio.moments import EmpiricalCovariance, LedoitWolf
    from skfolio.optimization import MeanRisk, ObjectiveFunction
    from skfolio.prior import EmpiricalPrior

    goal = {
        "min_variance": ObjectiveFunction.MINIMIZE_RISK,
        "max_utility": ObjectiveFunction.MAXIMIZE_UTILITY,
        "max_sharpe": ObjectiveFunction.MAXIMIZE_RATIO,
    }[objective]
    matrix = LedoitWolf() if shrink else EmpiricalCovariance()
    model = MeanRisk(
        objective_function=goal,
        risk_measure=RiskMeasure.VARIANCE,
        risk_aversion=aversion,
        min_weights=0.0,
        max_weights=np.minimum(bounds, 1.0),
        prior_estimator=EmpiricalPrior(covariance_estimator=matrix),
    )
    try:
        with warnings.catch_warnings():
            # What skfolio only warns of must not pass as a solution.
            warnings.filterwarnings("error", message="Solution may be inaccurate")
            weights = np.asarray(model.fit(series).weights_, dtype=np.float64)
    except (SkfolioError, ValueError, UserWarning) as error:
        raise RiskError(f"no mean-variance portfolio was found: {error}") from error
    weights = np.where(weights < PRECISION, 0.0, np.minimum(weights, bounds))
    return np.asarray(weights)


class MeanVarianceParameters(Parameters):
    """The parameters of `MeanVariance`."""

    objective: Objective = Field(
        "min_variance", description="What is optimal: min_variance, max_utility or max_sharpe."
    )
    window: int = Field(252, ge=20, le=2520, description="Bars of returns behind the moments.")
    gross_exposure: float = Field(
        1.0, gt=0.0, le=10.0, description="Sum of the absolute weights of all wanted names."
    )
    max_weight: float = Field(
        0.2, gt=0.0, le=1.0, description="Largest share of a name wanted with strength 1."
    )
    risk_aversion: float = Field(
        2.0, gt=0.0, description="Weight of a bar's variance against its mean in max_utility."
    )


@register
class MeanVariance(PortfolioSizer):
    """The optimal weights of the wanted names; a strength scales the largest weight of its name.

    The moments are those of the last `window` returns of adjusted closes, the covariances shrunk by
    Ledoit and Wolf; the returns of a short name count with their sign turned. Names too few to be
    fully invested within their largest weights leave the rest in cash.
    """

    name = "mean_variance"
    parameters_type = MeanVarianceParameters
    parameters: MeanVarianceParameters

    @property
    def lookback(self) -> int:
        """The window's returns and the bar before them."""
        return self.parameters.window + 1

    def weigh(self, returns: FloatArray, exposures: FloatArray) -> FloatArray:
        """Return the optimal weights."""
        wanted, signs = self.parameters, np.sign(exposures)
        shares = mean_variance_weights(
            returns * signs,
            objective=wanted.objective,
            upper=wanted.max_weight * np.abs(exposures),
            risk_aversion=wanted.risk_aversion,
        )
        return np.asarray(signs * wanted.gross_exposure * shares)
