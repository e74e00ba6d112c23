"""Equal risk contribution, and risk budgets."""

from math import sqrt

import numpy as np
import numpy.typing as npt
from pydantic import Field

from trading.compiled import compiled
from trading.errors import RiskError
from trading.risk.correlation import LEAST_DEVIATION, covariance
from trading.risk.sizing.base import FloatArray, PortfolioSizer
from trading.risk.sizing.registry import register
from trading.strategy.base import Parameters

TOLERANCE = 1e-10
MAX_SWEEPS = 10_000


def risk_parity_weights(matrix: npt.ArrayLike, budgets: npt.ArrayLike | None = None) -> FloatArray:
    """Return the long-only weights, summing to 1, of which each contributes its budget of risk.

    The contribution of a name is w_i (S w)_i / (w' S w); without `budgets` all are equal. The
    weights are the one solution of

        min  x' S x / 2 - sum b_i ln x_i

    found by cyclical coordinate descent on the correlations, exact to 1e-10 of the budget.

    Parameters
    ----------
    matrix : (N, N) covariances, positive semi-definite; two names may be perfectly correlated
    budgets : (N,) > 0, of any sum

    Raises
    ------
    RiskError
        The matrix is not square or finite, a name has no variance, a budget is not positive, or
        names hedge each other perfectly, so that no weights have risk to share.

    Notes
    -----
    T. Griveau-Billion, J.-C. Richard and T. Roncalli, "A fast algorithm for computing
    high-dimension risk parity portfolios" (2013); S. Maillard, T. Roncalli and
    J. Teiletche, "The properties of equally weighted risk contribution portfolios" (2010). One name
    has weight 1, none gives an empty array.
    """
    sigma = np.asarray(matrix, dtype=np.float64)
    if sigma.ndim != 2 or sigma.shape[0] != sigma.shape[1] or not np.isfinite(sigma).all():
        raise RiskError(f"expected finite covariances (N, N), got an array of {sigma.shape}")
    names = len(sigma)
    shares = np.ones(names) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if shares.shape != (names,) or not (np.isfinite(shares) & (shares > 0.0)).all():
        raise RiskError(f"expected {names} risk budgets above 0, got {shares}")
    if not names:
        return np.empty(0)
    deviation = np.sqrt(np.maximum(np.diag(sigma), 0.0))
    if (deviation <= LEAST_DEVIATION).any():
        still = int(np.argmin(deviation))
        raise RiskError(f"name {still} has no variance: it can carry no risk; leave it out")
    rho = np.ascontiguousarray(sigma / np.outer(deviation, deviation))
    scaled, error = _descend(rho, shares / shares.sum(), TOLERANCE, MAX_SWEEPS)
    if not error <= TOLERANCE:
        raise RiskError(
            "the names hedge each other perfectly, so no long-only portfolio has risk to share; "
            "shrink the covariances or leave one out"
        )
    weights = scaled / deviation
    return np.asarray(weights / weights.sum())


@compiled
def _descend(
    rho: FloatArray, budgets: FloatArray, tolerance: float, max_sweeps: int
) -> tuple[FloatArray, float]:
    """Return y with y_i (C y)_i = b_i, and the largest error relative to a budget."""
    names = len(rho)
    y = np.sqrt(budgets)
    product = rho @ y
    error = np.inf
    for _ in range(max_sweeps):
        for i in range(names):
            others = product[i] - y[i]
            better = (sqrt(others * others + 4.0 * budgets[i]) - others) / 2.0
            change = better - y[i]
            y[i] = better
            for j in range(names):
                product[j] += rho[i, j] * change
        error = 0.0
        for i in range(names):
            error = max(error, abs(y[i] * product[i] / budgets[i] - 1.0))
        if error <= tolerance:
            break
    return y, error


class RiskParityParameters(Parameters):
    """The parameters of `RiskParity`."""

    window: int = Field(126, ge=20, le=2520, description="Bars of returns behind the covariances.")
    gross_exposure: float = Field(
        1.0, gt=0.0, le=10.0, description="Sum of the absolute weights of all wanted names."
    )
    max_weight: float = Field(
        1.0, gt=0.0, le=10.0, description="Largest weight of a name; what is cut stays in cash."
    )


@register
class RiskParity(PortfolioSizer):
    """Weights of which each wanted name contributes risk in proportion to its strength.

    Names wanted with equal strength contribute equally. The covariances are those of the last
    `window` returns of adjusted closes with correlations shrunk by Ledoit and Wolf; the returns of
    a short name count with their sign turned. Names that hedge each other perfectly raise
    `RiskError`.
    """

    name = "risk_parity"
    parameters_type = RiskParityParameters
    parameters: RiskParityParameters

    @property
    def lookback(self) -> int:
        """The window's returns and the bar before them."""
        return self.parameters.window + 1

    def weigh(self, returns: FloatArray, exposures: FloatArray) -> FloatArray:
        """Return the weights of equal, or budgeted, risk."""
        signs = np.sign(exposures)
        shares = risk_parity_weights(covariance(returns * signs), np.abs(exposures))
        weights = np.minimum(self.parameters.gross_exposure * shares, self.parameters.max_weight)
        return np.asarray(signs * weights)
