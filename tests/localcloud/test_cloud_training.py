"""Training jobs: real processes under the container contract, watched by a state machine."""

import io
import json
import tarfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from log_lines import await_line
from whole_cloud import allow, make_role, whole_cloud

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.errors import CloudError
from localcloud.faults import Fault, FaultPlan, Kind, clear_plan, struck, write_plan
from localcloud.training.image import entry_point, repository_of
from localcloud.training.transfer import archive, split_uri

pytestmark = pytest.mark.slow
SAGEMAKER = "sagemaker.amazonaws.com"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/trading-dev-training:abc"
TRAINER = """
    import json, os, pathlib, signal, sys, time

    root = pathlib.Path(os.environ["TRADING_ML_ROOT"])
    given = json.loads((root / "input/config/hyperparameters.json").read_text())
    channels = json.loads((root / "input/config/inputdataconfig.json").read_text())
    print("arguments", sys.argv[1:], "channels", sorted(channels), flush=True)
    mode = given.get("mode", "train")
    if mode == "fail":
        (root / "output/failure").write_text("ModelError: no data")
        sys.exit(3)
    if mode == "linger":
        time.sleep(2)
    if mode == "fail-first" and os.environ["TRAINING_JOB_NAME"].endswith("-a0"):
        sys.exit(4)
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    checkpoints = root / "checkpoints"
    before = sorted(path.name for path in checkpoints.iterdir())
    (checkpoints / f"step-{len(before)}").write_text("state")
    if mode in {"wait", "stubborn"} or (mode == "wait-first" and not before):
        (root / "model/partial.txt").write_text("partial")
        print("waiting", flush=True)
        time.sleep(60)
    (root / "model/sub").mkdir()
    (root / "model/sub/b.txt").write_text("b")
    (root / "model/seen.json").write_text(json.dumps({
        "hyperparameters": given,
        "data": {p.name: p.read_text() for p in (root / "input/data/training").rglob("*.txt")},
        "host": json.loads((root / "input/config/resourceconfig.json").read_text())["hosts"],
        "environment": [os.environ[n] for n in ("FLAVOUR", "TRAINING_JOB_NAME", "OMP_NUM_THREADS")],
        "checkpoints": before,
    }))
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    repository = tmp_path_factory.mktemp("repository")
    (repository / "containers" / "training").mkdir(parents=True)
    (repository / "containers" / "training" / "Dockerfile").write_text(
        'FROM python:3.11\n# ENTRYPOINT ["no"]\nENTRYPOINT ["python", \\\n  "-m", "trainer"]\n'
    )
    (repository / "trainer.py").write_text(textwrap.dedent(TRAINER))
    with whole_cloud(tmp_path_factory.mktemp("training"), repository) as context:
        context.client("s3").create_bucket(Bucket="runs")
        for key, body in (("in/a.txt", "A"), ("in/sub/b.txt", "B"), ("input-not/c.txt", "C")):
            context.client("s3").put_object(Bucket="runs", Key=key, Body=body)
        make_role(
            context,
            "training",
            SAGEMAKER,
            allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::runs/*"),
            allow("s3:ListBucket", "arn:aws:s3:::runs"),
            allow(["logs:CreateLogStream", "logs:PutLogEvents", "ecr:*"]),
        )
        make_role(context, "idle", SAGEMAKER)
        yield context


def request(name: str, mode: str = "train", **changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/training",
        "HyperParameters": {"mode": mode},
        "Environment": {"FLAVOUR": "plain"},
        "InputDataConfig": [
            {
                "ChannelName": "training",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://runs/in"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://runs/out"},
        "CheckpointConfig": {"S3Uri": f"s3://runs/checkpoints/{name}"},
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def await_job(cloud: CloudContext, name: str, until: str = "") -> dict[str, Any]:
    """Wait for a job's end, or for a secondary status."""
    client = cloud.client("sagemaker")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
        if found["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"}:
            return found
        if found["SecondaryStatus"] == until:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} is still {found['SecondaryStatus']}")


def run_job(cloud: CloudContext, name: str, mode: str = "train", **changes: Any) -> dict[str, Any]:
    cloud.client("sagemaker").create_training_job(**request(name, mode, **changes))
    return await_job(cloud, name)


