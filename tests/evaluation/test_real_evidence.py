"""The gate on real bars: noise is turned away, hindsight is let through, the past stays put."""

import os
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.config import Settings
from trading.evaluation.information import average_ranks, realised_returns
from trading.evaluation.out_of_fold import Scorer, score_folds
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import Fold, make_folds, outcome_ends
from trading.features.dataset import Dataset, build_dataset
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.constituents import members_for
from trading.universe.slots import allocate

PRICES = Path(
    os.environ.get("TRADING_REAL_DATA", Path(__file__).parents[3] / "shared" / "data")
) / "prices"  # fmt: skip
FILES = [PRICES / "r3000_2016_2019.parquet", PRICES / "delisted_2016_2019.parquet"]
AS_OF = date(2020, 1, 2)
SETTINGS = Settings()

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(file.exists() for file in FILES), reason=f"no real bars at {PRICES}"
    ),
]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    bars = pd.concat([pd.read_parquet(file) for file in FILES], ignore_index=True)
    bars["symbol"] = bars["symbol"].astype("str")
    bars["date"] = pd.to_datetime(bars["date"])
    panel = Panel.from_bars(bars.astype(dict.fromkeys(FIELDS, np.float64)))
    members = members_for(panel, None, AS_OF, SETTINGS.universe)
    slots, _ = allocate(None, members, AS_OF, SETTINGS.universe)
    return build_dataset(panel, slots, SETTINGS, data_hash="real")


@pytest.fixture(scope="module")
def folds(dataset: Dataset) -> tuple[Fold, ...]:
    return make_folds(dataset, SETTINGS.training)


def scorer(dataset: Dataset, foresight: float) -> Scorer:
    """Scores that correlate by about `foresight` with the ranks of what will happen."""
    noise = np.random.default_rng(0).standard_normal(dataset.eligible.shape)
    ends = outcome_ends(dataset)

    def score(index: int, _held: np.ndarray) -> tuple[np.ndarray, None]:
        outcome = np.nan_to_num(realised_returns(dataset, index, int(ends[index])))
        ranks = average_ranks(outcome)
        return foresight * (ranks - ranks.mean()) / ranks.std() + noise[index], None

    return score


def test_noise_is_rejected_and_foresight_passes(dataset: Dataset, folds: tuple[Fold, ...]) -> None:
    start = time.process_time()
    blind = validate(dataset, folds, [scorer(dataset, 0.0)] * len(folds), SETTINGS).verdict
    assert time.process_time() - start < 15.0
    seeing = validate(dataset, folds, [scorer(dataset, 0.06)] * len(folds), SETTINGS).verdict
    assert not blind.passed
    assert seeing.passed, seeing.reasons
    assert len(blind.months) >= SETTINGS.gate.min_months
    for figures in (*blind.figures.values(), *seeing.figures.values()):
        assert figures.volatility is not None
        assert 0.05 < figures.volatility < 0.6


def test_a_portfolio_of_real_names_is_nearly_invested(
    dataset: Dataset, folds: tuple[Fold, ...]
) -> None:
    track = score_folds(dataset, folds, [scorer(dataset, 0.0)] * len(folds), SETTINGS).track
    assert (track.names >= SETTINGS.portfolio.min_names).all()
    assert (track.names <= SETTINGS.portfolio.max_names).all()
    assert (track.turnover[1:] > 0.5).all()
    assert (track.costs < 0.01).all()


def test_bars_of_the_last_days_change_no_record(dataset: Dataset, folds: tuple[Fold, ...]) -> None:
    end = int(outcome_ends(dataset)[folds[-1].test[-1]])
    blind = scorer(dataset, 0.0)
    altered = dataset.returns.copy()
    altered[end + 1 :] = 0.3
    one = score_folds(dataset, folds, [blind] * len(folds), SETTINGS)
    two = score_folds(replace(dataset, returns=altered), folds, [blind] * len(folds), SETTINGS)
    assert one.to_bytes() == two.to_bytes()
