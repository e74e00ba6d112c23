import dataclasses

import numpy as np
import pytest

from benchmarks.planted import planted_dataset
from trading.config import Settings
from trading.data.simulation.regimes import PlantedMarketSettings, plant_market
from trading.evaluation import calibration
from trading.evaluation.calibration import calibrate, calibrated_reliability
from trading.evaluation.out_of_fold import replay
from trading.evaluation.walk_forward import outcome_ends
from trading.features.dataset import Dataset

MONTHS = np.arange(24)


@pytest.fixture(scope="module")
def market():
    return plant_market(PlantedMarketSettings(names=300, months=24, information=0.2, spread=0.0))


def record_of(market, dataset: Dataset, *, sure: bool = True):
    """The oracle's record; its confidence is the size of its score, which is no probability."""

    def score(at, _held):
        scores = market.signal[at].astype(np.float64)
        size = np.abs(scores)
        return scores, size / size.max() if sure else None

    return replay(dataset, MONTHS, score, Settings(), name="oracle", label="Oracle")


def test_calibrated_confidence_is_how_often_scores_come_true(market):
    dataset = planted_dataset(market)
    record = record_of(market, dataset)
    found = calibrate(dataset, MONTHS, record)
    assert found is not None
    assert (found.months, found.scores) == (24, 24 * 300)
    assert found.probability[-1] > found.probability[0] + 0.05
    table = calibrated_reliability(dataset, MONTHS, record, bins=4)
    assert sum(row.names for row in table) == (24 - 7) * 300
    for row in table:
        assert abs(row.confidence - row.success) < 0.06


def test_a_month_is_calibrated_by_the_months_before_it_alone(market, monkeypatch):
    dataset = planted_dataset(market)
    record = record_of(market, dataset)
    later = dataset.returns.copy()
    later[int(outcome_ends(dataset)[15]) + 1 :] *= -1.0
    changed = dataclasses.replace(dataset, returns=later)
    fitted: dict[str, list[calibration.Calibration | None]] = {"as it was": [], "changed": []}
    fit = calibration._fit
    for name, each in (("as it was", dataset), ("changed", changed)):

        def noted(months, name=name):
            fitted[name].append(fit(months))
            return fitted[name][-1]

        monkeypatch.setattr(calibration, "_fit", noted)
        calibrated_reliability(each, MONTHS, record)
    same = [a == b for a, b in zip(*fitted.values(), strict=True)]
    assert all(same[: 16 - 6]), "a month was calibrated by what came after it"
    assert not all(same)


def test_without_confidence_or_months_there_is_none(market):
    dataset = planted_dataset(market)
    record = record_of(market, dataset, sure=False)
    assert calibrate(dataset, MONTHS, record) is None
    assert calibrated_reliability(dataset, MONTHS, record) == ()
