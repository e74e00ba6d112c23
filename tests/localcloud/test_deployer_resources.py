"""Handlers of single resource types, on a whole cloud: what they write is what the cloud has."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_cloud import create_function, write_handlers
from whole_cloud import allow, document, make_role, whole_cloud

import localcloud.deployer.resources  # noqa: F401  registers the handlers
from localcloud.context import ACCOUNT, CloudContext
from localcloud.deployer.cloud import Cloud
from localcloud.deployer.engine import Action, Engine, Registration
from localcloud.deployer.handler import Handler, handler_for
from localcloud.deployer.inert import INERT
from localcloud.deployer.state import State

LAMBDA = "lambda.amazonaws.com"
TRUST = document({"Effect": "Allow", "Principal": {"Service": LAMBDA}, "Action": "sts:AssumeRole"})
ROTATING = """
    import boto3

    def rotate(event, context):
        client = boto3.client("secretsmanager")
        token, secret = event["ClientRequestToken"], event["SecretId"]
        if event["Step"] == "testSecret":
            held = client.get_secret_value(SecretId=secret, VersionId=token)
            assert held["SecretString"] != "broken", "the staged key does not work"
        if event["Step"] == "finishSecret":
            versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
            current = next(v for v, stages in versions.items() if "AWSCURRENT" in stages)
            client.update_secret_version_stage(
                SecretId=secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=current,
            )
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    home = tmp_path_factory.mktemp("resources")
    with whole_cloud(home / "home", home / "code") as running:
        running.repository.mkdir()
        yield running


@pytest.fixture
def cloud(context: CloudContext, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in context.operator.environment().items():
        monkeypatch.setenv(name, value)
    return Cloud(context.endpoint, context.region)


def handler(cloud: Cloud, token: str) -> Handler:
    return handler_for(token, f"urn:{token}", cloud)


def test_a_managed_policy_is_versioned_and_a_changed_one_is_seen(cloud: Cloud) -> None:
    policies = handler(cloud, "aws:iam/policy:Policy")
    inputs = {"name": "ceiling", "policy": document(allow("s3:*"))}
    live = policies.create(inputs)
    assert live.id == live.outputs["arn"] == f"arn:aws:iam::{ACCOUNT}:policy/ceiling"
    assert policies.identify(inputs) == live.id
    for action in ("s3:GetObject", "s3:PutObject", "s3:List*", "sns:*", "sqs:*", "kms:*"):
        changed = {**inputs, "policy": document(allow(action))}
        found = policies.read(live.id, changed)
        assert found is not None
        assert found.drifted
        policies.update(live.id, changed)
        found = policies.read(live.id, changed)
        assert found is not None
        assert not found.drifted
    policies.delete(live.id)
    policies.delete(live.id)
    assert policies.read(live.id, inputs) is None


def test_the_boundary_of_a_role_is_put_and_taken_away(cloud: Cloud) -> None:
    roles = handler(cloud, "aws:iam/role:Role")
    policies = handler(cloud, "aws:iam/policy:Policy")
    boundary = policies.create({"name": "edge", "policy": document(allow("s3:*"))}).id
    bound = {"name": "bound", "assumeRolePolicy": TRUST, "permissionsBoundary": boundary}
    free = {"name": "bound", "assumeRolePolicy": TRUST}
    roles.create(bound)
    iam = cloud.client("iam")

    def held() -> Any:
        found = iam.get_role(RoleName="bound")["Role"].get("PermissionsBoundary", {})
        return found.get("PermissionsBoundaryArn")

    assert held() == boundary
    roles.update("bound", free)
    assert held() is None
    roles.update("bound", bound)
    assert held() == boundary


def test_an_alarm_on_metric_math_keeps_its_queries(cloud: Cloud) -> None:
    alarms = handler(cloud, "aws:cloudwatch/metricAlarm:MetricAlarm")
    metric = {"namespace": "N", "metricName": "M", "period": 60, "stat": "Sum"}
    alarms.create(
        {
            "name": "math",
            "evaluationPeriods": 3,
            "datapointsToAlarm": 2,
            "threshold": 1,
            "comparisonOperator": "GreaterThanThreshold",
            "metricQueries": [
                {"id": "m", "returnData": False, "metric": {**metric, "dimensions": {"D": "v"}}},
                {"id": "judged", "expression": "FILL(m, 0)", "label": "L", "returnData": True},
            ],
        }
    )
    (found,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=["math"])["MetricAlarms"]
    queries = {one["Id"]: one for one in found["Metrics"]}
    dimensions = [{"Name": "D", "Value": "v"}]
    assert queries["m"]["MetricStat"]["Metric"]["Dimensions"] == dimensions
    assert queries["judged"]["Expression"] == "FILL(m, 0)"


def test_dashboards_and_metric_filters_come_and_go(cloud: Cloud) -> None:
    groups = handler(cloud, "aws:cloudwatch/logGroup:LogGroup")
    groups.create({"name": "/aws/lambda/x", "retentionInDays": 14, "kmsKeyId": "arn:aws:kms:k"})
    settings = (
        (
            "aws:cloudwatch/dashboard:Dashboard",
            {"dashboardName": "ops", "dashboardBody": '{"widgets": []}'},
        ),
        (
            "aws:cloudwatch/logMetricFilter:LogMetricFilter",
            {
                "name": "errors",
                "logGroupName": "/aws/lambda/x",
                "pattern": '{ $.level = "ERROR" }',
                "metricTransformation": {"name": "Errors", "namespace": "T", "value": "1"},
            },
        ),
    )
    for token, inputs in settings:
        one = handler(cloud, token)
        live = one.create(inputs)
        assert one.read(live.id, inputs) is not None
        one.update(live.id, inputs)
        one.delete(live.id)
        assert one.read(live.id, inputs) is None


def test_a_key_is_restored_with_its_id(cloud: Cloud, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    policy = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    )
    key = Registration("urn:key", "aws:kms/key:Key", "key", {"policy": policy, "tags": {"a": "b"}})
    identity, outputs = Engine(cloud, State.load(state)).register(key)
    from moto.kms.models import kms_backends

    kms_backends[ACCOUNT][cloud.region].keys.clear()
    engine = Engine(cloud, State.load(state))
    assert engine.register(key) == (identity, outputs)
    assert [one.action for one in engine.changes] == [Action.RESTORED]
    tags = cloud.client("kms").list_resource_tags(KeyId=identity)["Tags"]
    assert tags == [{"TagKey": "a", "TagValue": "b"}]


def test_a_function_has_its_letters_storage_and_concurrency(cloud: Cloud) -> None:
    functions = handler(cloud, "aws:lambda/function:Function")
    role = handler(cloud, "aws:iam/role:Role").create({"name": "f", "assumeRolePolicy": TRUST})
    inputs = {
        "name": "whole",
        "packageType": "Image",
        "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/functions:1",
        "role": role.outputs["arn"],
        "imageConfig": {"commands": ["tasks.rotate"]},
        "reservedConcurrentExecutions": 2,
        "deadLetterConfig": {"targetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"},
        "ephemeralStorage": {"size": 1024},
        "kmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
    }
    functions.create(inputs)
    client = cloud.client("lambda")
    found = client.get_function_configuration(FunctionName="whole")
    assert found["EphemeralStorage"] == {"Size": 1024}
    assert found["DeadLetterConfig"]["TargetArn"].endswith(":letters")
    concurrency = client.get_function_concurrency(FunctionName="whole")
    assert concurrency["ReservedConcurrentExecutions"] == 2
    for none in ({}, {"reservedConcurrentExecutions": -1}):
        functions.update("whole", {**inputs, "reservedConcurrentExecutions": None, **none})
        found = client.get_function_concurrency(FunctionName="whole")
        assert "ReservedConcurrentExecutions" not in found


def test_a_rotation_tests_the_staged_key_and_promotes_it(
    cloud: Cloud, context: CloudContext
) -> None:
    write_handlers(context, "tasks", ROTATING)
    make_role(context, "function", LAMBDA, allow(["secretsmanager:*", "logs:*"]))
    arn = create_function(context, "rotate", "tasks.rotate")
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="provider", SecretString="old")
    rotations = handler(cloud, "aws:secretsmanager/secretRotation:SecretRotation")
    inputs = {
        "secretId": "provider",
        "rotationLambdaArn": arn,
        "rotateImmediately": False,
        "rotationRules": {"automaticallyAfterDays": 90},
    }
    with pytest.raises(Exception, match="does not let secretsmanager.amazonaws.com"):
        rotations.create(inputs)
    context.client("lambda").add_permission(
        FunctionName="rotate",
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=ACCOUNT,
    )
    rotations.create(inputs)
    found = rotations.read("provider", inputs)
    assert found is not None
    assert not found.drifted
    for staged, promoted in (("broken", False), ("new", True)):
        secrets.put_secret_value(
            SecretId="provider", SecretString=staged, VersionStages=["AWSPENDING"]
        )
        secrets.rotate_secret(SecretId="provider")
        expected = staged if promoted else "old"
        if not promoted:
            await_text(context.log_directory / "lambda" / "rotate.log", "AssertionError")
        await_value(secrets, expected)


