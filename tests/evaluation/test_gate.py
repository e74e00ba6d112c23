import json
from dataclasses import replace

import numpy as np
import pytest

from trading.backtest import metrics
from trading.backtest.bootstrap import paired_p_value
from trading.config import GateSettings, Settings
from trading.errors import DataError
from trading.evaluation.baselines import baseline_tracks
from trading.evaluation.gate import Verdict, figures_of, judge
from trading.evaluation.out_of_fold import score_folds
from trading.evaluation.score_history import ScoreHistory
from trading.evaluation.track import Track
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import make_folds

GATE = GateSettings()


def track(daily, name="candidate", first="2024-01", information=0.05) -> Track:
    """A track of whole 21-session months."""
    months = len(daily) // 21
    labels = np.arange(np.datetime64(first), np.datetime64(first) + months)
    return Track(
        name=name,
        label=name,
        months=tuple(str(label) for label in labels),
        sessions=np.datetime64("2024-01-02") + np.arange(len(daily)),
        net_returns=np.asarray(daily, dtype=float),
        offsets=np.arange(0, len(daily) + 1, 21),
        turnover=np.full(months, 0.3),
        costs=np.full(months, 0.001),
        names=np.full(months, 60),
        information=np.full(months, information),
    )


def two(months=12, lead=0.001, seed=2):
    """A candidate that leads equal weight by `lead` a day, and equal weight."""
    rng = np.random.default_rng(seed)
    market = rng.normal(4e-4, 0.008, 21 * months)
    own = market + rng.normal(lead, 0.002, len(market))
    return track(own), track(market, "equal_weight")


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def test_a_clear_lead_passes_and_every_check_says_why():
    own, equal = two()
    verdict = judge(own, {"equal_weight": equal}, None, GATE)
    assert verdict.passed
    assert verdict.reasons == ()
    assert [check.name for check in verdict.checks] == [
        "months",
        "sharpe",
        "max_drawdown",
        "information_coefficient",
        "excess_return.equal_weight",
        "confidence",
    ]
    assert all(check.reason for check in verdict.checks)


def test_the_figures_are_those_of_the_metrics():
    own, equal = two()
    verdict = judge(own, {"equal_weight": equal}, None, GATE)
    found = verdict.figures["candidate"]
    assert found.sharpe == pytest.approx(float(metrics.sharpe(own.net_returns)))
    assert found.max_drawdown == pytest.approx(float(metrics.max_drawdown(own.net_returns)))
    assert found.annual_turnover == pytest.approx(3.6)
    assert found.annual_costs == pytest.approx(0.012)
    assert found.hit_rate == (own.monthly_returns > 0).mean()
    against = verdict.figures["equal_weight"]
    lead = metrics.cagr(own.net_returns) - metrics.cagr(equal.net_returns)
    assert against.excess_return == pytest.approx(float(lead))
    assert found.excess_return is None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"min_months": 13}, "months"),
        ({"min_sharpe": 50.0}, "sharpe"),
        ({"max_drawdown": 0.001}, "max_drawdown"),
        ({"min_information_coefficient": 0.06}, "information_coefficient"),
        ({"min_excess_return": 5.0}, "excess_return.equal_weight"),
        ({"max_confidence_p": 0.0001}, "confidence"),
    ],
)
def test_each_threshold_rejects_by_itself(change, name):
    own, equal = two()
    verdict = judge(own, {"equal_weight": equal}, None, GATE.model_copy(update=change))
    assert not verdict.passed
    assert failed(verdict) == {name}
    assert len(verdict.reasons) == 1
    assert verdict.summary.startswith("Rejected: 1 of 6")


@pytest.mark.parametrize(("wanted", "passes"), [(-0.2, True), (-0.9, False)])
def test_a_bad_market_alone_does_not_reject_but_a_sharpe_ratio_a_standard_error_too_low_does(
    wanted, passes
):
    noise = np.random.default_rng(7).normal(0.0, 0.01, 21 * 48)
    noise -= noise.mean()
    own = track(noise + wanted / np.sqrt(252) * noise.std(ddof=1))
    equal = replace(own, name="equal_weight", net_returns=own.net_returns - 1e-4)
    verdict = judge(own, {"equal_weight": equal}, None, GATE)
    found = verdict.figures["candidate"]
    assert found.sharpe == pytest.approx(wanted)
    assert found.sharpe_error == pytest.approx(0.5, abs=0.02)
    check = next(check for check in verdict.checks if check.name == "sharpe")
    assert check.passed is passes
    assert check.value == pytest.approx(found.sharpe + found.sharpe_error)
    assert f"{wanted:.2f} + 0.50" in check.reason


def test_a_lag_behind_any_baseline_rejects():
    own, equal = two()
    better = replace(own, name="index", net_returns=own.net_returns + 1e-4)
    verdict = judge(own, {"equal_weight": equal, "index": better}, None, GATE)
    assert failed(verdict) == {"excess_return.index"}


def test_too_few_months_are_said_so():
    own, equal = two(months=3)
    verdict = judge(own, {"equal_weight": equal}, None, GATE)
    assert "months" in failed(verdict)
    assert "3 out-of-sample months, 6 are needed" in verdict.reasons


