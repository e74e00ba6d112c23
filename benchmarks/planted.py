"""Planted markets as datasets, and what a policy earns on them when luck is taken out."""

from dataclasses import replace

import numpy as np

from trading.data.simulation.regimes import PlantedMarket
from trading.features.dataset import Dataset
from trading.features.specification import CONTEXT, FEATURES, FEATURES_VERSION

DOLLAR_VOLUME = 2e7


def planted_dataset(market: PlantedMarket) -> Dataset:
    """Return the market as the dataset that training, evaluation and the gate take.

    It needs as many characteristics and context numbers as the product has.
    """
    settings = market.settings
    if (settings.features, settings.context) != (len(FEATURES), len(CONTEXT)):
        raise ValueError(f"a dataset has {len(FEATURES)} features and {len(CONTEXT)} of context")
    count, names = market.signal.shape
    return Dataset(
        as_of=(market.sessions[-1] + 1).astype(object),
        sessions=market.sessions,
        symbols=tuple(f"P{name:04d}" for name in range(names)),
        active=np.ones(names, dtype=bool),
        decisions=market.decisions,
        phases=np.zeros(count, dtype=np.int8),
        features=market.features,
        context=market.context,
        eligible=np.ones((count, names), dtype=bool),
        returns=market.returns,
        dollar_volume=np.full((count, names), DOLLAR_VOLUME, dtype=np.float32),
        volatility=market.volatility,
        data_hash=f"planted-{settings.seed}",
        slots_version="planted",
        features_version=FEATURES_VERSION,
    )


def without_luck(dataset: Dataset, market: PlantedMarket) -> Dataset:
    """Return the dataset in which every return is its conditional mean."""
    return replace(dataset, returns=market.means)
