"""The universe and the dataset on real bars: 2,859 symbols, 2016 to 2019, dirt included."""

import os
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.config import Settings
from trading.features.dataset import Dataset, build_dataset
from trading.features.specification import CONTEXT, FEATURE_NAMES
from trading.market.bars import FIELDS
from trading.market.panel import Panel
from trading.universe.constituents import members_for
from trading.universe.slots import SlotMap, allocate

PRICES = Path(
    os.environ.get("TRADING_REAL_DATA", Path(__file__).parents[3] / "shared" / "data")
) / "prices"  # fmt: skip
FILES = [PRICES / "r3000_2016_2019.parquet", PRICES / "delisted_2016_2019.parquet"]
AS_OF = date(2019, 7, 1)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(file.exists() for file in FILES), reason=f"no real bars at {PRICES}"
    ),
]


@pytest.fixture(scope="module")
def panel() -> Panel:
    bars = pd.concat([pd.read_parquet(file) for file in FILES], ignore_index=True)
    bars["symbol"] = bars["symbol"].astype("str")
    bars["date"] = pd.to_datetime(bars["date"])
    bars = bars.astype(dict.fromkeys(FIELDS, np.float64))
    return Panel.from_bars(bars)


def month(panel: Panel, as_of: date) -> tuple[SlotMap, Dataset]:
    settings = Settings()
    members = members_for(panel, None, as_of, settings.universe)
    slots, _ = allocate(None, members, as_of, settings.universe)
    return slots, build_dataset(panel, slots, settings, data_hash="real")


@pytest.fixture(scope="module")
def built(panel: Panel) -> tuple[SlotMap, Dataset, float]:
    start = time.process_time()
    slots, dataset = month(panel, AS_OF)
    return slots, dataset, time.process_time() - start


def test_the_month_is_built_in_seconds(built: tuple[SlotMap, Dataset, float]) -> None:
    slots, dataset, seconds = built
    assert len(slots.active) > 2500
    assert dataset.features.nbytes < 60e6
    assert seconds < 15.0


def test_features_are_known_and_of_order_one(built: tuple[SlotMap, Dataset, float]) -> None:
    _, dataset, _ = built
    assert dataset.known is not None
    assert np.isfinite(dataset.features).all()
    assert np.abs(dataset.features).max() <= 3.0
    assert (dataset.known[-1] > 0.9).all()
    ranked = dataset.features[:, :, :15]
    for i, eligible in enumerate(dataset.eligible):
        assert eligible.sum() > 1800
        assert (np.abs(ranked[i][eligible].mean(axis=0)) < 0.01).all()


def test_the_context_tells_the_end_of_2018_from_a_calm_month(panel: Panel) -> None:
    _, dataset = month(panel, date(2019, 1, 2))
    rows = {month: i for i, month in enumerate(dataset.months) if dataset.phases[i] == 0}
    crash, calm = dataset.context[rows["2019-01"]], dataset.context[rows["2017-11"]]
    of = CONTEXT.index
    assert crash[of("market_return_21")] < -1.0 < calm[of("market_return_21")]
    assert crash[of("market_volatility_21")] > calm[of("market_volatility_21")] + 1.0
    assert crash[of("market_drawdown_252")] < -1.5
    assert np.abs(dataset.context).max() < 6.0


def test_the_future_changes_nothing(panel: Panel, built: tuple[SlotMap, Dataset, float]) -> None:
    _, dataset, _ = built
    assert month(panel.before(AS_OF), AS_OF)[1].content_hash == dataset.content_hash


def test_past_decisions_hold_names_that_are_gone(panel: Panel) -> None:
    last = panel.sessions[-1].astype(object)
    slots, dataset = month(panel, last)
    past = np.array([bool(s) and s not in slots.symbols for s in dataset.symbols])
    assert past.any()
    assert dataset.left_out == 0
    assert dataset.eligible[:, past].any(axis=0).all()
    tenure = dataset.features[-1][:, FEATURE_NAMES.index("tenure")]
    assert (tenure[past] < 0).all()
