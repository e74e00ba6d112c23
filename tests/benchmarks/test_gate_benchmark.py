"""The studies of the gate: their markets, a look at each, and in `make soak` the whole of both."""

import json

import numpy as np
import pytest

from benchmarks import gate, overfitting
from benchmarks.gate_conditions import CONDITIONS
from benchmarks.gate_market import FEATURES, REGIMES, MarketPlan, simulate, study_settings
from benchmarks.gate_study import Study, judge
from trading.evaluation.information import information_coefficient, realised_returns
from trading.evaluation.walk_forward import outcome_ends

SMALL = {"names": 60, "months": 40}


def test_a_market_is_determined_by_its_plan():
    settings = study_settings(60, slot_steps=1000)
    one = simulate(MarketPlan(3, oracle=0.05, **SMALL), settings)
    assert simulate(MarketPlan(3, oracle=0.05, **SMALL), settings).dataset.content_hash == (
        one.dataset.content_hash
    )
    assert np.isfinite(one.score[:, [bool(s) for s in one.dataset.symbols]]).all()
    nothing = simulate(MarketPlan(3, **SMALL), settings)
    assert not np.nan_to_num(nothing.score).any()


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_market_of_every_condition_has_sane_bars(name):
    settings = study_settings(30, slot_steps=1000)
    plan = MarketPlan(5, names=30, months=4, premia=True, conditions=name)
    dataset = simulate(plan, settings).dataset
    assert np.isfinite(dataset.features).all()
    assert dataset.eligible[-1].sum() >= 20
    daily = dataset.returns[:, dataset.eligible[-1]]
    assert 0.002 < np.nanstd(daily) < 0.2
    again = simulate(plan, settings).dataset
    assert again.content_hash == dataset.content_hash
    if name != "plain" and not {"names", "months"} & set(changes(name)):
        plain = simulate(MarketPlan(5, names=30, months=4, premia=True), settings).dataset
        assert plain.content_hash != dataset.content_hash


def changes(name):
    usual = vars(CONDITIONS["plain"])
    return [field for field, value in vars(CONDITIONS[name]).items() if value != usual[field]]


@pytest.mark.slow
def test_the_oracle_foresees_what_was_asked_for():
    settings = study_settings(300, slot_steps=1000)
    found = []
    for number, feature in enumerate(FEATURES):
        regime = REGIMES[number % len(REGIMES)]
        market = simulate(MarketPlan(number, oracle=0.1, feature=feature, regime=regime), settings)
        ends = outcome_ends(market.dataset)
        for index in np.flatnonzero((market.dataset.phases == 0) & (ends >= 0)):
            outcome = realised_returns(market.dataset, int(index), int(ends[index]))
            found.append(information_coefficient(market.score[index], outcome))
    assert np.nanmean(found) == pytest.approx(0.1, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["ridge", "factor"])
def test_a_market_is_judged(recipe, tmp_path):
    plan = MarketPlan(1, premia=True, names=100, months=60)
    row = judge(plan, Study(recipe, names=100, months=60))
    assert row["passed"] is (not row["failed"])
    assert 0.0 <= row["evidence"]["skill_p_value"] <= 1.0
    assert json.loads(json.dumps(row)) == row


def test_a_log_answers_for_its_own_budget_alone(tmp_path, monkeypatch):
    judged = []

    def judge_one(seed, oracle, *, agents, slot_steps):
        judged.append(slot_steps)
        budget = slot_steps if agents else None
        return {"seed": seed, "oracle": oracle, "agents": agents, "slot_steps": budget}

    monkeypatch.setattr(overfitting, "judge", judge_one)
    log = tmp_path / "log.jsonl"
    for agents, slot_steps in [(True, 100), (True, 100), (True, 200), (False, 100), (False, 200)]:
        overfitting._kept(log, 0, 0.0, {"agents": agents, "slot_steps": slot_steps})
    assert judged == [100, 200, 100]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_the_gate_holds_its_level_on_agents(tmp_path):
    assert gate.main(["--log", str(tmp_path / "gate.jsonl")]) == 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_probability_of_overfitting_is_calibrated(tmp_path):
    assert overfitting.main(["--log", str(tmp_path / "overfitting.jsonl")]) == 0
