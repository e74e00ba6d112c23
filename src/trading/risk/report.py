"""The risk of a portfolio at one moment, in one object: what dashboards, mails and logs show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite, nan
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError
from trading.risk.correlation import (
    average_correlation,
    correlated_clusters,
    correlation,
    covariance,
    diversification_ratio,
    filled_returns,
)
from trading.risk.drawdown import DrawdownState
from trading.risk.exposure import Exposure, exposure, market_betas, portfolio_beta
from trading.risk.portfolio_risk import (
    TailRisk,
    portfolio_returns,
    portfolio_tail_risk,
    value_at_risk_contributions,
)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PositionRisk:
    """One holding: weight, and the part of the portfolio's normal value at risk that it brings."""

    symbol: str
    weight: float
    component_var: float | None
    share_of_var: float | None


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """The risk of a portfolio at one moment; fractions of equity, per bar; None is "no data".

    Attributes
    ----------
    as_of, equity : when, and USD
    exposure : gross, net, sectors, concentration
    level : confidence of the tail figures
    historical, normal, cornish_fisher : value at risk and expected shortfall, three ways
    volatility : deviation of the portfolio's return at today's weights
    beta : against the market that was given
    average_correlation : of the holdings, by size; a short counts with its sign turned
    diversification_ratio : see `correlation.diversification_ratio`
    clusters : groups of two or more holdings of which every pair correlates at the threshold
    positions : the holdings, largest first
    bars, unknown : bars of returns behind the figures; holdings with less than half of them
    drawdown : of the account, if it is followed
    """

    as_of: datetime
    equity: float
    exposure: Exposure
    level: float
    historical: TailRisk
    normal: TailRisk
    cornish_fisher: TailRisk
    volatility: float
    beta: float
    average_correlation: float
    diversification_ratio: float
    clusters: tuple[tuple[str, ...], ...]
    positions: tuple[PositionRisk, ...]
    bars: int
    unknown: tuple[str, ...]
    drawdown: DrawdownState | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a figure that is not defined is None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def risk_snapshot(
    values: npt.ArrayLike,
    equity: float,
    symbols: Sequence[str],
    returns: npt.ArrayLike,
    *,
    as_of: datetime,
    sectors: Mapping[str, str] | None = None,
    market: npt.ArrayLike | None = None,
    level: float = 0.95,
    threshold: float = 0.7,
    drawdown: DrawdownState | None = None,
) -> RiskSnapshot:
    """Return the risk of a portfolio.

    Parameters
    ----------
    values : (N,) USD of each position, negative for a short, 0 for none
    equity : USD, above 0
    symbols : N different names
    returns : (T, N) simple returns up to `as_of`, NaN where missing
    as_of : aware
    sectors : sector by symbol
    market : (T,) returns of the benchmark, for beta
    level, threshold : of the tail figures, and of the correlation that makes a cluster
    drawdown : of the account

    A holding without history (fewer than half of the returns) is named in `unknown`; its unknown
    returns count as 0 in the tail figures, which are then too small, and correlations, volatilities
    by holding and beta leave it out or are undefined.

    Raises
    ------
    RiskError
        Shapes differ, a value or return is infinite, equity is not above 0, a symbol is doubled, or
        the stamp has no zone.
    """
    usd, series = np.asarray(values, np.float64), np.asarray(returns, np.float64)
    _require(usd, symbols, series, as_of)
    exposed = exposure(usd, equity, symbols, sectors)
    held = np.flatnonzero(usd)
    weights, names = usd[held] / equity, [symbols[i] for i in held.tolist()]
    own = series[:, held]
    _, known = filled_returns(own)
    signed = correlation(own * np.sign(weights))
    path = portfolio_returns(weights, own)
    return RiskSnapshot(
        as_of=as_of,
        equity=float(equity),
        exposure=exposed,
        level=level,
        historical=portfolio_tail_risk(weights, own, level),
        normal=portfolio_tail_risk(weights, own, level, method="normal"),
        cornish_fisher=portfolio_tail_risk(weights, own, level, method="cornish_fisher"),
        volatility=float(path.std(ddof=1)) if len(path) > 1 else nan,
        beta=nan if market is None else portfolio_beta(weights, market_betas(own, market)),
        average_correlation=average_correlation(signed, np.abs(weights)),
        diversification_ratio=diversification_ratio(
            weights[known], covariance(own[:, known], shrink=False)
        ),
        clusters=tuple(
            group for group in correlated_clusters(signed, names, threshold) if len(group) > 1
        ),
        positions=_positions(weights, names, own, known, level),
        bars=len(series),
        unknown=tuple(name for name, there in zip(names, known, strict=True) if not there),
        drawdown=drawdown,
    )


def _require(
    values: FloatArray, symbols: Sequence[str], returns: FloatArray, as_of: datetime
) -> None:
    """Refuse what is not one value, one symbol and one column of returns for each position."""
    columns = returns.shape[1] if returns.ndim == 2 else -1
    if not columns == len(values) == len(symbols) == len(set(symbols)):
        raise RiskError(
            f"expected values and different symbols for each of the columns of returns, got "
            f"{len(values)} values, {len(set(symbols))} different symbols, returns {returns.shape}"
        )
    if as_of.tzinfo is None:
        raise RiskError(f"the stamp {as_of} has no time zone; give UTC")


def _positions(
    weights: FloatArray,
    names: Sequence[str],
    returns: FloatArray,
    known: npt.NDArray[np.bool_],
    level: float,
) -> tuple[PositionRisk, ...]:
    component = np.full(len(weights), np.nan)
    share = np.full(len(weights), np.nan)
    parts = value_at_risk_contributions(
        weights[known], covariance(returns[:, known], shrink=False), level
    )
    component[known], share[known] = parts.component, parts.share
    return tuple(
        PositionRisk(
            names[i], float(weights[i]), _figure(float(component[i])), _figure(float(share[i]))
        )
        for i in np.argsort(-np.abs(weights), kind="stable")
    )


def _figure(value: float) -> float | None:
    return value if isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return JSON values: stamps as text, tuples as lists, what is not a number as None."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return _figure(value)
    return value
