"""What can be learnt in the simulated market: something, by combining, and not much."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pytest

from trading.config import SimulatedMarketSettings
from trading.data.simulation import SimulatedHistory, SimulatedMarket
from trading.market.panel import FloatArray

MONTH = 21


@pytest.fixture(scope="module")
def history() -> SimulatedHistory:
    return SimulatedMarket(SimulatedMarketSettings(symbols=1500)).history(date(2026, 10, 30))


def monthly_ics(history: SimulatedHistory, signal: FloatArray) -> FloatArray:
    """Rank correlations of a signal with the next month's return, month by month."""
    price = history.panel.adjusted_close
    rows = range(273, len(price) - MONTH, MONTH)
    return np.array([rank_correlation(signal[r], price[r + MONTH] / price[r]) for r in rows])


def rank_correlation(one: npt.NDArray[np.floating], other: FloatArray) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    ranks = [values[known].argsort().argsort() for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def observables(history: SimulatedHistory) -> dict[str, FloatArray]:
    """The four observables, computed from the published bars alone."""
    panel = history.panel
    log_price = np.log(panel.adjusted_close)
    returns = np.nan_to_num(panel.returns())
    log_volume = np.log(np.maximum(panel.volume, 1.0))

    def change(values: FloatArray, span: int, lag: int = 0) -> FloatArray:
        out = np.full(values.shape, np.nan)
        out[span + lag :] = values[span : len(values) - lag] - values[: len(values) - span - lag]
        return out

    volume = np.cumsum(np.nan_to_num(log_volume), axis=0)
    volatility = np.log(change(np.cumsum(returns**2, axis=0), 63) + 1e-12)
    quarter_old, half_year_old = (np.isfinite(change(log_price, span)) for span in (63, 126))
    return {
        "reversal": -change(log_price, 21),
        "momentum": change(log_price, 231, lag=21),
        "calm": np.where(quarter_old, -volatility, np.nan),
        "shock": np.where(
            half_year_old, change(volume, 21) / 21 - change(volume, 126) / 126, np.nan
        ),
    }


def test_the_oracle_is_modest(history: SimulatedHistory) -> None:
    ics = monthly_ics(history, history.score.astype(float))
    assert 0.045 < ics.mean() < 0.075
    assert ics.mean() / (ics.std() / np.sqrt(len(ics))) > 4


def test_no_observable_carries_it_alone(history: SimulatedHistory) -> None:
    oracle = monthly_ics(history, history.score.astype(float)).mean()
    for name, values in observables(history).items():
        assert abs(monthly_ics(history, values).mean()) < 0.7 * oracle, name


def test_the_bars_tell_what_the_oracle_knows(history: SimulatedHistory) -> None:
    z = {}
    for name, values in observables(history).items():
        known = np.isfinite(values).any(axis=1)
        part = values[known]
        mean, deviation = np.nanmean(part, axis=1), np.nanstd(part, axis=1)
        scores = np.zeros(values.shape)
        scores[known] = (part - mean[:, None]) / (deviation[:, None] + 1e-12)
        z[name] = np.nan_to_num(np.clip(scores, -2.5, 2.5))
    combined = (
        0.4 * z["reversal"]
        + 0.5 * z["momentum"]
        - 0.1 * z["calm"]
        - 0.5 * z["reversal"] * z["shock"]
        + 0.5 * z["momentum"] * z["calm"]
    )
    rows = np.arange(273, len(combined), MONTH)
    likeness = [rank_correlation(combined[r], history.score[r].astype(float)) for r in rows]
    assert np.mean(likeness) > 0.98
