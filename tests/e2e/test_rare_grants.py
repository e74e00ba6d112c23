"""What the roles may do beside months and days that go well, on the deployed stack.

The kill switch, months that are refused, approval, a stopped training, an alert that fails: each is
short here. Together with the months and days of the other tests every grant is used.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from least_privilege import ExpectRefused
from trading_home import FEBRUARY, OpenCloud, TradingHome

from localcloud.faults import Fault, FaultPlan, Kind, clear_plan, write_plan
from trading.agents.artifact import MANIFEST, Manifest, Member
from trading.month.ledger import Ledger, RunRecord
from trading.month.payloads import ChampionRef

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LONGEST_WAIT = 240.0
MANIFEST_OF_NONE = Manifest(
    kind="baseline",
    members=(Member(name="baseline", final="baseline.npz"),),
    trained_through=date(2024, 12, 31),
    features_version="1",
    data_hash="none",
    slots_version="none",
)
MONTH: Mapping[str, Any] = {
    "month": "2025-02",
    "as_of": FEBRUARY,
    "run": 1,
    "execution": "by-hand",
    "correlation_id": "by-hand",
}
VALIDATED: Mapping[str, Any] = {
    "passed": True,
    "version": "0123456789abcdef",
    "challenger_prefix": "archive/challenger",
    "baseline_prefix": "archive/baseline",
    "verdict_uri": "s3://models/verdict.json",
    "reasons": ["everything passed"],
    "approval_seconds": 600,
}


def test_what_is_rarely_needed_is_granted(home: TradingHome, expect_refused: ExpectRefused) -> None:
    alarm = "arn:aws:sns:*:trading-dev-alerts-critical"
    expect_refused(home.cloud_home, "*/trading-dev-alert-day/*", "sns:Publish", alarm)
    with home.cloud() as cloud:
        ledger = ledger_of(cloud)
        answers_for_its_health(cloud)
        ledger.switch.pause("the test", "nothing may run")
        starts_no_month_while_paused(cloud, home)
        alerts_plainly_when_the_alert_fails(cloud)
        assert ledger.switch.resume()
        refuses_a_month_without_champion(cloud, ledger)
        takes_promotions_back(cloud, ledger)
        refuses_an_execution_without_month(cloud)
        let_begin_at(cloud, "AwaitApproval", "Train")
        asks_for_approval(cloud, ledger)
        stops_the_training_of_a_stopped_month(cloud, home.cloud_home)


def answers_for_its_health(cloud: OpenCloud) -> None:
    """A lake without a catalog is an empty one, for those who may list it."""
    answer = invoke(cloud, "api_health", {})
    assert answer["statusCode"] == 200, answer
    assert {check["found"] for check in json.loads(answer["body"])["checks"]} >= {
        "no month has run yet"
    }


def starts_no_month_while_paused(cloud: OpenCloud, home: TradingHome) -> None:
    """The schedule of the month calls its function, whatever day it is."""
    scheduler = cloud.client("scheduler")
    groups = [one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]]
    group = next(name for name in groups if name != "default")
    held = scheduler.get_schedule(Name="start-month", GroupName=group)
    scheduler.update_schedule(
        Name="start-month",
        GroupName=group,
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=5):%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow=held["FlexibleTimeWindow"],
        Target=held["Target"],
        State="ENABLED",
    )
    log = home.cloud_home / "logs" / "lambda" / "trading-dev-start-month.log"
    wait_for(lambda: log.exists() and "REPORT" in log.read_text(), "the schedule")
    assert executions(cloud, "state_machine_arn") == []
    request = {"as_of": FEBRUARY, "correlation_id": "paused"}
    answers = [invoke(cloud, "start_month", request) for _ in range(2)]
    assert [answer["outcome"] for answer in answers] == ["paused", "paused"]


def alerts_plainly_when_the_alert_fails(cloud: OpenCloud) -> None:
    """The machine of the day tells the operator itself where its function may not."""
    iam = cloud.client("iam")
    role = "trading-dev-alert-day"
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    kept = [one for one in document["Statement"] if one["Sid"] != "PublishAlert"]
    less = json.dumps({**document, "Statement": kept})
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=less)
    run(cloud, "daily_state_machine_arn", "paused", {})
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def refuses_a_month_without_champion(cloud: OpenCloud, ledger: Ledger) -> None:
    """What was refused is forgotten, and may be asked for again under the same id."""
    arn = str(cloud.outputs["state_machine_arn"]).replace(":stateMachine:", ":execution:")
    lost = RunRecord(
        month="2025-01",
        as_of=date(2025, 1, 2),
        run=1,
        status="RUNNING",
        execution_arn=f"{arn}:lost",
    )
    ledger.claim_run(lost)
    request = {"as_of": FEBRUARY, "correlation_id": "twice", "overrides": {"skip_training": True}}
    for _ in range(2):
        answer = invoke(cloud, "start_month", request)
        assert "has no champion to score with" in answer["errorMessage"]


def takes_promotions_back(cloud: OpenCloud, ledger: Ledger) -> None:
    """Back to the model before, then to none; the registry is told of both."""
    bucket = str(cloud.outputs["models_store"]).removeprefix("s3://").rstrip("/")
    places = {"2025-01": "production/2025-01/first", "2025-02": "archive/2025-02/second"}
    for month, prefix in places.items():
        manifest = MANIFEST_OF_NONE.model_copy(update={"version": f"model-of-{month}"})
        body = manifest.model_dump_json().encode()
        cloud.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/{MANIFEST}", Body=body)
        ref = ChampionRef(version=manifest.version, kind="baseline", prefix=prefix, month=month)
        ledger.models.enter(ref, "CHAMPION" if month == MONTH["month"] else "ARCHIVED", "test", "")
        ledger.promote(ref, "by-hand")
    failure = {"Error": "Unknown", "Cause": "of the test"}
    for month, left in (("2025-02", "model-of-2025-01"), ("2025-01", None)):
        request = {"month": {**MONTH, "month": month}, "failure": failure}
        assert invoke(cloud, "rollback", request) == {"safe": True, "reason": ""}
        champion = ledger.champion()
        assert (champion.version if champion else None) == left
    assert {record.status for record in ledger.models.all()} == {"CANDIDATE"}


def refuses_an_execution_without_month(cloud: OpenCloud) -> None:
    run(cloud, "state_machine_arn", "without-month", {})


def asks_for_approval(cloud: OpenCloud, ledger: Ledger) -> None:
    given = {"begin_at": "AwaitApproval", "month": MONTH, "validated": VALIDATED}
    execution = start(cloud, "state_machine_arn", "waits", given)
    wait_for(lambda: ledger.approvals.read("2025-02"), "the request for approval")
    cloud.client("stepfunctions").stop_execution(executionArn=execution)


def stops_the_training_of_a_stopped_month(cloud: OpenCloud, home: Path) -> None:
    """A training that waits for its data is stopped with the execution that waits for it."""
    runs = str(cloud.outputs["runs_store"])
    bucket = runs.removeprefix("s3://").rstrip("/")
    cloud.client("s3").put_object(Bucket=bucket, Key="runs/none/dataset.npz", Body=b"none")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{runs}/runs/none"}
    name = "trading-dev-2025-02-r1-ppo-s0"
    job = {
        "name": name,
        "algorithm": "ppo",
        "seed": 0,
        "finished": False,
        "output_uri": f"{runs}/training/none/models",
        "checkpoint_uri": f"{runs}/training/none/checkpoints",
        "hyperparameters": {"algorithm": "ppo", "seed": "0"},
        "channels": [{"ChannelName": "training", "DataSource": {"S3DataSource": source}}],
    }
    prepared = {
        "jobs": [job],
        "stopping_condition": {"MaxRuntimeInSeconds": 600},
        "spot": False,
        "timeout_seconds": 600,
        "max_parallel_jobs": 1,
    }
    slow = Fault(
        Kind.DELAY, action="s3:ListBucket", principal="*/trading-dev-training/*", seconds=9
    )
    write_plan(home, FaultPlan((slow,)))
    given = {"begin_at": "Train", "month": MONTH, "prepared": prepared}
    execution = start(cloud, "state_machine_arn", "trains", given)
    trainings = cloud.client("sagemaker")
    listed = "TrainingJobSummaries"
    wait_for(lambda: trainings.list_training_jobs(NameContains=name)[listed], "the training")
    cloud.client("stepfunctions").stop_execution(executionArn=execution)
    job_name = f"{name}-a0"
    ended = wait_for(
        lambda: (
            status
            if (status := trainings.describe_training_job(TrainingJobName=job_name))[
                "TrainingJobStatus"
            ]
            not in {"InProgress", "Stopping"}
            else None
        ),
        "the end of the training",
    )
    clear_plan(home)
    assert ended["TrainingJobStatus"] == "Stopped", ended


def invoke(cloud: OpenCloud, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call a function as the operator, and return what it answers."""
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["functions"][name], Payload=json.dumps(event)
    )
    with closing(answer["Payload"]) as payload:
        loaded: dict[str, Any] = json.loads(payload.read())
    return loaded


