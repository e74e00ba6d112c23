"""The checks of the gate that rest on evidence beyond the tracks."""

from dataclasses import replace

import numpy as np
import pytest

from trading.backtest.deflation import Trials
from trading.config import GateSettings, Settings
from trading.evaluation.gate import Verdict
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import make_folds, outcome_ends

CHECKS = {
    "alpha_over.best_factor",
    "alpha_over.momentum",
    "skill",
    "net_alpha",
    "deflated_sharpe",
    "overfitting",
}


@pytest.fixture(scope="module")
def judged(planted, settings):
    folds = make_folds(planted.dataset, settings.training)
    return folds, validate(planted.dataset, folds, [planted.scorer()] * len(folds), settings)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def test_the_evidence_stands_in_the_verdict(judged):
    verdict = judged[1].verdict
    assert {check.name for check in verdict.checks} >= CHECKS
    assert verdict.evidence is not None
    assert verdict.evidence.neutral_information == pytest.approx(0.15, abs=0.05)
    assert verdict.evidence.candidates == 16
    assert verdict.evidence.overfitting < 0.1
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"max_skill_p": 0.0}, "skill"),
        ({"min_net_alpha": 9.0}, "net_alpha"),
        ({"min_deflated_sharpe": 1.0}, "deflated_sharpe"),
        ({"min_information_coefficient": 0.9}, "information_coefficient"),
    ],
)
def test_each_threshold_rejects_by_itself(planted, judged, change, name):
    folds = judged[0]
    changed = Settings(gate=GateSettings(**change))
    found = validate(planted.dataset, folds, [planted.scorer()] * len(folds), changed).verdict
    assert failed(found) == {name}


def test_trials_are_counted_against_the_challenger(planted, judged, settings):
    folds = judged[0]
    scorers = [planted.scorer()] * len(folds)
    many = validate(planted.dataset, folds, scorers, settings, trials=Trials(500)).verdict
    one, all_ = judged[1].verdict.evidence, many.evidence
    assert all_.trials == 500
    assert all_.skill_p_value == one.skill_p_value
    assert all_.skill_p_value_family > one.skill_p_value_family
    assert all_.deflated_sharpe < one.deflated_sharpe
    assert "500 trials" in next(c.reason for c in many.checks if c.name == "skill")


def test_members_are_candidates_of_the_choice(planted, judged, settings):
    folds = judged[0]
    scorers = [planted.scorer()] * len(folds)
    found = validate(planted.dataset, folds, scorers, settings, members={"a": scorers})
    assert found.verdict.evidence.candidates == 17


def test_noise_has_no_evidence(noise, settings):
    folds = make_folds(noise.dataset, settings.training)
    found = validate(noise.dataset, folds, [noise.scorer()] * len(folds), settings).verdict
    assert "skill" in failed(found)
    assert found.evidence.skill_p_value > 0.025


def test_constant_scores_are_no_data_and_rejected(planted, settings):
    folds = make_folds(planted.dataset, settings.training)
    flat = np.ones(len(planted.dataset.symbols))
    found = validate(planted.dataset, folds, [lambda *_: (flat, None)] * len(folds), settings)
    evidence = found.verdict.evidence
    assert evidence.skill_p_value is None
    assert evidence.neutral_information is None
    assert {"skill", "information_coefficient"} <= failed(found.verdict)


def test_a_month_more_of_data_does_not_change_what_is_said_of_the_months_before(
    planted, judged, settings
):
    folds, found = judged
    dataset = planted.dataset
    last = int(outcome_ends(dataset)[folds[-1].test[-1]])
    returns = dataset.returns.copy()
    returns[last + 1 :] = 0.3
    again = validate(
        replace(dataset, returns=returns), folds, [planted.scorer()] * len(folds), settings
    )
    assert again.verdict == found.verdict