def model_of(cloud: CloudContext, name: str) -> tuple[bytes, Mapping[str, Any]]:
    key = f"out/{name}/output/model.tar.gz"
    packed = cloud.client("s3").get_object(Bucket="runs", Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        seen = tar.extractfile("seen.json")
        return packed, json.load(seen) if seen else {}


def test_a_job_sees_the_contract_and_leaves_its_model(cloud: CloudContext) -> None:
    found = run_job(cloud, "whole")
    assert found["TrainingJobStatus"] == "Completed"
    assert [one["Status"] for one in found["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    artifacts = found["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == "s3://runs/out/whole/output/model.tar.gz"
    assert found["TrainingTimeInSeconds"] >= 1
    _, seen = model_of(cloud, "whole")
    assert seen == {
        "hyperparameters": {"mode": "train"},
        "data": {"a.txt": "A", "b.txt": "B"},
        "host": ["algo-1"],
        "environment": ["plain", "whole", "1"],
        "checkpoints": [],
    }
    events = cloud.client("logs").get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="whole/algo-1"
    )["events"]
    text = "arguments ['train'] channels ['training']"
    assert [one["message"] for one in events] == [text]
    assert (cloud.log_directory / "training" / "whole.log").read_text() == text + "\n"
    await_absence(cloud.home / "training" / "whole")


def await_absence(path: Path) -> None:
    """Wait until a path is gone: a job is completed before its folder is removed."""
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.05)


def test_the_archive_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    packed = []
    for name, order in (("one", ("a", "b")), ("two", ("b", "a"))):
        folder = tmp_path / name
        for part in order:
            (folder / part).mkdir(parents=True)
            (folder / part / "file").write_text(part)
            time.sleep(0.01)
        packed.append(archive(folder))
    assert packed[0] == packed[1]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("fail", "AlgorithmError: ModelError: no data, exit code: 3"),
        ("killed", "AlgorithmError: the training process exited by signal 9 (SIGKILL)"),
    ],
)
def test_a_failed_process_gives_its_reason(cloud: CloudContext, mode: str, reason: str) -> None:
    found = run_job(cloud, f"ends-{mode}", mode)
    assert (found["TrainingJobStatus"], found["FailureReason"]) == ("Failed", reason)
    assert "ModelArtifacts" not in found


def test_an_interrupted_spot_job_starts_again_from_its_checkpoints(cloud: CloudContext) -> None:
    for name, spot in (("spot", True), ("on-demand", False)):
        asked = request(
            name,
            "wait-first",
            EnableManagedSpotTraining=spot,
            StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
        )
        cloud.client("sagemaker").create_training_job(**asked)
        await_line(cloud.log_directory / "training" / f"{name}.log", "waiting")
        lost = Fault(Kind.SPOT_INTERRUPTION, resource=f"*/{name}", seconds=0.0)
        write_plan(cloud.home, FaultPlan((lost,)))
        if spot:
            found = await_job(cloud, name)
            assert [one["resource"].rpartition("/")[2] for one in struck(cloud.home)] == [name]
    assert found["TrainingJobStatus"] == "Completed"
    assert [one["Status"] for one in found["SecondaryStatusTransitions"]] == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    _, seen = model_of(cloud, "spot")
    assert seen["checkpoints"] == ["step-0"]
    # A job that does not run on Spot capacity keeps its instance.
    time.sleep(1.0)
    assert struck(cloud.home) == []
    clear_plan(cloud.home)
    cloud.client("sagemaker").stop_training_job(TrainingJobName="on-demand")
    assert await_job(cloud, "on-demand")["TrainingJobStatus"] == "Stopped"


