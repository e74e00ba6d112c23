"""A training job as DescribeTrainingJob shows it."""

import threading
from datetime import UTC, datetime
from typing import Any

_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image and the input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Interrupted": "The Spot capacity was taken back; the job starts again from its checkpoints",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class JobRecord:
    """The life of one job, written into moto's record of it.

    `job` is moto's `FakeTrainingJob`; its attributes are what the API answers with.
    """

    def __init__(self, job: Any, environment: dict[str, str]) -> None:
        self.job = job
        self.name: str = job.training_job_name
        self.environment = environment
        self.stop_requested = threading.Event()
        self.ended = threading.Event()
        self._lock = threading.Lock()
        job.environment = environment
        job.training_job_status = "InProgress"
        job.training_start_time = job.training_end_time = None
        job.secondary_status_transitions = []
        job.final_metric_data_list = None
        job.algorithm_specification.pop("MetricDefinitions", None)
        job.failure_reason = None
        self._artifacts, job.model_artifacts = job.model_artifacts, None
        self.move("Starting")

    def move(self, secondary: str, message: str | None = None) -> None:
        """Enter a secondary status."""
        with self._lock:
            now = datetime.now(UTC)
            transitions = self.job.secondary_status_transitions
            if transitions:
                transitions[-1]["EndTime"] = now
            text = message or _MESSAGES[secondary]
            entry = {"Status": secondary, "StartTime": now, "StatusMessage": text}
            self.job.secondary_status_transitions = [*transitions, entry]
            self.job.secondary_status = secondary
            self.job.last_modified_time = now
            if secondary == "Training":
                self.job.training_start_time = now

    def request_stop(self) -> None:
        """Ask for the end of the job."""
        with self._lock:
            if self.job.training_job_status == "InProgress":
                self.job.training_job_status = "Stopping"
        self.stop_requested.set()

    def complete(self) -> None:
        """End as Completed, with its model."""
        self._end("Completed", "Completed", artifacts=True)

    def stopped(self, secondary: str) -> None:
        """End as Stopped (`Stopped` or `MaxRuntimeExceeded`), with what model there was."""
        self._end("Stopped", secondary, artifacts=True)

    def fail(self, reason: str) -> None:
        """End as Failed, with the reason."""
        self.job.failure_reason = reason[:1024]
        self._end("Failed", "Failed", artifacts=False)

    def _end(self, status: str, secondary: str, *, artifacts: bool) -> None:
        self.move(secondary)
        with self._lock:
            now = datetime.now(UTC)
            self.job.secondary_status_transitions[-1]["EndTime"] = now
            self.job.training_end_time = now
            started = self.job.training_start_time
            if started is not None:
                seconds = max(1, round((now - started).total_seconds()))
                self.job.training_time_in_seconds = seconds
                self.job.billable_time_in_seconds = seconds
            if artifacts:
                self.job.model_artifacts = self._artifacts
            self.job.training_job_status = status
        self.ended.set()
