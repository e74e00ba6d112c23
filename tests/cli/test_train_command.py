"""`trading train`: misuse in a sentence, and the whole command on a small market."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trading.agents.artifact import Artifact
from trading.cli.app import main

Run = Callable[..., tuple[int, str, str]]
SMALL = (
    *("--set", "data.simulated.symbols=60", "--set", "data.simulated.start=2018-01-02"),
    *("--set", "training.algorithms=[ppo]", "--set", "training.slot_steps=400"),
    *("--set", "training.hidden=[4]", "--set", "training.phases=1", "--as-of", "2024-01-02"),
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def made(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(("train", *arguments))
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    return made


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--dataset", "x", "--as-of", "2024-01-02"), 2, "leave out --bars and --as-of"),
        (("--on", "sagemaker", "--champion", "x"), 2, "are for --on local"),
        (("--on", "moon"), 2, "--on"),
        (("--dataset", "nowhere"), 1, "there is no dataset at nowhere/dataset.npz"),
        (("--bars", "nowhere.csv"), 1, "nowhere.csv"),
        (
            ("--as-of", "2020-01-02", "--set", "data.simulated.start=2021-01-04"),
            1,
            "choose a later --as-of",
        ),
    ],
)
def test_misuse_is_a_sentence(
    run: Run, arguments: tuple[str, ...], code: int, told: str, tmp_path: Path
) -> None:
    found, out, err = run(*arguments, "--out", str(tmp_path / "out"))
    assert (found, out) == (code, "")
    assert told in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_trained_model_is_tuned_resumed_and_told(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, told, _ = run(*SMALL, "--out", str(out), "--tune", "2", "--json")
    assert code == 0
    first = json.loads(told)
    assert (first["members"], first["trials"]) == (["ppo-s0"], 2)
    model = Artifact.load(out / "model")
    assert model.manifest.version == first["version"]
    assert first["registered"] is None
    code, told, _ = run(*SMALL, "--out", str(out), "--tune", "2", "--json")
    again = json.loads(told)
    assert (code, again["version"], again["trials"]) == (0, first["version"], 2)
    assert len((out / "jobs/ppo-s0/job.log").read_text().split('"event": "trained"')) == 2