def test_the_first_version_of_a_secret_is_the_current_one_under_whatever_label(
    cloud: Cloud,
) -> None:
    """As on AWS, where a key that is staged in an empty secret is in use before it is tested."""
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="unfilled")
    for value, current in (("first", "first"), ("second", "first")):
        secrets.put_secret_value(
            SecretId="unfilled", SecretString=value, VersionStages=["AWSPENDING"]
        )
        assert secrets.get_secret_value(SecretId="unfilled")["SecretString"] == current


def await_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def await_value(secrets: Any, expected: str) -> None:
    deadline = time.monotonic() + 60
    while secrets.get_secret_value(SecretId="provider")["SecretString"] != expected:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_inert_resources_have_stable_outputs_in_the_form_of_aws(
    cloud: Cloud, tmp_path: Path
) -> None:
    cluster = Registration("urn:c", "aws:ecs/cluster:Cluster", "c", {"name": "dashboard"})
    answers = [Engine(cloud, State.load(tmp_path / "s")).register(cluster) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0].endswith(":cluster/dashboard")
    assert json.dumps(answers[0][1])
    assert all(reason.endswith(".") for reason in INERT.values())


def test_a_buckets_lifecycle_is_held_whole(cloud: Cloud) -> None:
    client = cloud.client("s3")
    client.create_bucket(Bucket="tidied")
    rule = {
        "id": "tidy",
        "status": "Enabled",
        "filter": {"prefix": "logs/"},
        "expiration": {"days": 400},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        "noncurrentVersionExpiration": {"noncurrentDays": 90, "newerNoncurrentVersions": 3},
        "transitions": [{"days": 30, "storageClass": "INTELLIGENT_TIERING"}],
    }
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    handler(cloud, token).create({"bucket": "tidied", "rules": [rule]})
    (held,) = client.get_bucket_lifecycle_configuration(Bucket="tidied")["Rules"]
    assert held["Filter"] == {"Prefix": "logs/"}
    assert held["Expiration"] == {"Days": 400}
    assert held["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert held["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    assert held["Transitions"] == [{"Days": 30, "StorageClass": "INTELLIGENT_TIERING"}]
