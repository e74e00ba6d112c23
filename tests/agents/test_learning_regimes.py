"""Does training find a signal whose sign the market's state sets? `slow` small, `soak` whole."""

import dataclasses

import numpy as np
import pytest

from benchmarks import learning
from benchmarks.planted import planted_dataset
from trading.agents.policy import SlotPolicy
from trading.agents.training import train_policy
from trading.config import Settings, TrainingSettings
from trading.data.simulation.regimes import PlantedMarket, PlantedMarketSettings, plant_market

ALGORITHMS = ("ppo", "a2c", "sac")
LEARN = 60


def likeness(policy: SlotPolicy, market: PlantedMarket) -> float:
    """Correlation of the score with the oracle's in the months after those learnt from."""
    held = np.zeros(market.features.shape[1], np.float32)
    months = range(LEARN + 1, len(market.signal))
    found = [
        np.corrcoef(policy.score(market.features[at], held, market.context[at]), market.signal[at])[
            0, 1
        ]
        for at in months
    ]
    return float(np.mean(found))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_sign_that_turns_is_learnt_through_the_gates(algorithm):
    market = plant_market(PlantedMarketSettings(seed=11, names=400, months=96, information=0.1))
    settings = Settings(costs=learning.COSTS, training=TrainingSettings(slot_steps=600_000))
    dataset = planted_dataset(market)
    policy = train_policy(dataset, algorithm, 0, settings, np.arange(LEARN)).policy
    assert likeness(policy, market) > 0.7
    assert likeness(dataclasses.replace(policy, gates=None), market) < 0.3


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_half_of_the_oracle_is_taken_in_nine_of_ten_markets(capsys):
    assert learning.main(["--seeds", "10"]) == 0
    table = capsys.readouterr().out
    assert all(f"| {algorithm} |" in table for algorithm in ALGORITHMS)
