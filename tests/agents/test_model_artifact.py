import io
import tarfile
from datetime import date

import pytest
from test_slot_policy import make_policy

from trading.agents.artifact import Artifact, Manifest, Member, load_ensemble, merge
from trading.agents.policy import FactorPolicy
from trading.errors import ModelError

FOLDS = (date(2020, 1, 31), date(2020, 4, 30))


def job(algorithm: str = "ppo", seed: int = 0, **changes: object) -> Artifact:
    manifest = Manifest(
        kind="job",
        members=(
            Member(
                name=f"{algorithm}-s{seed}",
                final="final.npz",
                folds=("fold-0.npz", "fold-1.npz"),
            ),
        ),
        algorithms=(algorithm,),
        seeds=(seed,),
        trained_through=date(2020, 7, 31),
        fold_trained_through=FOLDS,
        features_version="1",
        data_hash="d",
        slots_version="s",
        metrics={"final.slot_reward": 0.01},
    ).model_copy(update=changes)
    names = ("final.npz", "fold-0.npz", "fold-1.npz")
    files = {name: make_policy(seed * 10 + i).to_bytes() for i, name in enumerate(names)}
    return Artifact.pack(manifest, {**files, "progress.csv": b"fit,slot_steps\n"})


def test_save_and_load_give_the_same_artifact(tmp_path):
    artifact = job()
    artifact.save(tmp_path)
    again = Artifact.load(tmp_path)
    assert again == artifact
    assert again.to_files() == artifact.to_files()
    assert load_ensemble(tmp_path).members[0].hash == make_policy(0).hash
    assert load_ensemble(artifact.to_files()).members[0].hash == make_policy(0).hash


def test_tar_of_a_model_folder_loads(tmp_path):
    job().save(tmp_path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(tmp_path, arcname=".")
    assert Artifact.from_tar(buffer.getvalue()) == job()
    with pytest.raises(ModelError, match="not a tar archive"):
        Artifact.from_tar(b"no tar")


def test_version_is_the_content():
    assert job().manifest.version == job().manifest.version
    assert job(seed=1).manifest.version != job().manifest.version
    assert job(code_revision="abc").manifest.version != job().manifest.version


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.pop("manifest.json"), "has no manifest.json"),
        (lambda f: f.pop("fold-1.npz"), "lacks fold-1.npz"),
        (lambda f: f.update({"extra.npz": b"x"}), "does not name: extra.npz"),
        (lambda f: f.update({"final.npz": make_policy(7).to_bytes()}), "vouches for"),
        (lambda f: f.update({"manifest.json": b"{}"}), "cannot be read"),
        (lambda f: f.update({"manifest.json": b"\xff\x00"}), "cannot be read"),
        (
            lambda f: f.update(
                {"manifest.json": f["manifest.json"].replace(b"2020-07-31", b"2019-07-31")}
            ),
            "was changed",
        ),
    ],
)
def test_broken_folders_are_refused(spoil, message):
    files = job().to_files()
    spoil(files)
    with pytest.raises(ModelError, match=message):
        Artifact.from_files(files)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no model folder"):
        Artifact.load(tmp_path / "nowhere")


def test_merge_makes_one_ensemble_whatever_the_order():
    jobs = [job("sac", 1), job("ppo", 0), job("a2c", 0)]
    merged = merge(jobs)
    assert merged.to_files() == merge(jobs[::-1]).to_files()
    assert [member.name for member in merged.manifest.members] == ["a2c-s0", "ppo-s0", "sac-s1"]
    assert merged.manifest.kind == "ensemble"
    assert merged.manifest.seeds == (0, 1)
    assert len(merged.ensemble().members) == 3
    assert merged.fold_ensemble(1).members[2].hash == make_policy(12).hash
    assert merged.policy("sac-s1").hash == make_policy(10).hash
    assert merged.manifest.metrics["sac-s1.final.slot_reward"] == 0.01


def test_merge_refuses_jobs_that_do_not_belong_together():
    with pytest.raises(ModelError, match="no training job"):
        merge([])
    with pytest.raises(ModelError, match="two training jobs left the member ppo-s0"):
        merge([job(), job()])
    with pytest.raises(ModelError, match="differ in data_hash"):
        merge([job(), job("sac", 0, data_hash="other")])


def test_unknown_members_and_folds_are_refused():
    with pytest.raises(ModelError, match="no member 'ddpg-s0'"):
        job().policy("ddpg-s0")
    with pytest.raises(ModelError, match=r"folds 0\.\.1, not 2"):
        job().fold_ensemble(2)


def test_further_files_make_a_new_version():
    judged = job().with_files({"verdict.json": b"{}"})
    assert judged.manifest.version != job().manifest.version
    assert Artifact.from_files(judged.to_files()).files["verdict.json"] == b"{}"


def test_a_baseline_is_a_model_like_any_other():
    manifest = Manifest(
        kind="baseline",
        members=(Member(name="baseline", final="final.npz"),),
        trained_through=date(2020, 7, 31),
        features_version="1",
        data_hash="d",
        slots_version="s",
    )
    baseline = Artifact.pack(manifest, {"final.npz": FactorPolicy("high_252", 1).to_bytes()})
    assert load_ensemble(baseline.to_files()).members == (FactorPolicy("high_252", 1),)
