import json
import os
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

from trading.agents import job, recipe
from trading.agents.artifact import Artifact, load_ensemble, merge
from trading.agents.recipe import champion_start, train_recipe
from trading.config import GateSettings, Settings, TrainingSettings
from trading.errors import ConfigurationError, ModelError

SETTINGS = Settings(
    training=TrainingSettings(slot_steps=20_000, folds=2, hidden=(8,), embargo_sessions=5),
    gate=GateSettings(min_months=2),
)


def make_root(path, dataset, **changes):
    values = {
        "algorithm": "ppo",
        "seed": "0",
        "settings": json.dumps(SETTINGS.deviations()),
        "correlation_id": "monthly-2020-06-r0",
        "code_revision": "abc123",
        **changes,
    }
    (path / "input/config").mkdir(parents=True)
    (path / "input/config/hyperparameters.json").write_text(json.dumps(values))
    if dataset is not None:
        dataset.save(path / "input/data/training")
    return path


@pytest.fixture(scope="module")
def dataset(planted):
    return planted(0.0, slots=30, months=12, phases=2)


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """The root of a job that ran through."""
    root = make_root(tmp_path_factory.mktemp("job"), dataset)
    job.run(root)
    return root


def model_bytes(root):
    folder = root / "model"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_job_leaves_a_verified_model_folder(finished, dataset):
    artifact = Artifact.load(finished / "model")
    assert set(model_bytes(finished)) == {
        "final.npz", "fold-0.npz", "fold-1.npz", "manifest.json", "progress.csv",
    }  # fmt: skip
    manifest = artifact.manifest
    assert manifest.members[0].name == "ppo-s0"
    assert manifest.code_revision == "abc123"
    assert manifest.dataset_hash == dataset.content_hash
    assert manifest.libraries["torch"].startswith("2.")
    assert Settings.model_validate(manifest.settings) == SETTINGS
    assert manifest.parent is None
    hashes = {artifact.policy("ppo-s0").hash}
    hashes |= {artifact.fold_ensemble(k).members[0].hash for k in range(2)}
    assert len(hashes) == 3
    assert merge([artifact]).fold_count == 2


def test_each_fold_has_only_seen_its_past(finished, dataset):
    manifest = Artifact.load(finished / "model").manifest
    folds = job.make_folds(dataset, SETTINGS.training, min_months=2)
    for fold, through in zip(folds, manifest.fold_trained_through, strict=True):
        embargo = timedelta(days=SETTINGS.training.embargo_sessions)
        assert through + embargo <= dataset.sessions[fold.test_start].item()
    assert manifest.fold_trained_through[0] < manifest.fold_trained_through[1]
    assert manifest.trained_through > manifest.fold_trained_through[-1]


def test_running_again_gives_the_same_bytes(finished, dataset, tmp_path):
    job.run(make_root(tmp_path, dataset))
    assert model_bytes(tmp_path) == model_bytes(finished)


