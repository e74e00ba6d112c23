"""The program against the real AWS provider: validated and planned, for every environment."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from stackcheck.definitions import problems
from stackcheck.errors import StackCheckError
from stackcheck.plan import Terraform
from stackcheck.recording import Recorded, Recording

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    try:
        return Terraform(tmp_path_factory.mktemp("terraform"))
    except StackCheckError as error:
        pytest.skip(f"the AWS provider cannot be had here: {error}")


def changed(recording: Recording, type_: str, change: Mapping[str, Any]) -> Recording:
    """Return a recording with inputs of the first resource of a type changed; None removes one."""

    def resources() -> Iterator[Recorded]:
        found = False
        for one in recording.resources:
            if one.type == type_ and not found:
                found = True
                inputs = {k: v for k, v in (one.inputs | change).items() if v is not None}
                yield replace(one, inputs=inputs)
            else:
                yield one
        assert found, f"no {type_} to change"

    return replace(recording, resources=tuple(resources()))


def test_the_provider_accepts_every_value(terraform: Terraform, recording: Recording) -> None:
    assert terraform.validate(recording, referenced=False) == []


def test_the_program_plans(terraform: Terraform, recording: Recording) -> None:
    planned = terraform.plan(recording, referenced=True)
    created = [
        one["address"]
        for one in planned["resource_changes"]
        if one["change"]["actions"] == ["create"]
    ]
    assert len(created) == len(recording.aws) > 100


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
    mistaken = prod
    for type_, change, _ in mistakes.values():
        mistaken = changed(mistaken, type_, change)
    found = terraform.validate(mistaken, referenced=False)
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