def test_figures_without_data_are_none_and_fail_their_check():
    flat = track(np.zeros(21 * 8), information=np.nan)
    verdict = judge(flat, {"equal_weight": replace(flat, name="equal_weight")}, None, GATE)
    assert verdict.figures["candidate"].sharpe is None
    assert {"sharpe", "information_coefficient", "confidence"} <= failed(verdict)
    assert any("no data" in reason for reason in verdict.reasons)


def test_the_verdict_is_plain_json():
    own, equal = two()
    verdict = judge(own, {"equal_weight": equal}, equal, GATE)
    text = verdict.model_dump_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert Verdict.model_validate_json(text) == verdict
    assert json.loads(text)["figures"]["champion"]["months"] == 12
    assert judge(own, {"equal_weight": equal}, equal, GATE).model_dump_json() == text


def test_a_better_champion_stays():
    own, equal = two()
    champion = replace(own, name="champion", net_returns=own.net_returns + 2e-4)
    verdict = judge(own, {"equal_weight": equal}, champion, GATE)
    assert failed(verdict) == {"champion_margin"}
    worse = replace(own, name="champion", net_returns=own.net_returns - 2e-4)
    assert judge(own, {"equal_weight": equal}, worse, GATE).passed


def test_only_months_in_common_with_the_champion_count():
    own, equal = two(months=12)
    recent = replace(own, net_returns=own.net_returns + 2e-4).restricted(own.months[4:])
    verdict = judge(own, {"equal_weight": equal}, recent, GATE)
    assert verdict.figures["champion"].months == 8
    assert failed(verdict) == {"champion_margin"}
    few = judge(own, {"equal_weight": equal}, recent.restricted(own.months[9:]), GATE)
    assert few.passed
    assert "only 3 month(s) in common" in few.checks[-1].reason


def test_tracks_of_other_sessions_cannot_be_compared():
    own, equal = two()
    shifted = replace(equal, sessions=equal.sessions + 1)
    with pytest.raises(DataError, match="same sessions"):
        judge(own, {"equal_weight": shifted}, None, GATE)
    with pytest.raises(DataError, match="needs the baseline"):
        judge(own, {}, None, GATE)


def test_the_p_value_is_uniform_without_a_lead_and_small_with_one():
    rng = np.random.default_rng(8)
    null = [
        paired_p_value(rng.normal(0, 0.01, 252), rng.normal(0, 0.01, 252), 300) for _ in range(300)
    ]
    assert np.mean(null) == pytest.approx(0.5, abs=0.06)
    assert np.mean(np.array(null) < 0.2) == pytest.approx(0.2, abs=0.08)
    base = rng.normal(0, 0.01, 252)
    assert paired_p_value(base + rng.normal(0.001, 0.002, 252), base, 500) == pytest.approx(1 / 501)
    assert paired_p_value(base, base, 500) is None
    assert paired_p_value(base[:41], np.zeros(41), 500) is None
    with pytest.raises(DataError, match="finite"):
        paired_p_value([np.nan] * 60, np.zeros(60), 10)


def test_figures_of_an_index_have_no_names():
    own, _ = two()
    found = figures_of(replace(own, names=np.zeros(12, dtype=np.int64)))
    assert found.names is None
    assert found.p_value is None


def test_a_planted_signal_passes_the_whole_validation(planted, settings):
    folds = make_folds(planted.dataset, settings.training)
    found = validate(planted.dataset, folds, [planted.scorer()] * len(folds), settings)
    assert found.verdict.passed, found.verdict.reasons
    assert set(found.verdict.figures) == {
        "candidate",
        "equal_weight",
        "index",
        "best_factor",
        "momentum",
    }
    assert found.champion is None


@pytest.mark.slow
def test_the_gate_is_a_judge_and_not_a_stamp(market, settings):
    passed = {0.15: 0, 0.0: 0}
    for information in passed:
        for seed in range(8):
            made = market(information=information, seed=100 + seed, names=200, sessions=800)
            folds = make_folds(made.dataset, settings.training)
            found = validate(made.dataset, folds, [made.scorer()] * len(folds), settings)
            passed[information] += found.verdict.passed
    assert passed[0.15] >= 7
    assert passed[0.0] <= 1


def test_the_same_model_as_champion_gains_nothing(planted, settings):
    folds = make_folds(planted.dataset, settings.training)
    scorers = [planted.scorer()] * len(folds)
    history = score_folds(planted.dataset, folds, scorers, settings).history
    older = ScoreHistory(
        history.months[:-2], history.symbols, history.scores[:-2], history.confidence[:-2]
    )
    margin = Settings(gate=GateSettings(champion_margin=0.001))
    found = validate(planted.dataset, folds, scorers, margin, champion=older)
    assert found.verdict.figures["champion"].excess_return == 0.0
    assert failed(found.verdict) == {"champion_margin"}
    assert found.champion is not None
    assert found.champion.track.months == history.months[:-2]


def test_baselines_cover_the_candidates_sessions(planted, settings):
    folds = make_folds(planted.dataset, settings.training)
    own = score_folds(planted.dataset, folds, [planted.scorer()] * len(folds), settings).track
    for found in baseline_tracks(planted.dataset, folds, settings).values():
        np.testing.assert_array_equal(found.sessions, own.sessions)