@pytest.mark.parametrize("survivors", [1, 2])
def test_an_interrupted_job_resumes_and_ends_in_the_same_bytes(
    finished, dataset, tmp_path, monkeypatch, survivors
):
    root = make_root(tmp_path, dataset)
    train = recipe.train_policy
    calls = []

    def interrupted(*arguments, **named):
        if len(calls) == survivors:
            raise KeyboardInterrupt
        calls.append(arguments)
        return train(*arguments, **named)

    monkeypatch.setattr(recipe, "train_policy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job.run(root)
    assert not (root / "model").exists()
    resumed = []
    monkeypatch.setattr(recipe, "train_policy", lambda *a, **n: resumed.append(a) or train(*a, **n))
    job.run(root)
    assert len(resumed) == 3 - survivors
    assert model_bytes(root) == model_bytes(finished)


def test_checkpoints_of_other_data_or_broken_ones_are_not_used(
    finished, dataset, tmp_path, monkeypatch
):
    root = make_root(tmp_path, dataset, seed="1")
    (root / "checkpoints").mkdir()
    for path in (finished / "checkpoints").iterdir():
        (root / "checkpoints" / path.name).write_bytes(path.read_bytes())
    job.run(root)
    assert model_bytes(root)["final.npz"] != model_bytes(finished)["final.npz"]
    whole = model_bytes(root)
    (root / "checkpoints/fold-0.npz").write_bytes(b"half a")
    (root / "checkpoints/fold-1.json").write_text("{")
    job.run(root)
    assert model_bytes(root) == whole


def test_the_next_month_starts_from_the_champion(finished, dataset, tmp_path):
    champion = merge([Artifact.load(finished / "model")])
    root = make_root(tmp_path, dataset)
    champion.save(root / "input/data/champion")
    artifact = job.run(root)
    assert artifact.manifest.parent == champion.manifest.version
    before = Artifact.load(finished / "model")
    assert artifact.files["final.npz"] != before.files["final.npz"]
    assert artifact.files["fold-0.npz"] == before.files["fold-0.npz"]
    assert artifact.files["fold-1.npz"] == before.files["fold-1.npz"]


def test_a_champion_without_the_member_is_no_start(finished):
    champion = Artifact.load(finished / "model")
    assert champion_start(champion, "sac-s0", SETTINGS) is None
    assert champion_start(champion, "ppo-s0", Settings()) is None
    assert champion_start(champion, "ppo-s0", SETTINGS) is not None


def test_a_fit_that_sees_too_much_is_stopped(dataset):
    fits = job.plan_fits(dataset, SETTINGS)
    late = recipe.Fit(fits[0].name, fits[-1].decisions, fits[0].last)
    wanted = recipe.Recipe("ppo", 0, SETTINGS, (late, fits[-1]))
    with pytest.raises(ModelError, match="it may only see"):
        train_recipe(dataset, wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "dqn"}, "algorithm: Input should be 'ppo', 'a2c' or 'sac'"),
        ({"seed": "many"}, "seed"),
        ({"settings": "{"}, "settings"),
        ({"settings": '{"training": {"folds": 0}}'}, "settings.training.folds"),
    ],
)
def test_bad_hyperparameters_are_one_sentence(tmp_path, changes, message):
    with pytest.raises(ConfigurationError, match="hyper-parameters are invalid") as caught:
        job.run(make_root(tmp_path, None, **changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_container_contract_of_a_process(finished, dataset, tmp_path):
    root = make_root(tmp_path, dataset)
    command = [sys.executable, "-m", "trading.agents.job", "train"]
    environment = {**os.environ, "TRADING_ML_ROOT": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["event"] for line in lines} == {"progress"}
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(fraction % (1 / 3) > 0.01 for fraction in fractions), "told only at the end of a fit"
    assert {line["stage"] for line in lines} == {"fold-0", "fold-1", "final"}
    logs = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {line["correlation_id"] for line in logs} == {"monthly-2020-06-r0"}
    assert model_bytes(root) == model_bytes(finished)
    assert not (root / "output/failure").exists()


@pytest.mark.parametrize(
    ("with_data", "message"), [(False, "there is no dataset"), (True, "history is too short")]
)
def test_a_failure_is_one_sentence_in_the_failure_file(
    planted, tmp_path, monkeypatch, with_data, message
):
    short = planted(0.0, slots=5, months=3) if with_data else None
    monkeypatch.setenv("TRADING_ML_ROOT", str(make_root(tmp_path, short)))
    assert job.main(["train"]) == 1
    sentence = (tmp_path / "output/failure").read_text()
    assert message in sentence
    assert "\n" not in sentence


def test_an_unexpected_failure_is_reported_and_raised(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TRADING_ML_ROOT", str(make_root(tmp_path, dataset)))

    def broken(*arguments, **named):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(job, "train_recipe", broken)
    with pytest.raises(ZeroDivisionError):
        job.main(["train"])
    assert "ZeroDivisionError: oh" in (tmp_path / "output/failure").read_text()


def test_misuse_is_told(capsys):
    assert job.main([]) == 2
    assert "train" in capsys.readouterr().err


def test_the_last_policy_scores(finished):
    ensemble = load_ensemble(finished / "model")
    features = np.random.default_rng(0).uniform(-1, 1, (50, 17)).astype(np.float32)
    context = np.zeros(8, np.float32)
    scores = ensemble.score(features, np.zeros(50, np.float32), context, np.ones(50, bool))
    assert np.isfinite(scores.score).all()
