"""Watch an execution of the month: which states ran, how long, how far the training is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"
# What a fast Pass, Choice or Succeed takes: bookkeeping that nobody waits for.
BOOKKEEPING = frozenset(
    {
        *("IsWhole", "Defaults", "Read", "Begin", "ReadSwitch", "IsPaused", "IsDataComplete"),
        *("IsTrainingSkipped", "HasPassed", "IsApproved", "Done"),
    }
)
FINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


@dataclass
class StateRun:
    """One state: when it was first entered, and last left (None while it runs)."""

    name: str
    entered: datetime
    exited: datetime | None = None

    def seconds(self, now: datetime) -> float:
        """Return how long it took, or has taken until `now`."""
        return ((self.exited or now) - self.entered).total_seconds()


@dataclass
class TrainingProgress:
    """How far a training job is: a fraction of 1 and what it is at."""

    job: str
    fraction: float
    stage: str


@dataclass
class ExecutionWatch:
    """Follows one execution through its history.

    `states` are the top-level states in the order in which they were entered; a state inside a Map
    counts to the Map.
    """

    arn: str
    status: str = "RUNNING"
    error: str = ""
    cause: str = ""
    states: dict[str, StateRun] = field(default_factory=dict)
    _seen: int = 0
    _parents: Mapping[str, str] = field(default_factory=dict)

    def poll(self) -> None:
        """Read what happened since the last poll."""
        client = boto3.client("stepfunctions")
        if not self._parents:
            described = client.describe_execution(executionArn=self.arn)
            machine = client.describe_state_machine(stateMachineArn=described["stateMachineArn"])
            self._parents = _inner_states(json.loads(machine["definition"]))
        described = client.describe_execution(executionArn=self.arn)
        for event in _history(client, self.arn):
            if event["id"] > self._seen:
                self._seen = event["id"]
                self._take(event)
        self.status = described["status"]
        self.error = described.get("error", "")
        self.cause = described.get("cause", "")

    @property
    def ended(self) -> bool:
        """Whether the execution has ended."""
        return self.status in FINAL

    def timings(self) -> dict[str, float]:
        """Return the seconds that each state took."""
        now = datetime.now(UTC)
        return {name: round(run.seconds(now), 3) for name, run in self.states.items()}

    def _take(self, event: Mapping[str, Any]) -> None:
        if details := event.get("stateEnteredEventDetails"):
            name = self._parents.get(details["name"], details["name"])
            run = self.states.setdefault(name, StateRun(name, event["timestamp"]))
            run.exited = None
            return
        details = event.get("stateExitedEventDetails")
        if details and details["name"] not in self._parents:
            self.states[details["name"]].exited = event["timestamp"]


def _history(client: Any, arn: str) -> list[Mapping[str, Any]]:
    events: list[Mapping[str, Any]] = []
    arguments: dict[str, Any] = {"executionArn": arn, "includeExecutionData": False}
    while True:
        page = client.get_execution_history(**arguments)
        events += page["events"]
        if not page.get("nextToken"):
            return events
        arguments["nextToken"] = page["nextToken"]


def _inner_states(definition: Mapping[str, Any]) -> dict[str, str]:
    """Map each state inside a Map to the Map's name."""
    return {
        inner: name
        for name, state in definition["States"].items()
        for inner in state.get("ItemProcessor", {}).get("States", {})
    }


def training_progress(prefix: str) -> list[TrainingProgress]:
    """Return how far the unfinished training jobs are whose names begin with `prefix`."""
    sagemaker, logs = boto3.client("sagemaker"), boto3.client("logs")
    listed = sagemaker.list_training_jobs(NameContains=prefix, StatusEquals="InProgress")
    names = [job["TrainingJobName"] for job in listed["TrainingJobSummaries"]]
    return [_progress_of(logs, name) for name in sorted(names)]


def _progress_of(logs: Any, job: str) -> TrainingProgress:
    try:
        found = logs.describe_log_streams(
            logGroupName=TRAINING_LOGS, logStreamNamePrefix=f"{job}/"
        )["logStreams"]
        events = (
            logs.get_log_events(
                logGroupName=TRAINING_LOGS,
                logStreamName=found[0]["logStreamName"],
                startFromHead=False,
                limit=25,
            )["events"]
            if found
            else []
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        events = []
    for event in reversed(events):
        reported = _reported(event["message"])
        if reported.get("event") == "progress":
            return TrainingProgress(job, float(reported["fraction"]), str(reported["stage"]))
    return TrainingProgress(job, 0.0, "waiting")


def _reported(message: str) -> Mapping[str, Any]:
    try:
        loaded = json.loads(message)
    except json.JSONDecodeError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
