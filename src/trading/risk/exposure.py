"""What a portfolio is exposed to: gross and net value, sectors, concentration, the market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import RiskError

FloatArray = npt.NDArray[np.float64]

NO_SECTOR = "unknown"


@dataclass(frozen=True, slots=True)
class SectorExposure:
    """The exposure of one sector, fractions of equity."""

    gross: float
    net: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """The exposures of a portfolio, fractions of equity.

    Attributes
    ----------
    long, short : sums of the positive values, and of the negative ones (>= 0)
    gross, net : long + short (the leverage), long - short
    largest : the largest single position, either side
    herfindahl : sum of squared weights, against equity: the `max_concentration` limit's measure
    effective_names : how many equal positions are as concentrated: gross^2 / herfindahl
    positions : how many are not 0
    sectors : by sector; names without one are `unknown`
    """

    long: float
    short: float
    gross: float
    net: float
    largest: float
    herfindahl: float
    effective_names: float
    positions: int
    sectors: Mapping[str, SectorExposure]

    @property
    def leverage(self) -> float:
        """Gross exposure as a multiple of equity."""
        return self.gross


def exposure(
    values: npt.ArrayLike,
    equity: float,
    symbols: Sequence[str] = (),
    sectors: Mapping[str, str] | None = None,
) -> Exposure:
    """Return the exposures of a portfolio.

    Parameters
    ----------
    values : (N,) USD, quantity times price, negative for a short; all finite
    equity : USD, above 0
    symbols, sectors : N symbols and the sector of each; without `sectors` there are none

    No positions: every figure is 0 and `effective_names` is 0.

    Raises
    ------
    RiskError
        Equity is not above 0, a value is not finite, or the symbols are not as many as the values.
    """
    usd = np.asarray(values, dtype=np.float64)
    if usd.ndim != 1 or not np.isfinite(usd).all():
        raise RiskError(
            "the values of positions must be finite, one for each name; mark them first"
        )
    if not (np.isfinite(equity) and equity > 0.0):
        raise RiskError(f"exposure is measured against equity above 0, got {equity}")
    if sectors is not None and len(symbols) != len(usd):
        raise RiskError(f"{len(symbols)} symbols for {len(usd)} values; give one for each")
    weights = usd / equity
    size = np.abs(weights)
    gross, herfindahl = float(size.sum()), float((weights**2).sum())
    return Exposure(
        long=float(weights[weights > 0.0].sum()),
        short=float(size[weights < 0.0].sum()),
        gross=gross,
        net=float(weights.sum()),
        largest=float(size.max(initial=0.0)),
        herfindahl=herfindahl,
        effective_names=gross**2 / herfindahl if herfindahl > 0.0 else 0.0,
        positions=int(np.count_nonzero(weights)),
        sectors={} if sectors is None else _by_sector(weights, symbols, sectors),
    )


def _by_sector(
    weights: FloatArray, symbols: Sequence[str], sectors: Mapping[str, str]
) -> dict[str, SectorExposure]:
    named = [sectors.get(symbol) or NO_SECTOR for symbol in symbols]
    names, codes = np.unique(np.array(named, dtype=np.str_), return_inverse=True)
    gross = np.bincount(codes, np.abs(weights), len(names))
    net = np.bincount(codes, weights, len(names))
    return {
        str(name): SectorExposure(float(gross[i]), float(net[i]))
        for i, name in enumerate(names)
        if gross[i] > 0.0
    }


def market_betas(returns: npt.ArrayLike, market: npt.ArrayLike) -> FloatArray:
    """Return each name's slope `(N,)` on the market's returns, over the bars that both have.

    Parameters
    ----------
    returns, market : (T, N) and (T,) simple returns

    NaN where fewer than two bars are shared or the market did not move over them. `RiskError` if
    the shapes differ or a return is infinite. Source: W. Sharpe, "Capital Asset Prices" (1964).
    """
    own, index = np.asarray(returns, np.float64), np.asarray(market, np.float64)
    if own.ndim != 2 or index.shape != own.shape[:1]:
        raise RiskError(
            f"expected returns (T, N) and a market (T,), got {own.shape}, {index.shape}"
        )
    if np.isinf(own).any() or np.isinf(index).any():
        raise RiskError("a return is infinite; check the prices behind it")
    both = ~np.isnan(own) & ~np.isnan(index)[:, None]
    count = np.maximum(both.sum(axis=0), 1)
    x = np.where(both, index[:, None], 0.0)
    y = np.where(both, own, 0.0)
    x = np.where(both, x - x.sum(axis=0) / count, 0.0)
    variance = (x**2).sum(axis=0)
    known = (both.sum(axis=0) > 1) & (variance > 1e-18)
    return np.where(known, (x * y).sum(axis=0) / np.where(known, variance, 1.0), np.nan)


def portfolio_beta(weights: npt.ArrayLike, betas: npt.ArrayLike) -> float:
    """Return the sum of weights times betas; NaN where a held name's beta is not known."""
    held, slopes = np.asarray(weights, np.float64), np.asarray(betas, np.float64)
    if held.shape != slopes.shape or held.ndim != 1 or not np.isfinite(held).all():
        raise RiskError(f"expected finite weights (N,) and betas (N,), got {held.shape}")
    return float((held * slopes)[held != 0.0].sum())
