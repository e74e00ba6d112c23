"""A month of three algorithms and two seeds loses the Spot capacity of a job, and ends the same."""

import io
import json
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trading_home import FEBRUARY, TradingHome, finished

from localcloud.faults import Fault, FaultPlan, Kind, struck, write_plan
from trading.agents import job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
JOB = "trading-dev-2025-02-r1-ppo-s1-a0"
SETTINGS: Mapping[str, str] = {
    "training.algorithms": "[ppo, a2c, sac]",
    "training.seeds": "[0, 1]",
    "training.slot_steps": "20000",
    "training.hidden": "[4]",
    "training.folds": "2",
}
LONGEST_WAIT = 600
LONGEST_MONTH = 1500


def test_an_interrupted_month_gives_the_weights_of_an_uninterrupted_one(home: TradingHome) -> None:
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    command = home.start_month(FEBRUARY, *options)
    log = home.cloud_home / "logs" / "training" / f"{JOB}.log"
    # The first fit has ended, and its checkpoint is what the job goes on from.
    await_text(log, '"stage": "fold-1"')
    lost = Fault(Kind.SPOT_INTERRUPTION, resource=f"*/{JOB}", seconds=0.0)
    write_plan(home.cloud_home, FaultPlan((lost,)))
    month = finished(command, LONGEST_MONTH)
    assert month.code == 0, month.errors
    told = month.json
    assert told["status"] == "SUCCEEDED"
    assert [one["kind"] for one in struck(home.cloud_home)] == ["spot_interruption"]
    first, again = log.read_text().split('"event": "training"')[1:]
    assert '"stage": "fold-0"' in first
    assert '"stage": "fold-0"' not in again
    with home.cloud() as cloud:
        s3 = cloud.client("s3")
        bucket = str(cloud.outputs["runs_store"]).removeprefix("s3://").rstrip("/")
        keys = [
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for item in page.get("Contents", ())
        ]
        trained = {key.split("/")[3]: key for key in keys if key.endswith("output/model.tar.gz")}
        assert sorted(trained) == sorted(f"{a}-s{s}" for a in ("ppo", "a2c", "sac") for s in (0, 1))
        archive = s3.get_object(Bucket=bucket, Key=trained["ppo-s1"])["Body"].read()
        (dataset,) = [key for key in keys if key.endswith("dataset/dataset.npz")]
        body = s3.get_object(Bucket=bucket, Key=dataset)["Body"].read()
    assert unpacked(archive) == trained_here(home.path / "here", body, unpacked(archive))


def await_text(log: Path, text: str) -> None:
    """Wait until a log, which may not exist yet, holds a text."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < deadline, f"{log} never said {text!r}"
        time.sleep(0.05)


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the files of a model archive, the weights and the manifest among them."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name.removeprefix("./"): found.read()
            for member in tar
            if member.isfile() and (found := tar.extractfile(member))
        }


def trained_here(root: Path, dataset: bytes, like: Mapping[str, bytes]) -> dict[str, bytes]:
    """Train the same member in this process, from first to last, and return its files."""
    manifest: dict[str, Any] = json.loads(like["manifest.json"])
    (root / "input/config").mkdir(parents=True)
    (root / "input/data/training").mkdir(parents=True)
    (root / "input/data/training/dataset.npz").write_bytes(dataset)
    given = {
        "algorithm": manifest["algorithms"][0],
        "seed": str(manifest["seeds"][0]),
        "settings": json.dumps(manifest["settings"]),
        "code_revision": manifest["code_revision"],
    }
    (root / "input/config/hyperparameters.json").write_text(json.dumps(given))
    job.run(root)
    model = root / "model"
    return {
        path.relative_to(model).as_posix(): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file()
    }
