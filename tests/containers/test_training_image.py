"""The image of the training job: a tiny job runs in it to a model, as SageMaker starts it."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from image_replay import ROOT, Stage, replay

from trading.agents.artifact import Artifact
from trading.config import GateSettings, Settings, TrainingSettings
from trading.features.dataset import Dataset
from trading.features.specification import CONTEXT, FEATURES, FEATURES_VERSION

MONTH, MONTHS, SLOTS = 21, 24, 30
SETTINGS = Settings(
    training=TrainingSettings(slot_steps=20_000, folds=2, hidden=(8,), embargo_sessions=5),
    gate=GateSettings(min_months=2),
)


def noise() -> Dataset:
    """Two years of a market without any signal."""
    random = np.random.default_rng(7)
    decisions = 2 + np.arange(MONTHS) * MONTH
    sessions = np.datetime64("2020-01-01") + np.arange(decisions[-1] + MONTH)
    shape = (MONTHS, SLOTS)
    return Dataset(
        as_of=(sessions[-1] + 1).astype(object),
        sessions=sessions,
        symbols=tuple(f"S{slot:04d}" for slot in range(SLOTS)),
        active=np.ones(SLOTS, dtype=bool),
        decisions=decisions.astype(np.int64),
        phases=np.zeros(MONTHS, dtype=np.int8),
        features=random.uniform(-1, 1, (*shape, len(FEATURES))).astype(np.float32),
        context=random.standard_normal((MONTHS, len(CONTEXT))).astype(np.float32),
        eligible=np.ones(shape, dtype=bool),
        returns=(0.02 * random.standard_normal((len(sessions), SLOTS))).astype(np.float32),
        dollar_volume=np.full(shape, 5e6, dtype=np.float32),
        volatility=np.full(shape, 0.02, dtype=np.float32),
        data_hash="d" * 64,
        slots_version="test-slots",
        features_version=FEATURES_VERSION,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return replay("training", tmp_path_factory.mktemp("training"))


def train(image: Stage, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        image.command("train"),
        cwd=image.inside("."),
        env=image.variables() | {"TRADING_ML_ROOT": str(folder), "HOME": str(image.root / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "sac"])
def test_a_tiny_job_leaves_a_verified_model(image: Stage, tmp_path: Path, algorithm: str) -> None:
    given = {
        "algorithm": algorithm,
        "seed": "0",
        "settings": json.dumps(SETTINGS.deviations()),
        "code_revision": "abc123",
    }
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
    noise().save(tmp_path / "input/data/training")
    done = train(image, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    manifest = Artifact.load(tmp_path / "model").manifest
    assert manifest.members[0].name == f"{algorithm}-s0"
    assert manifest.libraries["torch"].endswith("+cpu")
    assert str(ROOT) not in done.stderr


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_job_without_hyper_parameters_says_so(image: Stage, tmp_path: Path) -> None:
    done = train(image, tmp_path)
    assert done.returncode != 0
    assert "hyper-parameters" in (tmp_path / "output/failure").read_text()
