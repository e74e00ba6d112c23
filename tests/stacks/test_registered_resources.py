"""Properties of everything that the program registers."""

import json
import re
from collections import Counter
from typing import Any

import pytest
from policy_linter import findings

import localcloud.deployer.resources  # noqa: F401  registers the handlers
from localcloud.deployer.handler import known_types
from localcloud.deployer.inert import INERT
from stackcheck.recording import ROOT, Recorded, Recording
from stacks.configuration import RETENTION_DAYS
from stacks.functions_catalogue import FUNCTIONS
from stacks.policies import WILDCARD_REASONS
from trading.data.providers.keys import VARIABLES

IDENTITY_POLICY = "aws:iam/rolePolicy:RolePolicy"
POLICY_INPUTS = {
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
    IDENTITY_POLICY: "policy",
    "aws:kms/key:Key": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
}


def policies(recording: Recording) -> list[tuple[Recorded, dict[str, Any]]]:
    return [
        (one, json.loads(one.inputs[POLICY_INPUTS[one.type]]))
        for one in recording.resources
        if one.type in POLICY_INPUTS
    ]


def test_functions_are_those_of_the_catalogue_and_of_the_folder(dev: Recording) -> None:
    files = {path.stem for path in (ROOT / "functions").glob("*.py")} - {"__init__", "station"}
    assert {one.name for one in dev.of("aws:lambda/function:Function")} == set(FUNCTIONS) == files


def test_every_function_has_its_own_role_log_group_and_limits(dev: Recording) -> None:
    functions = dev.of("aws:lambda/function:Function")
    groups = {one.inputs["name"] for one in dev.of("aws:cloudwatch/logGroup:LogGroup")}
    roles = Counter(one.inputs["role"] for one in functions)
    assert set(roles.values()) == {1}
    for one in functions:
        inputs = one.inputs
        assert inputs["loggingConfig"]["logGroup"] == f"/aws/lambda/{inputs['name']}"
        assert inputs["loggingConfig"]["logGroup"] in groups
        assert 1 <= inputs["timeout"] <= 900
        assert 128 <= inputs["memorySize"] <= 10240
        assert inputs["packageType"] == "Image"
        assert inputs["imageConfig"]["commands"] == [f"functions.{one.name}.handler"]
        assert inputs["tracingConfig"]["mode"] == "Active"
        assert len(inputs["name"]) <= 64


def test_environment_names_everything_the_contract_names(dev: Recording) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text[text.index("### The month (`trading.month`") : text.index("Tables (on-demand")]
    contract = set(re.findall(r"TRADING_[A-Z_]+", section))
    assert "TRADING_LEDGER_TABLE" in contract
    for one in dev.of("aws:lambda/function:Function"):
        variables = one.inputs["environment"]["variables"]
        assert contract <= set(variables)
        assert all(variables.values())
        assert variables["POWERTOOLS_SERVICE_NAME"] == one.name
        assert sum(len(k) + len(v) for k, v in variables.items()) <= 4096


@pytest.mark.parametrize(
    "setting",
    [
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
    ],
)
def test_every_bucket_has_every_setting(dev: Recording, setting: str) -> None:
    buckets = {one.inputs["bucket"] for one in dev.of("aws:s3/bucket:Bucket")}
    assert len(buckets) == 3
    assert {one.inputs["bucket"] for one in dev.of(setting)} == buckets


