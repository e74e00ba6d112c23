"""Run training jobs: fetch, train, upload, at most one a core at a time.

A job on Spot capacity loses its instance when the fault plan says so (`localcloud.faults`). As on
SageMaker it gets SIGTERM, its checkpoints are kept, and it starts again on a new instance.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.context import CloudContext
from localcloud.errors import CloudError
from localcloud.identity.credentials import Credentials
from localcloud.training.image import entry_point, repository_of
from localcloud.training.logs import JobLogs
from localcloud.training.record import JobRecord
from localcloud.training.transfer import CheckpointSync, archive, split_uri
from localcloud.training.workspace import Workspace

_LOGGER = logging.getLogger("localcloud")
SERVICE = "sagemaker.amazonaws.com"
STOP_GRACE_SECONDS = 120.0
_INTERRUPTED = "Interrupted"
CHECKPOINT_SECONDS = 10.0
_POLL_SECONDS = 0.2
_PULL_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)


class TrainingRunner:
    """Runs jobs as processes of this machine.

    Parameters
    ----------
    context
        The running cloud.
    containers
        Folder of the Dockerfiles; the checkout's unless given.
    slots
        Jobs that train at once; one a usable core unless given.
    grace
        Seconds between SIGTERM and SIGKILL, as SageMaker grants them.
    """

    def __init__(
        self,
        context: CloudContext,
        *,
        containers: Path | None = None,
        slots: int | None = None,
        grace: float = STOP_GRACE_SECONDS,
    ) -> None:
        self._context = context
        self._containers = containers
        self._slots = threading.Semaphore(slots or os.cpu_count() or 1)
        self._grace = grace
        self._records: dict[str, JobRecord] = {}

    def submit(self, record: JobRecord) -> None:
        """Start a job's life on a thread of its own."""
        self._records[record.name] = record
        thread = threading.Thread(target=self._run, args=(record,), name=record.name, daemon=True)
        thread.start()

    def find(self, name: str) -> JobRecord | None:
        """Return a job that was submitted to this cloud since its start."""
        return self._records.get(name)

    def _run(self, record: JobRecord) -> None:
        while not self._slots.acquire(timeout=_POLL_SECONDS):
            if self._context.stopping.is_set():
                return
            if record.stop_requested.is_set():
                record.stopped("Stopped")
                return
        try:
            containers = self._containers or self._context.repository / "containers"
            _Job(self._context, record, containers, self._grace).run()
        except (CloudError, ClientError) as error:
            record.fail(f"ClientError: {error}")
        except Exception as error:
            _LOGGER.exception("the training job %s failed here", record.name)
            record.fail(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self._slots.release()


class _Job:
    """One job from its role to its model."""

    def __init__(
        self, context: CloudContext, record: JobRecord, containers: Path, grace: float
    ) -> None:
        self._context = context
        self._record = record
        self._job: Any = record.job
        self._containers = containers
        self._grace = grace
        self._logs = JobLogs(context, record.name, self._job.role_arn)

    def run(self) -> None:
        """Live the job's life to its end."""
        role = self._job.role_arn
        credentials = self._context.credentials_for_role(role, "SageMaker", service=SERVICE)
        s3 = self._context.client("s3", credentials)
        command = self._pull()
        while self._run_on_an_instance(command, credentials, s3) == _INTERRUPTED:
            self._record.move(_INTERRUPTED)
            self._record.move("Starting")

    def _run_on_an_instance(
        self, command: list[str], credentials: Credentials, s3: Any
    ) -> str | None:
        """Run on one instance to its end; return why it was made to end."""
        self._record.move("Downloading")
        workspace = Workspace(self._context.home / "training" / self._record.name)
        try:
            workspace.configure(self._job)
            workspace.download_channels(s3, self._job)
            checkpoints = self._checkpoints(s3, workspace)
            status, ending = self._train(command, credentials, workspace, checkpoints)
            if ending == _INTERRUPTED and status == 0:
                ending = None  # it was done before the signal reached it
            if ending != _INTERRUPTED:
                self._finish(s3, workspace, status, ending)
            return ending
        finally:
            workspace.remove()

    def _pull(self) -> list[str]:
        """Return the image's command, if the role may pull it."""
        image = self._job.algorithm_specification.get("TrainingImage", "")
        context = self._context
        arn = f"arn:aws:ecr:{context.region}:{context.account}:repository/{repository_of(image)}"
        wanted = [("ecr:GetAuthorizationToken", "*"), *((one, arn) for one in _PULL_ACTIONS)]
        for action, resource in wanted:
            if not context.allowed(self._job.role_arn, "SageMaker", action, resource):
                raise CloudError(
                    f"the image {image} cannot be pulled: {self._job.role_arn} is not authorized "
                    f"to perform {action} on {resource}"
                )
        return [*entry_point(image, self._containers), "train"]

    def _checkpoints(self, s3: Any, workspace: Workspace) -> CheckpointSync | None:
        config = self._job.checkpoint_config or {}
        uri = config.get("S3Uri")
        if not uri:
            return None
        sync = CheckpointSync(s3, uri, workspace.checkpoints(config.get("LocalPath")))
        sync.restore(uri)
        return sync

    def _train(
        self,
        command: list[str],
        credentials: Credentials,
        workspace: Workspace,
        checkpoints: CheckpointSync | None,
    ) -> tuple[int, str | None]:
        """Run the process; return its status, and why it was made to end (None: by itself)."""
        self._record.move("Training")
        child = self._context.spawn(
            command,
            environment=self._environment(credentials, workspace),
            directory=self._context.repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        pump = self._logs.follow(child)
        try:
            ending = self._watch(child, checkpoints)
        finally:
            self._context.spawner.forget(child)
            child.wait()
            pump.join(timeout=10)
        if checkpoints is not None:
            checkpoints.push()
        return child.returncode, ending

    def _watch(
        self, child: subprocess.Popen[bytes], checkpoints: CheckpointSync | None
    ) -> str | None:
        limit = (self._job.stopping_condition or {}).get("MaxRuntimeInSeconds", 86400)
        began = time.monotonic()
        deadline = began + float(limit)
        next_push = time.monotonic() + CHECKPOINT_SECONDS
        ending: str | None = None
        killed_at = float("inf")
        while True:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=_POLL_SECONDS)
                return ending
            now = time.monotonic()
            if ending is None:
                ending = self._ending(now - began, overdue=now > deadline)
                if ending is not None:
                    killed_at = now + self._grace
                    with suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGTERM)
            elif now > killed_at:
                self._context.spawner.kill(child)
            if checkpoints is not None and now > next_push:
                checkpoints.push()
                next_push = time.monotonic() + CHECKPOINT_SECONDS

    def _ending(self, seconds: float, *, overdue: bool) -> str | None:
        if self._record.stop_requested.is_set():
            self._record.move("Stopping")
            return "Stopped"
        if overdue:
            return "MaxRuntimeExceeded"
        return _INTERRUPTED if self._is_interrupted(seconds) else None

    def _is_interrupted(self, seconds: float) -> bool:
        """Tell whether the job's Spot capacity is taken away, `seconds` into its training."""
        job = self._job
        return bool(job.enable_managed_spot_training) and self._context.faults.interrupts(
            job.arn, job.role_arn, seconds
        )

    def _environment(self, credentials: Credentials, workspace: Workspace) -> dict[str, str]:
        repository = self._context.repository
        inherited = {n: os.environ[n] for n in ("PATH", "LANG", "TMPDIR") if n in os.environ}
        return {
            **inherited,
            "HOME": str(workspace.root),
            "PYTHONPATH": os.pathsep.join([str(repository), str(repository / "src")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            **self._record.environment,
            **self._context.environment_for(credentials),
            "TRADING_ML_ROOT": str(workspace.root),
            "TRAINING_JOB_NAME": self._record.name,
            "TRAINING_JOB_ARN": self._job.arn,
        }

    def _finish(self, s3: Any, workspace: Workspace, status: int, ending: str | None) -> None:
        if status != 0 and ending is None:
            self._upload(s3, workspace, ("output/data", "output.tar.gz"))
            self._record.fail(_failure(workspace.failure(), status))
            return
        self._record.move("Uploading")
        self._upload(s3, workspace, ("output/data", "output.tar.gz"), ("model", "model.tar.gz"))
        if ending is None:
            self._record.complete()
        else:
            self._record.stopped(ending)

    def _upload(self, s3: Any, workspace: Workspace, *parts: tuple[str, str]) -> None:
        bucket, prefix = split_uri(self._job.output_data_config["S3OutputPath"])
        base = f"{prefix.rstrip('/')}/" if prefix else ""
        for folder, name in parts:
            source = workspace.root / folder
            if name == "model.tar.gz" or any(source.iterdir()):
                key = f"{base}{self._record.name}/output/{name}"
                s3.put_object(Bucket=bucket, Key=key, Body=archive(source))


def _failure(said: str, status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        cause = f"the training process exited by signal {-status} ({name})"
    else:
        cause = f"exit code: {status}"
    return f"AlgorithmError: {said}, {cause}" if said else f"AlgorithmError: {cause}"
