import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from trading.data.simulation.regimes import (
    FILL_DELAY,
    PlantedMarket,
    PlantedMarketSettings,
    plant_market,
)
from trading.errors import ConfigurationError

REGIMES = ("state", "volatility", "continuous")
SMALL = PlantedMarketSettings(names=300, months=60, information=0.2, premium=0.0)


def draw(**changes: object) -> PlantedMarket:
    return plant_market(dataclasses.replace(SMALL, **changes))


def months(market: PlantedMarket) -> np.ndarray:
    """Returns `(months, N)` of each decision's holding period."""
    fills = market.decisions + FILL_DELAY
    return np.stack([market.returns[a + 1 : b + 1].sum(axis=0) for a, b in pairwise(fills)])


def rank_correlations(scores: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    def ranks(values: np.ndarray) -> np.ndarray:
        return values.argsort(axis=1).argsort(axis=1).astype(float)

    one, other = ranks(scores), ranks(outcome)
    one -= one.mean(axis=1, keepdims=True)
    other -= other.mean(axis=1, keepdims=True)
    return (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))


@pytest.mark.parametrize("regime", REGIMES)
def test_equal_settings_give_equal_markets(regime):
    one, other = draw(regime=regime), draw(regime=regime)
    assert one.returns.tobytes() == other.returns.tobytes()
    assert one.context.tobytes() == other.context.tobytes()
    assert draw(regime=regime, seed=1).returns.tobytes() != one.returns.tobytes()


def test_decisions_are_made_on_the_last_session_of_each_month():
    market = draw()
    month = market.sessions.astype("datetime64[M]")
    assert (month[market.decisions[:-1]] != month[market.decisions[:-1] + 1]).all()
    assert len(np.unique(month[market.decisions])) == len(market.decisions) == 61
    assert len(market.sessions) == len(market.returns) == market.decisions[-1] + FILL_DELAY + 1


@pytest.mark.parametrize("regime", REGIMES)
def test_the_oracle_has_the_information_that_was_asked_for(regime):
    found = np.mean(
        [
            rank_correlations(market.signal[:-1], months(market)).mean()
            for market in (draw(regime=regime, seed=seed) for seed in range(4))
        ]
    )
    assert 0.14 < found < 0.24


def test_no_feature_carries_the_signal_alone():
    found = []
    for seed in range(3):
        market = draw(seed=seed, names=150, months=120)
        each = [
            rank_correlations(market.features[:-1, :, j], months(market)).mean()
            for j in range(market.features.shape[2])
        ]
        found.append(np.abs(each).max())
    assert np.mean(found) < 0.12


def test_the_sign_of_the_signal_is_in_the_context_of_its_decision():
    market = draw(carriers=1)
    carrier = market.features[:, :, market.carriers[0]]
    side = np.sign((market.signal * carrier).mean(axis=1))
    shown = np.sign(market.context[:, market.regime_column])
    assert abs(np.mean(side * shown)) == 1.0


def test_means_are_what_the_returns_are_about():
    market = draw(information=0.0, premium=0.1)
    assert np.ptp(market.means, axis=0).max() < 1e-9
    assert market.means.mean() == pytest.approx(0.1 / 252, rel=0.1)
    planted = draw()
    assert not planted.means[: planted.decisions[0] + FILL_DELAY + 1].any()


@pytest.mark.parametrize(
    "changes", [{"names": 1}, {"carriers": 0}, {"information": 1.0}, {"persistence": 1.0}]
)
def test_markets_that_cannot_be_drawn_are_refused(changes):
    with pytest.raises(ConfigurationError, match=f"cannot have {next(iter(changes))}="):
        dataclasses.replace(SMALL, **changes)
