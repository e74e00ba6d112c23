"""All figures of one run in one record: the returns, their shape, drawdowns, months, exposure."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest import distribution, drawdowns
from trading.backtest.metrics import SESSIONS_PER_YEAR, Performance, summarize
from trading.backtest.reductions import FloatArray, mean, one_series, plain
from trading.errors import DataError


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one series of net returns beyond `Performance`; None is "no data".

    docs/metrics.md gives every formula.

    Attributes
    ----------
    performance : the principal figures
    omega : gains over losses against a threshold of zero
    tail_ratio : 95 % quantile over the 5 % quantile, sizes
    skewness, excess_kurtosis : adjusted for the size of the sample
    best_period, worst_period, best_month, worst_month : simple returns
    positive_months : share of the calendar months with a return above zero
    average_gain, average_loss : mean positive return, mean size of the negative ones
    payoff_ratio, expectancy : average gain over average loss; mean of the returns not zero
    ulcer_index, average_drawdown : fractions, 0..1
    longest_drawdown : periods; recovery_factor : total return over maximum drawdown
    time_in_market, average_exposure : share of periods with a position; mean gross exposure
    """

    performance: Performance
    omega: float | None
    tail_ratio: float | None
    skewness: float | None
    excess_kurtosis: float | None
    best_period: float | None
    worst_period: float | None
    best_month: float | None
    worst_month: float | None
    positive_months: float | None
    average_gain: float | None
    average_loss: float | None
    payoff_ratio: float | None
    expectancy: float | None
    ulcer_index: float | None
    average_drawdown: float | None
    longest_drawdown: float | None
    recovery_factor: float | None
    time_in_market: float | None
    average_exposure: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return all figures, those of `performance` first, as plain JSON values."""
        fields = asdict(self)
        performance: dict[str, float | int | None] = fields.pop("performance")
        return performance | fields


def describe(
    net_returns: npt.ArrayLike,
    dates: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    periods_per_year: float = SESSIONS_PER_YEAR,
) -> Figures:
    """Return all figures of one series of simple net returns.

    Parameters
    ----------
    net_returns : (n,) simple net returns; NaN ones are left out and counted
    dates : (n,) the date of each, not decreasing
    exposure : (m,) gross exposure, a fraction of equity, of any periods; without it, no data
    periods_per_year : of the returns

    Raises
    ------
    DataError
        A return is infinite or below -100 %; there is not one date per return; dates run backwards.
    """
    series = one_series(net_returns)
    months = distribution.monthly_returns(series, dates)[1]
    known = series[~np.isnan(series)]
    return Figures(
        performance=summarize(series, periods_per_year),
        omega=plain(distribution.omega(known)),
        tail_ratio=plain(distribution.tail_ratio(known)),
        skewness=plain(distribution.skewness(known)),
        excess_kurtosis=plain(distribution.excess_kurtosis(known)),
        best_period=plain(distribution.best(known)),
        worst_period=plain(distribution.worst(known)),
        best_month=plain(distribution.best(months)),
        worst_month=plain(distribution.worst(months)),
        positive_months=plain(mean((months > 0.0).astype(np.float64))),
        average_gain=plain(distribution.average_gain(known)),
        average_loss=plain(distribution.average_loss(known)),
        payoff_ratio=plain(distribution.payoff_ratio(known)),
        expectancy=plain(distribution.expectancy(known)),
        ulcer_index=plain(drawdowns.ulcer_index(known)),
        average_drawdown=plain(drawdowns.average_drawdown(known)),
        longest_drawdown=plain(drawdowns.longest_drawdown(known)),
        recovery_factor=plain(drawdowns.recovery_factor(known)),
        time_in_market=plain(time_in_market(exposure)),
        average_exposure=plain(mean(_exposures(exposure))),
    )


def time_in_market(exposure: npt.ArrayLike | None) -> FloatArray:
    """Return the share of periods `(m,)` with a gross exposure above zero; NaN without any."""
    return mean((_exposures(exposure) > 0.0).astype(np.float64))


def _exposures(exposure: npt.ArrayLike | None) -> FloatArray:
    if exposure is None:
        return np.empty(0)
    values = np.asarray(exposure, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"expected one series of exposures (m,), got an array of {values.shape}")
    return values[np.isfinite(values)]
