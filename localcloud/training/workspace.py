"""The folder tree that a training container finds at /opt/ml.

Source: Amazon SageMaker AI Developer Guide, "How Amazon SageMaker AI Provides Training
Information".
"""

import json
import shutil
from pathlib import Path
from typing import Any

from localcloud.errors import CloudError
from localcloud.training.transfer import download

HOST = "algo-1"


class Workspace:
    """One job's `/opt/ml`, made under the cloud's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "ml"
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("input/config", "input/data", "model", "output/data", "checkpoints"):
            (self.root / part).mkdir(parents=True)

    def configure(self, job: Any) -> None:
        """Write what the container reads about its job."""
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in job.input_data_config or []
        }
        instance = (job.resource_config or {}).get("InstanceType", "local")
        resources = {
            "current_host": HOST,
            "current_instance_type": instance,
            "hosts": [HOST],
            "network_interface_name": "lo",
        }
        config = self.root / "input" / "config"
        for name, content in (
            ("hyperparameters", dict(job.hyper_parameters or {})),
            ("inputdataconfig", channels),
            ("resourceconfig", resources),
        ):
            (config / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    def download_channels(self, client: Any, job: Any) -> None:
        """Bring every channel's objects; raises `CloudError` for one without any."""
        for channel in job.input_data_config or []:
            source = channel.get("DataSource", {}).get("S3DataSource", {})
            kind, uri = source.get("S3DataType", "S3Prefix"), source.get("S3Uri", "")
            name = channel["ChannelName"]
            if kind != "S3Prefix" or channel.get("InputMode", "File") != "File":
                raise CloudError(
                    f"channel {name!r} asks for {kind}/{channel.get('InputMode')}; the embedded "
                    "cloud gives channels of type S3Prefix in File mode"
                )
            folder = self.root / "input" / "data" / name
            folder.mkdir(parents=True, exist_ok=True)
            if download(client, uri, folder) == 0:
                raise CloudError(f"no S3 objects found under {uri} of channel {name!r}")

    def checkpoints(self, local_path: str | None) -> Path:
        """Return the folder of checkpoints; `local_path` is as the container would see it."""
        inside = (local_path or "/opt/ml/checkpoints").removeprefix("/opt/ml/")
        return self.root / inside.lstrip("/")

    def failure(self) -> str:
        """Return what the container wrote about its failure; empty when nothing."""
        path = self.root / "output" / "failure"
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""

    def remove(self) -> None:
        """Delete the whole tree, as the instance's disk goes when a job ends."""
        shutil.rmtree(self._folder, ignore_errors=True)
