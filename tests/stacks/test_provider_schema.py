"""The program against the real AWS provider: validated, planned, and the plan scanned.

The provider and the scanner take longer to start than to look at the three environments: they look
at all in one run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from stackcheck.definitions import problems
from stackcheck.errors import StackCheckError
from stackcheck.plan import Terraform
from stackcheck.recording import STACKS, Recorded, Recording
from stackcheck.scan import Failed, checkov, excuses, scan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    try:
        return Terraform(tmp_path_factory.mktemp("terraform"))
    except StackCheckError as error:
        pytest.skip(f"the AWS provider cannot be had here: {error}")


def changed(recording: Recording, type_: str, change: Mapping[str, Any]) -> Recording:
    """Return the first resource of a type alone, with inputs changed; None removes one."""
    (one, *_) = recording.of(type_)
    inputs = {k: v for k, v in (one.inputs | change).items() if v is not None}
    return replace(recording, resources=(replace(one, inputs=inputs),))


def together(*recordings: Recording) -> Recording:
    """Return several stacks as one, each resource named after its stack."""

    def resources() -> Iterator[Recorded]:
        for recording in recordings:
            for one in recording.resources:
                yield replace(one, name=f"{recording.stack}-{one.name}")

    return Recording("together", tuple(resources()), recordings[0].outputs)


@pytest.fixture(scope="module")
def careless(dev: Recording) -> Recording:
    """The buckets of a program that forgot to keep the public out."""
    kept = [one for one in dev.aws if one.type.startswith("aws:s3/bucket")]
    buckets = [one for one in kept if "PublicAccessBlock" not in one.type]
    assert len(buckets) < len(kept)
    renamed = {one.urn: one.urn.replace(":dev:", ":careless:") for one in buckets}
    depending = [
        {key: tuple(renamed.get(urn, urn) for urn in urns) for key, urns in properties.items()}
        for properties in (one.property_depends_on for one in buckets)
    ]
    resources = tuple(
        replace(one, urn=renamed[one.urn], property_depends_on=properties)
        for one, properties in zip(buckets, depending, strict=True)
    )
    return Recording("careless", resources, dev.outputs)


@pytest.fixture(scope="module")
def everything(
    dev: Recording, staging: Recording, prod: Recording, careless: Recording
) -> Recording:
    return together(dev, staging, prod, careless)


@pytest.fixture(scope="module")
def planned(terraform: Terraform, everything: Recording) -> Mapping[str, Any]:
    return terraform.plan(everything, referenced=True)


@pytest.fixture(scope="module")
def failed(
    planned: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, list[Failed]]:
    """Stack to the rules that its resources fail."""
    try:
        checkov()
    except StackCheckError as error:
        pytest.skip(f"the plan cannot be scanned here: {error}")
    found: dict[str, list[Failed]] = {stack: [] for stack in (*STACKS, "careless")}
    for one in scan(planned, tmp_path_factory.mktemp("scan")):
        found[one.resource.partition(".")[2].partition("-")[0]].append(one)
    return found


def test_the_provider_accepts_every_value(
    terraform: Terraform, dev: Recording, staging: Recording, prod: Recording
) -> None:
    assert terraform.validate(together(dev, staging, prod), referenced=False) == []


def test_the_program_plans(planned: Mapping[str, Any], everything: Recording) -> None:
    created = [
        one["address"]
        for one in planned["resource_changes"]
        if one["change"]["actions"] == ["create"]
    ]
    assert len(created) == len(everything.aws) > 300


@pytest.mark.parametrize("stack", STACKS)
def test_every_failed_rule_has_a_reason(failed: Mapping[str, list[Failed]], stack: str) -> None:
    excused = excuses()
    assert [one for one in failed[stack] if one.rule not in excused] == []
    if stack == "prod":
        needed = {one.rule for one in failed[stack]}
        assert needed == set(excused), "an excuse that nothing needs"


def test_the_scan_sees_a_careless_program(failed: Mapping[str, list[Failed]]) -> None:
    assert "CKV2_AWS_6" in {one.rule for one in failed["careless"]}


def test_mistakes_are_found(terraform: Terraform, prod: Recording) -> None:
    """One run of the provider over a program with a mistake of each kind."""
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgoritm": "aws:kms"}}
    mistakes: dict[str, tuple[str, dict[str, Any], str]] = {
        "a misspelt nested key": (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            {"rules": [rule]},
            "sse_algoritm",
        ),
        "an unknown argument": ("aws:sqs/queue:Queue", {"retention": 1}, "retention"),
        "a value that is none of an enumeration": (
            "aws:dynamodb/table:Table",
            {"billingMode": "PAY_AS_YOU_GO"},
            "billing_mode",
        ),
        "a wrong type": ("aws:lambda/function:Function", {"timeout": "soon"}, "timeout"),
        "a missing argument": ("aws:iam/rolePolicy:RolePolicy", {"role": None}, "role"),
        "a missing block": (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"versioningConfiguration": None},
            "versioning_configuration",
        ),
        "no JSON": ("aws:s3/bucketPolicy:BucketPolicy", {"policy": "{"}, "policy"),
        "a retention that there is none of": (
            "aws:cloudwatch/logGroup:LogGroup",
            {"retentionInDays": 13},
            "retention_in_days",
        ),
        "no ARN": (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {"alarmActions": ["alerts"]},
            "alarm_actions",
        ),
    }
    each = [changed(prod, type_, change) for type_, change, _ in mistakes.values()]
    found = terraform.validate(together(*each), referenced=False)
    for mistake, (_, _, word) in mistakes.items():
        assert any(word in str(one) for one in found), f"{mistake} is not found"


def test_a_broken_state_machine_does_not_plan(terraform: Terraform, dev: Recording) -> None:
    broken = {"definition": '{"StartAt": "Nowhere", "States": {"Here": {"Type": "Succeed"}}}'}
    with pytest.raises(StackCheckError, match="Nowhere"):
        terraform.plan(changed(dev, "aws:sfn/stateMachine:StateMachine", broken), referenced=False)


def test_what_is_no_definition_is_said() -> None:
    assert problems("{") == [
        "it is not valid JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)"
    ]
    assert problems("[]") == ["it is not a JSON object"]