def let_begin_at(cloud: OpenCloud, *names: str) -> None:
    """Let an execution of the month begin at the state that its input names in `begin_at`."""
    states, arn = cloud.client("stepfunctions"), cloud.outputs["state_machine_arn"]
    definition = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
    choices = [{"Variable": "$.begin_at", "StringEquals": n, "Next": n} for n in names]
    definition["States"]["Choose"] = {"Type": "Choice", "Choices": choices, "Default": "IsWhole"}
    definition["StartAt"] = "Choose"
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))


def start(cloud: OpenCloud, machine: str, name: str, given: Mapping[str, Any]) -> str:
    """Start an execution; return its ARN."""
    started = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.outputs[machine], name=name, input=json.dumps(given)
    )
    return str(started["executionArn"])


def run(cloud: OpenCloud, machine: str, name: str, given: Mapping[str, Any]) -> None:
    """Run an execution to its end, which is a failure that was told."""
    arn = start(cloud, machine, name, given)
    states = cloud.client("stepfunctions")
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] == "FAILED", name)


def executions(cloud: OpenCloud, machine: str) -> list[Any]:
    """Return all executions of a machine."""
    arn = cloud.outputs[machine]
    found: list[Any] = cloud.client("stepfunctions").list_executions(stateMachineArn=arn)[
        "executions"
    ]
    return found


def ledger_of(cloud: OpenCloud) -> Ledger:
    """Return the cloud's ledger, as the operator sees it."""
    resource = cloud.session.resource("dynamodb", endpoint_url=cloud.endpoint)
    return Ledger(str(cloud.outputs["ledger_table"]), resource)


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """Wait until something is there; return it."""
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come in {LONGEST_WAIT:.0f} s")
