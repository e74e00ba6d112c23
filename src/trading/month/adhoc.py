"""Training by hand on SageMaker: jobs through the SageMaker SDK, their ensemble registered.

The jobs are those of the month: same image, role, channels, checkpoints and entry point. Everything
lies below `training/adhoc/<recipe>` of the runs store, and the recipe names data, settings and
code, so that the same command run again finds what is done or still runs.

Jobs go through `sagemaker-core`, the resource layer of the SageMaker Python SDK v3 (the package
`sagemaker` itself brings mlflow and its like). The registry entry is made as for a month's models
by `month/registry.py`: `ModelPackage.create` of sagemaker-core 2.27 fails on a versioned package
(it reads `ModelPackageName` from an answer that holds an ARN alone).
"""

import hashlib
import importlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from trading.agents.artifact import MANIFEST, Artifact, merge
from trading.agents.parallel import JobPlan
from trading.agents.revision import training_revision
from trading.errors import ConfigurationError, ModelError
from trading.features.dataset import FILE as DATASET_FILE
from trading.features.dataset import Dataset
from trading.month.lifecycle import METRICS, enter_model, evidence_prefix
from trading.month.payloads import ChampionRef
from trading.month.pointers import put_folder, uri_of
from trading.month.prepare import ARCHIVE
from trading.month.resources import Resources

FOLDER = "training/adhoc"
ENDED = frozenset({"Completed", "Failed", "Stopped"})
ATTEMPTS = 20
VOLUME_GB = 30


@dataclass
class RemoteJob:
    """A training job of the SageMaker SDK.

    Attributes
    ----------
    plan : which member
    name : of the training job; empty when its model was there already
    model_key : key of the model's archive in the runs store; None until it is there
    """

    plan: JobPlan
    name: str
    model_key: str | None
    _resource: Any = None

    def poll(self) -> str:
        """Return the job's status; raises `ModelError` with the reason when it has failed."""
        if self._resource is None:
            return "Completed"
        self._resource.refresh()
        status = str(self._resource.training_job_status)
        if status in ENDED and status != "Completed":
            reason = getattr(self._resource, "failure_reason", None) or status
            raise ModelError(f"training job {self.name} ended as {status}: {reason}")
        return status


