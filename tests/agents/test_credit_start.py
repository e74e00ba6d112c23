from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.planted import planted_dataset
from trading.agents.credit_start import MOST_CONVICTION, credit_gates, significant_exposures
from trading.agents.episodes import episodes
from trading.config import Settings
from trading.data.simulation.regimes import PlantedMarket, PlantedMarketSettings, plant_market
from trading.features.dataset import Dataset

LEARN = 48


def market_of(**changes: object) -> PlantedMarket:
    settings = {"names": 300, "months": 72, "information": 0.12} | changes
    return plant_market(PlantedMarketSettings(**settings))


def likeness(dataset: Dataset, market: PlantedMarket, settings: Settings) -> float:
    """Correlation of the starting score with the oracle's in the months after those learnt from."""
    gates = credit_gates(dataset, episodes(dataset, np.arange(LEARN)), settings)
    found = [
        np.corrcoef(dataset.features[at] @ gates.exposures(dataset.context[at]), signal)[0, 1]
        for at, signal in enumerate(market.signal)
        if at > LEARN
    ]
    return float(np.mean(found))


@pytest.mark.parametrize("regime", ["state", "volatility", "continuous"])
def test_a_sign_that_turns_with_the_context_is_found(regime):
    market = market_of(regime=regime, seed=1)
    assert likeness(planted_dataset(market), market, Settings()) > 0.75


def test_several_carriers_are_found():
    market = market_of(carriers=3, information=0.15, seed=2)
    assert likeness(planted_dataset(market), market, Settings()) > 0.75


def test_noise_starts_at_next_to_nothing():
    sizes = []
    for seed in range(5):
        dataset = planted_dataset(market_of(information=0.0, seed=seed))
        gates = credit_gates(dataset, episodes(dataset), Settings())
        scores = [dataset.features[at] @ gates.exposures(dataset.context[at]) for at in range(72)]
        sizes.append(float(np.std(scores)))
    assert np.median(sizes) < 0.05 * MOST_CONVICTION
    assert max(sizes) < 0.5 * MOST_CONVICTION


def test_a_huge_signal_starts_no_larger_than_it_may():
    dataset = planted_dataset(market_of(information=0.6))
    gates = credit_gates(dataset, episodes(dataset), Settings())
    scores = [dataset.features[at] @ gates.exposures(dataset.context[at]) for at in range(72)]
    assert 0.5 * MOST_CONVICTION < np.std(scores) < 1.2 * MOST_CONVICTION


def test_nothing_outside_the_chains_is_read():
    dataset = planted_dataset(market_of())
    cut = int(dataset.decisions[LEARN]) + 2
    returns, features, context = (
        array.copy() for array in (dataset.returns, dataset.features, dataset.context)
    )
    returns[cut:], features[LEARN + 1 :], context[LEARN + 1 :] = 0.5, 0.5, 0.5
    other = replace(dataset, returns=returns, features=features, context=context)
    first, second = (
        credit_gates(one, episodes(one, np.arange(LEARN)), Settings()) for one in (dataset, other)
    )
    assert len(first.output) > 0
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])


def test_a_short_history_starts_without_gates(small):
    assert len(credit_gates(small, episodes(small), Settings()).output) == 0


@pytest.mark.parametrize("spoil", ["feature", "context", "returns", "eligible"])
def test_what_does_not_vary_is_left_out(spoil):
    dataset = planted_dataset(market_of(names=60))
    arrays: dict[str, Callable[[], np.ndarray]] = {
        "feature": lambda: np.where(np.arange(17) == 3, np.float32(0.0), dataset.features),
        "context": lambda: np.where(np.arange(8) < 7, np.float32(2.0), dataset.context),
        "returns": lambda: np.zeros_like(dataset.returns),
        "eligible": lambda: dataset.eligible & (np.arange(60) < 1),
    }
    field = "features" if spoil == "feature" else spoil
    changed = replace(dataset, **{field: arrays[spoil]()})
    gates = credit_gates(changed, episodes(changed), Settings())
    assert all(np.isfinite(array).all() for array in gates.arrays().values())
    if spoil in ("returns", "eligible"):
        assert len(gates.output) == 0


def test_an_order_of_slots_does_not_matter():
    dataset = planted_dataset(market_of(names=60))
    order = np.random.default_rng(0).permutation(60)
    shuffled = replace(
        dataset,
        symbols=tuple(dataset.symbols[slot] for slot in order),
        features=dataset.features[:, order],
        returns=dataset.returns[:, order],
        volatility=dataset.volatility[:, order],
    )
    first, second = (credit_gates(one, episodes(one), Settings()) for one in (dataset, shuffled))
    at = dataset.context[5]
    np.testing.assert_allclose(first.exposures(at), second.exposures(at), atol=1e-5)


def test_overlapping_outcomes_are_not_taken_for_more_months():
    survivors = np.zeros(3)
    for seed in range(60):
        random = np.random.default_rng(seed)
        instruments = np.insert(random.standard_normal((84, 4)), 0, 1.0, axis=1)
        slopes = random.standard_normal((84, 6))
        repeated = [np.repeat(array, 4, axis=0) for array in (slopes, instruments)]
        trials = [(slopes, instruments, 0), (*repeated, 11), (*repeated, 0)]
        survivors += [np.count_nonzero(significant_exposures(*trial)) > 0 for trial in trials]
    once, overlapping, naive = survivors
    assert naive > 50
    assert overlapping < 0.6 * naive
    assert once < 30
