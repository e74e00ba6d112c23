"""Whatever the bars and actions hold, checks and repairs answer, and repairs revert to the bit."""

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from faulty_bars import history

from trading.config import QualitySettings, Settings
from trading.data.pipeline import DataPipeline, RawData
from trading.data.quality import check_bars
from trading.data.repairs import repair_bars, revert
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction, CorporateActionType

VALUES = [np.nan, np.inf, 0.0, -1.0, 1e300, 1e-300]
AMOUNTS = [np.nan, 0.0, -1.0, 1e9, 0.01, 2.0, np.inf]
TYPES = [CorporateActionType.SPLIT, CorporateActionType.DIVIDEND]
ROUNDS = 20


def nonsense(seed: int) -> tuple[pd.DataFrame, list[CorporateAction]]:
    random = np.random.default_rng(seed)
    bars = history(4)
    for _ in range(6):
        rows = random.integers(0, len(bars), random.integers(1, 60))
        bars.loc[rows, FIELDS[random.integers(len(FIELDS))]] = random.choice(VALUES)
    actions = [
        CorporateAction(
            str(random.choice(["S000", "S001", "NONE"])),
            date(2022, 1, 3) + timedelta(days=int(random.integers(-5, 800))),
            TYPES[random.integers(2)],
            float(random.choice(AMOUNTS)),
        )
        for _ in range(6)
    ]
    return bars.sample(frac=random.uniform(0.01, 1), random_state=seed), actions


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_checks_answer_and_repairs_revert(seed: int) -> None:
    bars, actions = nonsense(seed)
    json.dumps(check_bars(bars, actions).to_dict(), allow_nan=False)
    back, before = revert(repair_bars(bars, actions, QualitySettings()))
    wanted = bars.sort_values(["symbol", "date"], ignore_index=True)
    pd.testing.assert_frame_equal(back, wanted, check_exact=True, check_dtype=False)
    assert [repr(a) for a in before] == [repr(a) for a in actions]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_pipeline_gives_data_or_a_named_error(seed: int) -> None:
    bars, actions = nonsense(seed)
    limits = Settings.model_validate({"data": {"min_symbols": 1, "max_bad_row_share": 1.0}})
    pipeline = DataPipeline(limits, today=date(2024, 1, 2))
    try:
        clean = pipeline.process(RawData(bars, "nonsense", tuple(actions), traded=bool(seed % 2)))
    except DataError:
        return
    close = clean.bars["close"].to_numpy()
    assert (close > 0).all()
    assert np.isfinite(close).all()
