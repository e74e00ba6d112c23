import dataclasses
import json

import numpy as np
import pytest

from benchmarks.planted import planted_dataset
from trading.agents import tuning
from trading.agents.algorithms import PPOParameters
from trading.agents.trials import TRIALS_FILE, TrialCount, TrialRecord, count_trials, keep_trials
from trading.agents.tuning import tune, tuning_months
from trading.config import GateSettings, PortfolioSettings, Settings, TrainingSettings
from trading.data.simulation.regimes import PlantedMarketSettings, plant_market
from trading.errors import DataError, ModelError
from trading.evaluation.walk_forward import make_folds, outcome_ends

SETTINGS = Settings(
    training=TrainingSettings(slot_steps=4_000, folds=2, hidden=(8,), embargo_sessions=5),
    gate=GateSettings(min_months=2),
    portfolio=PortfolioSettings(min_names=5, max_names=10),
)


def market_of(months):
    return planted_dataset(
        plant_market(PlantedMarketSettings(names=40, months=months, information=0.2))
    )


@pytest.fixture(scope="module")
def dataset():
    return market_of(48)


@pytest.fixture(scope="module")
def found(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    seen = []
    result = tune(
        dataset, "ppo", SETTINGS, trials=3, folder=folder, progress=lambda *told: seen.append(told)
    )
    return result, folder, seen


def test_the_best_trial_becomes_settings(found):
    result, _, seen = found
    assert [(done, of) for done, of, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1][2] == result.value == max(result.trials.sharpe_ratios)
    assert result.settings.training.hyperparameters == {"ppo": result.overrides}
    assert isinstance(result.parameters, PPOParameters)


def test_the_first_trial_is_the_default(found):
    result, _, _ = found
    assert result.trials.records[0].parameters == {}
    assert result.trials.records[1].parameters.keys() == {
        "ent_coef", "gamma", "gates", "learning_rate", "pull",
    }  # fmt: skip


def test_every_trial_is_counted_and_a_study_goes_on(found, dataset):
    result, folder, _ = found
    assert count_trials(folder) == result.trials
    assert result.trials.count == 3
    assert result.trials.sharpe_deviation == pytest.approx(
        np.std(result.trials.sharpe_ratios, ddof=1)
    )
    again = tune(dataset, "ppo", SETTINGS, trials=3, folder=folder)
    assert again == result
    more = tune(dataset, "ppo", SETTINGS, trials=4, folder=folder)
    assert more.trials.count == 4
    assert more.trials.records[:3] == result.trials.records
    other = tune(dataset, "a2c", SETTINGS, trials=1, folder=folder)
    assert other.trials.count == 5


def test_the_judged_months_of_the_gate_stay_unseen(dataset):
    learn, judged = tuning_months(dataset, SETTINGS)
    fold = make_folds(dataset, SETTINGS.training, min_months=2)[0]
    ends = outcome_ends(dataset)
    embargo = SETTINGS.training.embargo_sessions
    assert ends[learn].max() + embargo <= dataset.decisions[judged[0]]
    assert ends[judged].max() + embargo <= fold.test_start


def test_what_comes_after_changes_nothing(dataset, tmp_path):
    _, judged = tuning_months(dataset, SETTINGS)
    end = int(outcome_ends(dataset)[judged].max())
    returns, features = dataset.returns.copy(), dataset.features.copy()
    returns[end + 1 :] *= -1.0
    features[judged[-1] + 1 :] *= -1.0
    other = dataclasses.replace(dataset, returns=returns, features=features)
    values = [
        tune(each, "ppo", SETTINGS, trials=1, folder=tmp_path / name).value
        for name, each in (("before", dataset), ("after", other))
    ]
    assert values[0] == values[1]


def test_failed_trials_count(dataset, tmp_path, monkeypatch):
    def diverge(*_arguments, **_named):
        raise ModelError("it diverged")

    monkeypatch.setattr(tuning, "train_policy", diverge)
    with pytest.raises(ModelError, match="none of the 2 trials of sac"):
        tune(dataset, "sac", SETTINGS, trials=2, folder=tmp_path)
    assert count_trials(tmp_path).sharpe_ratios == (None, None)


def test_too_little_is_refused(dataset, tmp_path):
    with pytest.raises(DataError, match="at least 1 trial"):
        tune(dataset, "ppo", SETTINGS, trials=0, folder=tmp_path)
    with pytest.raises(DataError, match="tuning judges by a third"):
        tune(market_of(20), "ppo", SETTINGS, trials=1, folder=tmp_path)


def test_the_record_of_trials_keeps_its_bytes(tmp_path):
    one = TrialRecord("ppo-1", 0, "ppo", {"gamma": 0.1}, 0.5, 12)
    trials = TrialCount((one, dataclasses.replace(one, number=1, sharpe=None)))
    keep_trials(tmp_path, trials)
    assert TrialCount.from_bytes((tmp_path / TRIALS_FILE).read_bytes()) == trials
    assert json.loads(trials.to_bytes())[0]["sharpe"] == 0.5
    assert count_trials(tmp_path / "empty").count == 0
    assert trials.sharpe_deviation is None
    (tmp_path / TRIALS_FILE).write_text("[1]")
    with pytest.raises(ModelError, match="trials must stay counted"):
        count_trials(tmp_path)