class AdhocTraining:
    """The jobs of one dataset and settings.

    Parameters
    ----------
    dataset : what all of them learn from
    plans : the members
    resources : where the stores and names are
    """

    def __init__(self, dataset: Dataset, plans: Sequence[JobPlan], resources: Resources) -> None:
        self._dataset = dataset
        self._plans = plans
        self._resources = resources
        self.recipe = _recipe(dataset, plans)
        self.prefix = f"trading-{resources.settings.environment}-adhoc-{self.recipe[:8]}"

    def start(self) -> tuple[RemoteJob, ...]:
        """Upload the dataset, and start every job whose model is not there and that does not run.

        Raises `ConfigurationError` without the extra `sagemaker`.
        """
        training_job, shapes = _sdk()
        runs = self._resources.runs
        dataset = f"{FOLDER}/{self.recipe}/dataset"
        if not runs.exists(f"{dataset}/{DATASET_FILE}"):
            runs.put(f"{dataset}/{DATASET_FILE}", self._dataset.to_bytes())
        return tuple(self._start(plan, dataset, training_job, shapes) for plan in self._plans)

    def collect(self, jobs: Sequence[RemoteJob]) -> Artifact:
        """Return the ensemble of the finished jobs' models; raises `ModelError` for one missing."""
        archives = []
        for job in jobs:
            key = job.model_key or self._archive_of(job.plan)
            if key is None:
                raise ModelError(f"training job {job.name} left no {ARCHIVE}")
            archives.append(Artifact.from_tar(self._resources.runs.get(key).body, key))
        return merge(archives)

    def register(self, artifact: Artifact) -> ChampionRef:
        """Store the ensemble and enter it into ledger and registry, as a candidate."""
        models, manifest = self._resources.models, artifact.manifest
        month = f"{self._dataset.as_of:%Y-%m}"
        ref = ChampionRef(
            version=manifest.version,
            kind="ensemble",
            prefix=f"adhoc/{month}/{manifest.version}",
            month=month,
        )
        put_folder(models, ref.prefix, artifact.to_files(), MANIFEST)
        metrics = json.dumps(manifest.metrics, sort_keys=True, indent=1).encode()
        models.put(f"{evidence_prefix(ref)}/{METRICS}", metrics)
        reason = f"trained by hand on data of {month}, recipe {self.recipe}; no gate has judged it"
        enter_model(ref, "CANDIDATE", "operator", reason, self._resources)
        return ref

    def _start(self, plan: JobPlan, dataset: str, training_job: Any, shapes: Any) -> RemoteJob:
        archive = self._archive_of(plan)
        if archive is not None:
            return RemoteJob(plan, "", archive)
        for attempt in range(ATTEMPTS):
            name = f"{self.prefix}-{plan.member}-a{attempt}"
            found = _existing(training_job, name)
            if found is None:
                made = self._create(name, plan, dataset, training_job, shapes)
                return RemoteJob(plan, name, None, made)
            if str(found.training_job_status) not in ENDED:
                return RemoteJob(plan, name, None, found)
        raise ModelError(f"{plan.member} has failed {ATTEMPTS} times; look at {name}")

    def _create(
        self, name: str, plan: JobPlan, dataset: str, training_job: Any, shapes: Any
    ) -> Any:
        resources, training = self._resources, plan.settings.training
        member = f"{FOLDER}/{self.recipe}/{plan.member}"
        limit = training.max_runtime_seconds
        source = shapes.S3DataSource(
            s3_data_type="S3Prefix",
            s3_uri=f"{uri_of(resources.runs, dataset)}/",
            s3_data_distribution_type="FullyReplicated",
        )
        channel = shapes.Channel(
            channel_name="training", data_source=shapes.DataSource(s3_data_source=source)
        )
        return training_job.create(
            training_job_name=name,
            role_arn=resources.name("TRADING_TRAINING_ROLE"),
            algorithm_specification=shapes.AlgorithmSpecification(
                training_image=resources.name("TRADING_TRAINING_IMAGE"),
                training_input_mode="File",
            ),
            hyper_parameters=plan.hyperparameters(),
            input_data_config=[channel],
            output_data_config=shapes.OutputDataConfig(
                s3_output_path=uri_of(resources.runs, f"{member}/models")
            ),
            checkpoint_config=shapes.CheckpointConfig(
                s3_uri=uri_of(resources.runs, f"{member}/checkpoints")
            ),
            resource_config=shapes.ResourceConfig(
                instance_count=1,
                instance_type=training.instance_type,
                volume_size_in_gb=VOLUME_GB,
            ),
            stopping_condition=shapes.StoppingCondition(
                max_runtime_in_seconds=limit,
                **({"max_wait_time_in_seconds": 2 * limit} if training.spot else {}),
            ),
            enable_managed_spot_training=training.spot,
        )

    def _archive_of(self, plan: JobPlan) -> str | None:
        folder = f"{FOLDER}/{self.recipe}/{plan.member}/models/"
        return next((k for k in self._resources.runs.keys(folder) if k.endswith(ARCHIVE)), None)


def _recipe(dataset: Dataset, plans: Sequence[JobPlan]) -> str:
    """Return the hash of data, settings and code; the members have folders of their own."""
    sections = {"training", "reward", "costs", "portfolio", "gate"}
    settings = plans[0].settings.model_dump(mode="json", include=sections) if plans else {}
    for name in ("algorithms", "seeds"):
        settings.get("training", {}).pop(name, None)
    parts = {
        "dataset": dataset.content_hash,
        "settings": settings,
        "code": training_revision(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _existing(training_job: Any, name: str) -> Any:
    """Return the training job of a name; None when there is none."""
    try:
        return training_job.get(name)
    except ClientError as error:
        # A job that is not there is a plain ValidationException; only its words tell.
        message = error.response["Error"].get("Message", "").lower()
        if "not found" in message or "could not find" in message:
            return None
        raise


def _sdk() -> tuple[Any, Any]:
    """Return `TrainingJob` and the shapes of the SDK; they take seconds to import."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resources = importlib.import_module("sagemaker.core.resources")
            shapes = importlib.import_module("sagemaker.core.shapes")
    except ImportError as error:
        raise ConfigurationError(
            "training on SageMaker needs the extra `sagemaker`: pip install 'trading[sagemaker]'"
        ) from error
    return resources.TrainingJob, shapes