def test_what_cannot_start_fails_with_the_reason(cloud: CloudContext) -> None:
    empty = request("x")["InputDataConfig"]
    empty[0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://runs/nothing/"
    found = run_job(cloud, "empty-channel", InputDataConfig=empty)
    assert "no S3 objects found under s3://runs/nothing/" in found["FailureReason"]
    other = {"TrainingImage": IMAGE.replace("-training", "-other"), "TrainingInputMode": "File"}
    found = run_job(cloud, "no-image", AlgorithmSpecification=other)
    assert "expected its Dockerfile at" in found["FailureReason"]
    found = run_job(cloud, "no-pull", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/idle")
    assert "is not authorized to perform ecr:GetAuthorizationToken" in found["FailureReason"]


def test_the_role_of_the_job_is_what_reads_and_writes(cloud: CloudContext) -> None:
    arn = make_role(
        cloud,
        "reader",
        SAGEMAKER,
        allow("s3:GetObject", "arn:aws:s3:::runs/in/*"),
        allow("s3:ListBucket", "arn:aws:s3:::runs"),
        allow("ecr:*"),
    )
    found = run_job(cloud, "cannot-write", RoleArn=arn)
    assert found["TrainingJobStatus"] == "Failed"
    assert "not authorized to perform: s3:PutObject" in found["FailureReason"]
    streams = cloud.client("logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")[
        "logStreams"
    ]
    assert "cannot-write/algo-1" not in {one["logStreamName"] for one in streams}


def test_the_longest_runtime_ends_a_job_with_what_it_has(cloud: CloudContext) -> None:
    limit = {"MaxRuntimeInSeconds": 1}
    found = run_job(cloud, "too-long", "wait", StoppingCondition=limit)
    assert found["TrainingJobStatus"] == "Stopped"
    assert found["SecondaryStatus"] == "MaxRuntimeExceeded"
    key = "out/too-long/output/model.tar.gz"
    packed = cloud.client("s3").get_object(Bucket="runs", Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["partial.txt"]


def test_a_job_is_stopped_and_a_later_one_finds_its_checkpoints(cloud: CloudContext) -> None:
    client = cloud.client("sagemaker")
    client.create_training_job(**request("stopped", "wait"))
    await_job(cloud, "stopped", "Training")
    await_line(cloud.log_directory / "training" / "stopped.log", "waiting")
    client.stop_training_job(TrainingJobName="stopped")
    assert client.describe_training_job(TrainingJobName="stopped")["TrainingJobStatus"] in {
        "Stopping",
        "Stopped",
    }
    assert await_job(cloud, "stopped")["SecondaryStatus"] == "Stopped"
    uri = {"S3Uri": "s3://runs/checkpoints/stopped"}
    run_job(cloud, "resumed", CheckpointConfig=uri)
    assert model_of(cloud, "resumed")[1]["checkpoints"] == ["step-0"]
    with pytest.raises(ClientError, match="in status Stopped"):
        client.stop_training_job(TrainingJobName="stopped")


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(
    cloud: CloudContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localcloud.patches.sagemaker_tasks import SageMakerTask

    monkeypatch.setattr(SageMakerTask.runner, "_grace", 0.3)
    limit = {"MaxRuntimeInSeconds": 1}
    started = time.monotonic()
    found = run_job(cloud, "stubborn", "stubborn", StoppingCondition=limit)
    assert found["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert time.monotonic() - started < 50  # the trainer sleeps for 60 s


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TrainingJobName": "two--dashes-"}, "must be 1 to 63"),
        ({"HyperParameters": {"settings": "x" * 2501}}, "at most 2500 characters"),
        ({"OutputDataConfig": {"S3OutputPath": ""}}, "S3OutputPath is required"),
    ],
)
def test_what_sagemaker_refuses_is_refused(
    cloud: CloudContext, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        cloud.client("sagemaker").create_training_job(**request("refused", **changes))


def test_a_name_is_taken_once(cloud: CloudContext) -> None:
    run_job(cloud, "once", "fail")
    with pytest.raises(ClientError) as caught:
        cloud.client("sagemaker").create_training_job(**request("once"))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"


def state_machine(cloud: CloudContext, name: str, **fields: Any) -> str:
    """Create a machine that runs the job of its input and may nothing else."""
    role = make_role(
        cloud,
        f"machine-{name}",
        "states.amazonaws.com",
        allow(
            [
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}*",
        ),
        allow(
            "iam:PassRole",
            f"arn:aws:iam::{ACCOUNT}:role/training",
            Condition={"StringEquals": {"iam:PassedToService": SAGEMAKER}},
        ),
        allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"]),
    )
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "Parameters": {
            # the role stands in the definition: moto's parser drops a field "RoleArn.$"
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/training",
            **{key + ".$": f"$.{key}" for key in request("x") if key != "RoleArn"},
        },
        "End": True,
        **fields,
    }
    made = cloud.client("stepfunctions").create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "Train", "States": {"Train": task}}),
        roleArn=role,
    )
    return str(made["stateMachineArn"])


def execute(cloud: CloudContext, machine: str, given: Mapping[str, Any]) -> dict[str, Any]:
    client = cloud.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the execution is still running")


def test_a_state_waits_for_its_job(cloud: CloudContext) -> None:
    selector = {"model.$": "$.ModelArtifacts.S3ModelArtifacts"}
    machine = state_machine(cloud, "sync", ResultSelector=selector)
    found = execute(cloud, machine, request("sync-1"))
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"]) == {"model": "s3://runs/out/sync-1/output/model.tar.gz"}
    failed = execute(cloud, machine, request("sync-2", "fail"))
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(failed["cause"])
    assert cause["FailureReason"] == "AlgorithmError: ModelError: no data, exit code: 3"


