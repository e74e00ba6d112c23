"""Training over the cores: what a second call reuses, how jobs fail and stop, and real weights."""

import json
import os
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from trading.agents import job, parallel
from trading.agents.artifact import Artifact
from trading.agents.parallel import JobPlan, plan_jobs, train_locally
from trading.config import GateSettings, Settings, TrainingSettings
from trading.errors import ModelError

SETTINGS = Settings(
    training=TrainingSettings(
        algorithms=("ppo", "a2c"), seeds=(0,), slot_steps=400, folds=2, hidden=(4,)
    ),
    gate=GateSettings(min_months=2),
)
STUB = """
    import json, os, pathlib, sys, time
    from datetime import date
    from trading.agents.artifact import Artifact, Manifest, Member
    from trading.agents.policy import FactorPolicy

    root = pathlib.Path(os.environ["TRADING_ML_ROOT"])
    asked = json.loads((root / "input/config/hyperparameters.json").read_text())
    member = f"{asked['algorithm']}-s{asked['seed']}"
    with (root / "runs").open("a") as runs:
        runs.write("x")
    assert (root / "input/data/training/dataset.npz").is_file()
    print("not json", flush=True)
    print(json.dumps({"event": "progress", "fraction": 0.5, "stage": "fold-0"}), flush=True)
    mode = pathlib.Path(sys.argv[1]).read_text()
    if mode == "fail" and member == "a2c-s0":
        (root / "output").mkdir()
        (root / "output/failure").write_text("the history is too short")
        sys.exit(1)
    if mode == "die" and member == "a2c-s0":
        sys.exit(7)
    if mode in ("fail", "die", "wait"):
        time.sleep(600)
    manifest = Manifest(
        kind="job", members=(Member(name=member, final="final.npz"),),
        algorithms=(asked["algorithm"],), seeds=(int(asked["seed"]),),
        trained_through=date(2024, 1, 2), features_version="f", data_hash="d", slots_version="s",
        code_revision=asked["code_revision"], settings=json.loads(asked["settings"]),
    )
    policy = FactorPolicy("return_21", 1)
    Artifact.pack(manifest, {"final.npz": policy.to_bytes()}).save(root / "model")
"""


@pytest.fixture
def mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that tells the stub of the entry point what to do."""
    script, told = tmp_path / "stub.py", tmp_path / "mode"
    script.write_text(textwrap.dedent(STUB))
    told.write_text("train")
    monkeypatch.setattr(parallel, "ENTRY_POINT", (sys.executable, str(script), str(told)))
    monkeypatch.setenv("PYTHONPATH", str(Path(job.__file__).parents[2]))
    return told


def runs_of(folder: Path) -> dict[str, int]:
    return {path.parent.name: len(path.read_text()) for path in folder.glob("jobs/*/runs")}


def test_every_algorithm_and_seed_is_a_member(mode, small, tmp_path):
    told = []
    artifact = train_locally(
        small, plan_jobs(SETTINGS), tmp_path / "out", progress=lambda *said: told.append(said)
    )
    members = ["a2c-s0", "ppo-s0"]
    assert [member.name for member in artifact.manifest.members] == members
    assert Settings.model_validate(artifact.manifest.settings) == SETTINGS
    for member in members:
        assert (member, 0.5, "fold-0") in told
        assert (member, 1.0, "finished") in told


def test_a_second_call_runs_only_what_has_changed(mode, small, tmp_path):
    first = train_locally(small, plan_jobs(SETTINGS), tmp_path, processes=1)
    assert train_locally(small, plan_jobs(SETTINGS), tmp_path).manifest == first.manifest
    assert set(runs_of(tmp_path).values()) == {1}
    longer = SETTINGS.model_copy(
        update={"training": SETTINGS.training.model_copy(update={"slot_steps": 500})}
    )
    plans = [JobPlan("ppo", 0, longer), *plan_jobs(SETTINGS)[1:]]
    with pytest.raises(ModelError, match="differ in settings"):
        train_locally(small, plans, tmp_path)
    assert runs_of(tmp_path) == {"ppo-s0": 2, "a2c-s0": 1}


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        ("fail", "a2c-s0 failed: the history is too short"),
        ("die", "a2c-s0 failed: its process ended with 7; see .*job.log"),
    ],
)
def test_a_failing_job_stops_the_others_and_says_why(mode, small, tmp_path, ending, sentence):
    mode.write_text(ending)
    began = time.monotonic()
    with pytest.raises(ModelError, match=sentence):
        train_locally(small, plan_jobs(SETTINGS), tmp_path, processes=2)
    assert time.monotonic() - began < 300  # the others sleep for 600 s
    mode.write_text("train")
    assert train_locally(small, plan_jobs(SETTINGS), tmp_path).manifest.kind == "ensemble"


def test_an_interrupt_stops_every_process(mode, small, tmp_path, monkeypatch):
    mode.write_text("wait")
    started = threading.Event()

    def interrupted(running):
        assert started.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "_results", interrupted)

    def tell(*_said):
        started.set()

    with pytest.raises(KeyboardInterrupt):
        train_locally(small, plan_jobs(SETTINGS), tmp_path, processes=2, progress=tell)
    assert not any(is_alive(tmp_path))


def is_alive(folder: Path):
    """Yield the processes whose environment names a job's folder."""
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(folder).encode() in environment and int(entry.name) != os.getpid():
            yield entry.name


@pytest.mark.slow
def test_the_weights_are_those_of_the_training_job(planted, tmp_path):
    dataset = planted(0.0, slots=30, months=12, phases=2)
    plan = JobPlan("a2c", 1, SETTINGS)
    train_locally(dataset, [plan], tmp_path)
    root = tmp_path / "here"
    (root / "input/config").mkdir(parents=True)
    (root / "input/config/hyperparameters.json").write_text(json.dumps(plan.hyperparameters()))
    dataset.save(root / "input/data/training")
    job.run(root)
    assert Artifact.load(root / "model") == Artifact.load(tmp_path / "jobs/a2c-s1/model")
