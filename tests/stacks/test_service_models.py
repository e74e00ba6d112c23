"""Every value against AWS's service models, and every ARN against what is registered."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from stackcheck.errors import StackCheckError
from stackcheck.recording import Recorded, Recording, record
from stackcheck.references import dangling
from stackcheck.values import CALLS, known_values, refused

# Types that consist of nothing but names of other resources, documents and switches.
WITHOUT_MODEL = frozenset(
    {
        "aws:cfg/recorderStatus:RecorderStatus",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/repositoryPolicy:RepositoryPolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:iam/serviceLinkedRole:ServiceLinkedRole",
        "aws:s3/bucketLogging:BucketLogging",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sqs/queuePolicy:QueuePolicy",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)


def with_inputs(recording: Recording, type_: str, **inputs: Any) -> Recording:
    """Return a recording of one resource, with inputs changed."""
    one = recording.of(type_)[0]
    return replace(recording, resources=(replace(one, inputs=one.inputs | inputs),))


def test_services_accept_every_value(recording: Recording) -> None:
    assert [str(one) for one in refused(recording)] == []


def test_every_type_has_a_model_or_needs_none(recording: Recording) -> None:
    types = {one.type for one in recording.aws}
    assert types - set(CALLS) - WITHOUT_MODEL == set()


def test_the_models_know_most_of_what_is_set(prod: Recording) -> None:
    """What they know nothing of at all would be checked by nobody."""
    known: Counter[str] = Counter()
    for one in prod.aws:
        known[one.type] += len(list(known_values(one)))
    assert [type_ for type_ in CALLS if type_ in known and not known[type_]] == []


@pytest.mark.parametrize(
    ("type_", "inputs", "reason"),
    [
        ("aws:dynamodb/table:Table", {"billingMode": "LAVISH"}, "PAY_PER_REQUEST"),
        ("aws:iam/role:Role", {"name": "x" * 65}, "its length is 65"),
        ("aws:lambda/function:Function", {"timeout": 0}, "must lie in 1"),
        ("aws:lambda/function:Function", {"name": "a b"}, "does not match"),
        ("aws:lambda/function:Function", {"architectures": ["x86"]}, "arm64"),
        ("aws:lambda/function:Function", {"timeout": "60"}, "must be a number"),
        ("aws:lambda/function:Function", {"imageConfig": {"workingDirectory": "x" * 1001}}, "1001"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"comparisonOperator": ">"}, "GreaterThan"),
        ("aws:scheduler/schedule:Schedule", {"flexibleTimeWindow": {"mode": "MAYBE"}}, "OFF"),
    ],
)
def test_a_wrong_value_is_found(
    prod: Recording, type_: str, inputs: dict[str, Any], reason: str
) -> None:
    found = refused(with_inputs(prod, type_, **inputs))
    assert len(found) == 1
    assert reason in str(found[0])


def test_every_arn_names_something_that_is_registered(recording: Recording) -> None:
    assert [str(one) for one in dangling(recording)] == []


def test_an_arn_that_names_nothing_is_found(prod: Recording) -> None:
    function = prod.of("aws:lambda/function:Function")[0]
    elsewhere = "arn:aws:lambda:us-east-1:123456789012:function:trading-prod-nobody"
    policy = {"Version": "2012-10-17", "Statement": [{"Resource": elsewhere}]}
    changed: list[Recorded] = [
        replace(function, inputs=function.inputs | {"role": "arn:aws:iam::123456789012:role/none"}),
        replace(prod.of("aws:iam/rolePolicy:RolePolicy")[0], inputs={"policy": json.dumps(policy)}),
    ]
    found = dangling(replace(prod, resources=(*prod.resources, *changed)))
    assert [one.arn for one in found] == ["arn:aws:iam::123456789012:role/none", elsewhere]


@pytest.mark.slow
def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(StackCheckError, match="the program of dev failed: .*folds"):
        record("dev", {"settings": {"training": {"folds": "many"}}})
    with pytest.raises(StackCheckError, match="the stacks are dev, prod, staging"):
        record("nowhere")
