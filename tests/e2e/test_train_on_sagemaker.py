"""`trading train --on sagemaker` on the embedded cloud, and over the cores: the same weights."""

from pathlib import Path

import pytest
from trading_home import TradingHome

from trading.agents.artifact import Artifact

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
OPTIONS = (
    *("--set", "data.simulated.symbols=60", "--set", "data.simulated.start=2021-01-04"),
    *("--set", "training.algorithms=[ppo,a2c]", "--set", "training.slot_steps=1000"),
    *("--set", "training.hidden=[4]", "--as-of", "2024-01-02", "--json"),
)


def test_both_ways_end_in_the_same_model_and_one_is_registered(
    home: TradingHome, tmp_path: Path
) -> None:
    local = home.run("train", *OPTIONS, "--out", str(tmp_path / "local"))
    assert local.code == 0, local.errors
    remote = home.run("train", "--on", "sagemaker", *OPTIONS, "--out", str(tmp_path / "remote"))
    assert remote.code == 0, remote.errors
    first, second = (Artifact.load(tmp_path / name / "model") for name in ("local", "remote"))
    assert first == second
    assert remote.json["registered"]["version"] == second.manifest.version
    assert ":model-package/trading-dev-models/1" in remote.json["model_package"]
    again = home.run("train", "--on", "sagemaker", *OPTIONS, "--out", str(tmp_path / "again"))
    assert again.json["model_package"] == remote.json["model_package"]
    models = home.run("models", "--json").json["models"]
    assert [(model["version"], model["status"]) for model in models] == [
        (second.manifest.version, "CANDIDATE")
    ]
    refused = home.run("rollback", second.manifest.version)
    assert refused.code == 3
    assert "there is no earlier champion" in refused.errors
