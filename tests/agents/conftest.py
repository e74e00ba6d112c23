"""Datasets with a signal planted in the returns, and without one."""

from collections.abc import Callable

import numpy as np
import pytest

from trading.features.dataset import Dataset
from trading.features.specification import CONTEXT, FEATURES, FEATURES_VERSION

MONTH = 21
DAILY_VOLATILITY = 0.025


def planted_dataset(
    information_coefficient: float,
    *,
    slots: int = 400,
    eligible: int | None = None,
    months: int = 24,
    phases: int = 1,
    seed: int = 0,
) -> Dataset:
    """A market whose month's returns correlate with the product of the first two features.

    The product is uncorrelated with each of its factors, so no single feature carries the signal.
    Every decision has features of its own, and its plant spreads over the 21 sessions after its
    fill.
    """
    random = np.random.default_rng(seed)
    count = months * phases
    rows = 2 + np.arange(months)[:, None] * MONTH + np.arange(phases) * MONTH // phases
    decisions = rows.ravel()
    sessions = np.datetime64("2020-01-01") + np.arange(decisions[-1] + 1)
    features = random.uniform(-1, 1, (count, slots, len(FEATURES))).astype(np.float32)
    signal = 3.0 * features[:, :, 0] * features[:, :, 1]
    noise = random.standard_normal((len(sessions), slots), dtype=np.float32)
    market = random.standard_normal((len(sessions), 1), dtype=np.float32)
    returns = DAILY_VOLATILITY * noise + 0.01 * market + np.float32(0.0003)
    plant = information_coefficient * DAILY_VOLATILITY / np.sqrt(MONTH)
    for index, row in enumerate(decisions):
        returns[row + 2 : row + 2 + MONTH] += np.float32(plant) * signal[index]
    held = np.zeros((count, slots), dtype=bool)
    held[:, : slots if eligible is None else eligible] = True
    return Dataset(
        as_of=(sessions[-1] + 1).astype(object),
        sessions=sessions,
        symbols=tuple(f"S{slot:04d}" for slot in range(slots)),
        active=held[-1].copy(),
        decisions=decisions.astype(np.int64),
        phases=np.tile(np.arange(phases, dtype=np.int8), months),
        features=features,
        context=random.standard_normal((count, len(CONTEXT))).astype(np.float32),
        eligible=held,
        returns=returns.astype(np.float32),
        dollar_volume=np.full((count, slots), 5e6, dtype=np.float32),
        volatility=np.full((count, slots), DAILY_VOLATILITY, dtype=np.float32),
        data_hash="d" * 64,
        slots_version="test-slots",
        features_version=FEATURES_VERSION,
    )


@pytest.fixture(scope="session")
def planted() -> Callable[..., Dataset]:
    return planted_dataset


@pytest.fixture(scope="session")
def small() -> Dataset:
    """40 slots of which 30 are eligible, 8 months, no signal."""
    return planted_dataset(0.0, slots=40, eligible=30, months=8)
