"""A synthetic market with a signal planted in it, or none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from trading.config import Settings
from trading.evaluation.out_of_fold import Scorer
from trading.features.context import CONTEXT
from trading.features.dataset import Dataset
from trading.features.decisions import decision_grid
from trading.features.specification import FEATURES, FEATURES_VERSION


@dataclass(frozen=True)
class Market:
    """A dataset and the scores that foresee its returns as well as was planted."""

    dataset: Dataset
    plant: np.ndarray

    def scorer(self) -> Scorer:
        return lambda index, held: (self.plant[index], None)


def weekdays(start: str, count: int) -> np.ndarray:
    return np.busday_offset(start, np.arange(count), roll="forward").astype("datetime64[D]")


def make_market(
    sessions: int = 1000,
    names: int = 240,
    information: float = 0.0,
    phases: int = 2,
    seed: int = 0,
    factor: tuple[int, float] | None = None,
) -> Market:
    """Daily returns of 2 % deviation; at each decision `plant` correlates by `information` with the
    month that follows, and `factor = (feature, correlation)` does likewise through a feature."""
    rng = np.random.default_rng(seed)
    days = weekdays("2021-01-04", sessions)
    as_of = date.fromisoformat(str(np.busday_offset(days[-1], 1)))
    grid = decision_grid(days, as_of, phases)
    decisions = len(grid.rows)
    market = rng.normal(6e-4, 0.006, (sessions, 1))
    returns = market + rng.normal(0.0, 0.02, (sessions, names))
    plant = rng.standard_normal((decisions, names))
    features = rng.uniform(-1, 1, (decisions, names, len(FEATURES)))
    # One drift a day: a monthly correlation of c needs c * daily deviation / sqrt(21) a day.
    for i in np.flatnonzero(grid.phases == 0)[:-1]:
        following = grid.rows[grid.phases == 0]
        row, leave = grid.rows[i], following[following > grid.rows[i]][0]
        drift = information * plant[i]
        if factor is not None:
            drift = drift + factor[1] * features[i, :, factor[0]] * np.sqrt(3)
        returns[row + 2 : leave + 2] += drift * 0.02 / np.sqrt(21)
    shape = (decisions, names)
    dataset = Dataset(
        as_of=as_of,
        sessions=days,
        symbols=tuple(f"N{i:04d}" for i in range(names)),
        active=np.ones(names, dtype=bool),
        decisions=grid.rows,
        phases=grid.phases,
        features=features.astype(np.float32),
        context=np.zeros((decisions, len(CONTEXT)), dtype=np.float32),
        eligible=np.ones(shape, dtype=bool),
        returns=returns.astype(np.float32),
        dollar_volume=np.full(shape, 5e7, dtype=np.float32),
        volatility=np.full(shape, 0.02, dtype=np.float32),
        data_hash="synthetic",
        slots_version="synthetic",
        features_version=FEATURES_VERSION,
    )
    return Market(dataset, plant)


@pytest.fixture(scope="session")
def planted() -> Market:
    return make_market(information=0.15, seed=4)


@pytest.fixture(scope="session")
def noise() -> Market:
    return make_market(information=0.0, seed=5)


@pytest.fixture(scope="session")
def market() -> Callable[..., Market]:
    return make_market


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings()