def test_buckets_are_private_encrypted_versioned_and_refuse_plain_http(dev: Recording) -> None:
    for one in dev.of("aws:s3/bucket:Bucket"):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", one.inputs["bucket"])
    for block in dev.of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"):
        switches = {k: v for k, v in block.inputs.items() if k != "bucket"}
        assert len(switches) == 4
        assert all(switches.values())
    encryption = (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    for one in dev.of(encryption):
        rule = one.inputs["rules"][0]
        assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "aws:kms"}
    for one in dev.of("aws:s3/bucketVersioning:BucketVersioning"):
        assert one.inputs["versioningConfiguration"] == {"status": "Enabled"}
    for one in dev.of("aws:s3/bucketPolicy:BucketPolicy"):
        (statement,) = json.loads(one.inputs["policy"])["Statement"]
        arn = f"arn:aws:s3:::{one.inputs['bucket']}"
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] == "*"
        assert statement["Resource"] == [arn, f"{arn}/*"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_tables_are_encrypted_recoverable_and_on_demand(dev: Recording) -> None:
    tables = {one.name: one.inputs for one in dev.of("aws:dynamodb/table:Table")}
    assert set(tables) == {"ledger", "signals", "performance", "idempotency"}
    for inputs in tables.values():
        assert inputs["billingMode"] == "PAY_PER_REQUEST"
        assert inputs["pointInTimeRecovery"] == {"enabled": True}
        assert inputs["serverSideEncryption"] == {"enabled": True}
        keys = {inputs["hashKey"], inputs.get("rangeKey")} - {None}
        assert {a["name"] for a in inputs["attributes"]} == keys
        assert {a["type"] for a in inputs["attributes"]} == {"S"}
    assert tables["idempotency"]["ttl"] == {"attributeName": "expiration", "enabled": True}


def test_log_groups_keep_events_as_long_as_cloudwatch_can_be_told(dev: Recording) -> None:
    groups = dev.of("aws:cloudwatch/logGroup:LogGroup")
    assert len(groups) == len(FUNCTIONS) + 2
    assert {one.inputs["retentionInDays"] for one in groups} == {30} <= RETENTION_DAYS


def test_images_are_scanned_and_their_tags_never_move(dev: Recording) -> None:
    repositories = dev.of("aws:ecr/repository:Repository")
    assert {one.name for one in repositories} == {"functions", "training", "dashboard"}
    for one in repositories:
        assert one.inputs["imageTagMutability"] == "IMMUTABLE"
        assert one.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    for image in dev.of("docker-build:index:Image"):
        assert image.inputs["platforms"] == ["linux/amd64"]
        assert re.fullmatch(r".+/trading-dev-\w+:[0-9a-f]{16}", image.inputs["tags"][0])


def test_only_explained_statements_cover_every_resource(dev: Recording) -> None:
    seen = set()
    for one, policy in policies(dev):
        for statement in policy["Statement"]:
            resources = statement.get("Resource", [])
            if statement["Effect"] == "Allow" and "*" in resources:
                assert resources == ["*"]
                assert statement["Sid"] in WILDCARD_REASONS, one.urn
                seen.add(statement["Sid"])
            if one.type == IDENTITY_POLICY:
                assert all(not action.endswith("*") for action in statement["Action"])
    assert seen == set(WILDCARD_REASONS)


def test_parliament_finds_nothing_wrong_with_the_policies_of_roles(prod: Recording) -> None:
    linted = [(one, policy) for one, policy in policies(prod) if one.type == IDENTITY_POLICY]
    assert len(linted) == len(FUNCTIONS) + 5
    for one, policy in linted:
        assert findings(policy) == [], one.urn


def test_the_linter_would_find_a_mistake(dev: Recording) -> None:
    _, policy = next(pair for pair in policies(dev) if pair[0].type == IDENTITY_POLICY)
    policy["Statement"][0]["Action"] = ["logs:PutLogEvent"]
    assert findings(policy)


def test_policies_are_small_enough_to_be_inline(dev: Recording) -> None:
    for one, policy in policies(dev):
        assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240, one.urn


def test_passing_a_role_is_limited_to_training(dev: Recording) -> None:
    passing = [
        statement
        for _, policy in policies(dev)
        for statement in policy["Statement"]
        if "iam:PassRole" in statement["Action"]
    ]
    assert [statement["Resource"] for statement in passing] == [
        ["arn:aws:iam::123456789012:role/trading-dev-training"]
    ]
    assert passing[0]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_mail_is_sent_only_from_the_sender(dev: Recording) -> None:
    sending = {
        one.name: statement
        for one, policy in policies(dev)
        for statement in policy["Statement"]
        if "ses:SendEmail" in statement["Action"]
    }
    assert set(sending) == {"notify"}
    assert sending["notify"]["Condition"] == {
        "StringEquals": {"ses:FromAddress": "signals@trading.example"}
    }


@pytest.mark.parametrize("machine", ["monthly", "daily"])
def test_a_machine_calls_exactly_the_functions_its_definition_names(
    dev: Recording, machine: str
) -> None:
    machines = {one.name: one for one in dev.of("aws:sfn/stateMachine:StateMachine")}
    assert set(machines) == {"monthly", "daily"}
    definition = machines[machine].inputs["definition"]
    called = set(re.findall(r'"(arn:aws:lambda:[^"]+)"', definition))
    (policy,) = (
        p for one, p in policies(dev) if one.name == machine and one.type == IDENTITY_POLICY
    )
    (invoke,) = (s for s in policy["Statement"] if s["Action"] == ["lambda:InvokeFunction"])
    assert set(invoke["Resource"]) == called
    assert "${" not in definition


def test_only_the_fetch_reads_the_keys_of_providers_and_only_those(dev: Recording) -> None:
    secrets = {one.inputs["name"] for one in dev.of("aws:secretsmanager/secret:Secret")}
    assert secrets == {f"trading-dev/providers/{name}" for name in VARIABLES}
    reading = {
        one.name: statement["Resource"]
        for one, policy in policies(dev)
        for statement in policy["Statement"]
        if any(action.startswith("secretsmanager:") for action in statement["Action"])
    }
    assert set(reading) == {"fetch_daily"}
    assert len(reading["fetch_daily"]) == len(secrets)
    assert not any(arn.endswith("*") for arn in reading["fetch_daily"])


def test_every_machine_is_watched(dev: Recording) -> None:
    alarms = {one.name for one in dev.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    for machine in ("month", "day"):
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
            assert f"{machine}-{metric}" in alarms


def test_schedules_are_those_of_the_configuration(dev: Recording) -> None:
    schedules = {one.name: one.inputs for one in dev.of("aws:scheduler/schedule:Schedule")}
    assert schedules["start-month"]["scheduleExpression"] == "cron(0 7 1-5 * ? *)"
    assert schedules["start-month"]["scheduleExpressionTimezone"] == "America/New_York"
    assert schedules["fetch-daily"]["scheduleExpression"] == "cron(0 6 ? * TUE-SAT *)"
    assert schedules["fetch-daily"]["scheduleExpressionTimezone"] == "UTC"
    assert all(one["target"]["deadLetterConfig"]["arn"] for one in schedules.values())
    assert ":stateMachine:trading-dev-daily" in schedules["fetch-daily"]["target"]["arn"]


def test_every_environment_has_its_own_names(dev: Recording, prod: Recording) -> None:
    named = {"name", "bucket", "configurationSetName"}
    ours = {(o.type, o.inputs[k]) for o in dev.resources for k in named & set(o.inputs)}
    theirs = {(o.type, o.inputs[k]) for o in prod.resources for k in named & set(o.inputs)}
    shared = {name for type_, name in ours & theirs if type_ not in SCOPED}
    assert shared == set()


# Names inside a role, or inside a schedule group.
SCOPED = frozenset({IDENTITY_POLICY, "aws:scheduler/schedule:Schedule"})


def test_production_protects_what_holds_data(dev: Recording, prod: Recording) -> None:
    stateful = ("aws:s3/bucket:Bucket", "aws:dynamodb/table:Table", "aws:kms/key:Key")
    for type_ in stateful:
        assert all(one.protect for one in prod.of(type_))
        assert not any(one.protect for one in dev.of(type_))
    assert all(
        one.inputs["deletionProtectionEnabled"] for one in prod.of("aws:dynamodb/table:Table")
    )
    assert not any(one.inputs["forceDestroy"] for one in prod.of("aws:s3/bucket:Bucket"))


def test_everything_that_takes_tags_has_them(dev: Recording) -> None:
    for one in dev.resources:
        if "tags" in one.inputs and one.custom and one.type not in INERT:
            assert one.inputs["tags"]["Environment"] == "dev"
            assert one.inputs["tags"]["Project"] == "trading"


def test_components_have_types_of_the_project(dev: Recording) -> None:
    components = [o for o in dev.resources if not o.custom and o.type != "pulumi:pulumi:Stack"]
    assert len(components) == 12
    for one in components:
        assert re.fullmatch(r"trading:[a-z]+:[A-Z][A-Za-z]+", one.type)


def test_the_embedded_cloud_provisions_every_type(dev: Recording, prod: Recording) -> None:
    used = {one.type for one in (*dev.resources, *prod.resources) if one.custom}
    assert used - known_types() - set(INERT) == set()


def test_outputs_are_what_the_command_needs(dev: Recording) -> None:
    outputs = dev.outputs
    assert outputs["data_store"] == "s3://trading-dev-data-123456789012"
    assert outputs["ledger_table"] == "trading-dev-ledger"
    assert outputs["functions"]["start_month"] == "trading-dev-start-month"
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:trading-dev-monthly"
    assert outputs["state_machine_arn"] == arn
    assert set(outputs) >= {
        *("models_store", "runs_store", "signals_table", "performance_table"),
        *("idempotency_table", "alert_topic_arn", "training_image", "training_role_arn"),
        *("configuration_set", "environment", "sender"),
    }
    for one in dev.of("aws:lambda/function:Function"):
        assert one.inputs["environment"]["variables"]["TRADING_STATE_MACHINE"] == arn