def test_the_items_of_a_map_wait_for_their_own_jobs(cloud: CloudContext) -> None:
    single = state_machine(cloud, "item")
    client = cloud.client("stepfunctions")
    described = client.describe_state_machine(stateMachineArn=single)
    task = json.loads(described["definition"])["States"]["Train"]
    each = {"StartAt": "Train", "States": {"Train": task}}
    items = {
        "Type": "Map",
        "ItemsPath": "$.jobs",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **each},
        "End": True,
    }
    machine = client.create_state_machine(
        name="items",
        definition=json.dumps({"StartAt": "All", "States": {"All": items}}),
        roleArn=described["roleArn"],
    )["stateMachineArn"]
    modes = ("train", "linger", "train", "linger")
    jobs = [request(f"item-{i}", mode) for i, mode in enumerate(modes)]
    found = execute(cloud, machine, {"jobs": jobs})
    assert found["status"] == "SUCCEEDED"
    ended = [one["TrainingJobStatus"] for one in json.loads(found["output"])]
    assert ended == ["Completed"] * 4


def test_a_failed_job_is_retried_under_another_name(cloud: CloudContext) -> None:
    again = {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 2}
    machine = state_machine(cloud, "again", Retry=[again])
    client = cloud.client("stepfunctions")
    definition = client.describe_state_machine(stateMachineArn=machine)["definition"]
    named = definition.replace(
        '"TrainingJobName.$": "$.TrainingJobName"',
        '"TrainingJobName.$": "States.Format(\'again-a{}\', $$.State.RetryCount)"',
    )
    assert named != definition
    client.update_state_machine(stateMachineArn=machine, definition=named)
    found = execute(cloud, machine, request("unused", "fail-first"))
    assert found["status"] == "SUCCEEDED", found
    assert json.loads(found["output"])["TrainingJobName"] == "again-a1"


def test_a_refused_job_is_an_error_of_sagemaker(cloud: CloudContext) -> None:
    machine = state_machine(cloud, "refused")
    run_job(cloud, "refused-taken", "fail")
    taken = execute(cloud, machine, request("refused-taken"))
    assert taken["error"] == "SageMaker.ResourceInUseException"
    denied = execute(cloud, machine, request("elsewhere"))
    assert denied["error"] == "SageMaker.AmazonSageMakerException"
    assert "assumed-role/machine-refused" in denied["cause"]


def test_the_timeout_of_a_state_stops_its_job(cloud: CloudContext) -> None:
    machine = state_machine(cloud, "timeout", TimeoutSeconds=2)
    found = execute(cloud, machine, request("timeout-1", "wait"))
    assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")
    assert await_job(cloud, "timeout-1")["TrainingJobStatus"] == "Stopped"


def test_stopping_an_execution_stops_its_job(cloud: CloudContext) -> None:
    machine = state_machine(cloud, "stop")
    client = cloud.client("stepfunctions")
    given = json.dumps(request("stop-1", "wait"))
    arn = client.start_execution(stateMachineArn=machine, input=given)["executionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        jobs = cloud.client("sagemaker").list_training_jobs(NameContains="stop-1")
        if jobs["TrainingJobSummaries"]:
            break
        time.sleep(0.05)
    await_job(cloud, "stop-1", "Training")
    client.stop_execution(executionArn=arn, error="Operator", cause="enough")
    found = client.describe_execution(executionArn=arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Operator", "enough")
    assert await_job(cloud, "stop-1")["TrainingJobStatus"] == "Stopped"


def test_the_entry_point_is_the_last_one_as_words(tmp_path: Path) -> None:
    dockerfile = tmp_path / "training" / "Dockerfile"
    dockerfile.parent.mkdir()
    dockerfile.write_text('ENTRYPOINT ["old"]\nEntrypoint ["tool", "--x"]\n')
    assert entry_point(IMAGE, tmp_path) == ["tool", "--x"]
    dockerfile.write_text("ENTRYPOINT python -m job\n")
    with pytest.raises(CloudError, match=r'write \["python", "-m", "job"\]'):
        entry_point(IMAGE, tmp_path)
    dockerfile.write_text("FROM x\n")
    with pytest.raises(CloudError, match="has no ENTRYPOINT"):
        entry_point(IMAGE, tmp_path)


@pytest.mark.parametrize("uri", ["http://runs/x", "runs/x", "s3:///x", ""])
def test_only_addresses_of_s3_are_taken(uri: str) -> None:
    with pytest.raises(CloudError, match="expected an address s3://bucket/prefix"):
        split_uri(uri)


@pytest.mark.parametrize("tail", ["", ":1", "@sha256:ab", ":1@sha256:ab"])
def test_the_repository_of_an_image(tail: str) -> None:
    assert repository_of(f"host:5000/team/app-training{tail}") == "app-training"
