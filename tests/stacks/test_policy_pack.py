"""The rules of the policy pack, on the program and on programs that break them."""

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

from policy_pack.rules import BUCKET, FUNCTION, RULES, STACK_RULES, Resource, Rule
from stackcheck.recording import ROOT, Recording

RULE = {one.name: one for one in RULES}
STACK_RULE = {one.name: one for one in STACK_RULES}
ALLOW = {"Sid": "Do", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}


def seen(recording: Recording) -> list[Resource]:
    return [Resource(one.type, one.name, one.inputs) for one in recording.resources if one.custom]


def violations(rule: Rule, resources: Sequence[Resource]) -> list[str]:
    return [
        said
        for one in resources
        if not rule.types or one.type in rule.types
        for said in rule.violations(one)
    ]


@pytest.mark.parametrize("name", sorted(RULE))
def test_every_environment_keeps_the_rules(name: str, recording: Recording) -> None:
    assert violations(RULE[name], seen(recording)) == []


@pytest.mark.parametrize("name", sorted(STACK_RULE))
def test_every_environment_keeps_the_rules_of_the_whole(name: str, recording: Recording) -> None:
    assert list(STACK_RULE[name].violations(seen(recording))) == []


def document(**changed: Any) -> dict[str, str]:
    return {"policy": json.dumps({"Statement": [ALLOW | changed]})}


BROKEN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "alarm-told": ("aws:cloudwatch/metricAlarm:MetricAlarm", {"alarmActions": []}),
    "function": (FUNCTION, {"timeout": 0}),
    "key-rotation": ("aws:kms/key:Key", {"enableKeyRotation": False}),
    "least-privilege": ("aws:iam/rolePolicy:RolePolicy", document(Action="s3:*")),
    "listener-tls": ("aws:lb/listener:Listener", {"protocol": "TCP"}),
    "log-encryption": ("aws:cloudwatch/logGroup:LogGroup", {"kmsKeyId": ""}),
    "log-retention": ("aws:cloudwatch/logGroup:LogGroup", {}),
    "nobody-in-particular": ("aws:sqs/queuePolicy:QueuePolicy", document(Principal="*")),
    "open-ports": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22},
    ),
    "queue": ("aws:sqs/queue:Queue", {}),
    "registry": ("aws:ecr/repository:Repository", {"imageTagMutability": "MUTABLE"}),
    "role-boundary": ("aws:iam/role:Role", {}),
    "schedule-dead-letters": ("aws:scheduler/schedule:Schedule", {"target": {}}),
    "state-machine": ("aws:sfn/stateMachine:StateMachine", {}),
    "table-encryption": ("aws:dynamodb/table:Table", {"serverSideEncryption": {"enabled": True}}),
    "table-on-demand": ("aws:dynamodb/table:Table", {"billingMode": "PROVISIONED"}),
    "table-recovery": ("aws:dynamodb/table:Table", {"pointInTimeRecovery": {"enabled": False}}),
    "tags": ("aws:sns/topic:Topic", {"tags": {"Project": "trading"}}),
    "topic-encryption": ("aws:sns/topic:Topic", {}),
}


def test_every_rule_is_broken_here_once() -> None:
    assert set(BROKEN) == set(RULE)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_rule_is_said(name: str) -> None:
    type_, properties = BROKEN[name]
    (said, *_) = violations(RULE[name], [Resource(type_, "it", properties)])
    assert said.startswith("it: ")


@pytest.mark.parametrize(
    "broken",
    [
        {"Action": ["s3:GetObject", "dynamodb:*"]},
        {"Sid": None},
        {"Resource": "*", "Sid": ""},
        {"Action": [], "NotAction": ["iam:*"]},
    ],
    ids=["an action with *", "no Sid", "text for a list", "all but"],
)
def test_a_greedy_statement_is_said(broken: dict[str, Any]) -> None:
    resource = Resource("aws:iam/rolePolicy:RolePolicy", "it", document(**broken))
    assert violations(RULE["least-privilege"], [resource])


def without(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if not one.type.endswith(f":{kind}")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bucket-private", "BucketPublicAccessBlock"),
        ("bucket-versions", "BucketVersioning"),
        ("bucket-encryption", "BucketServerSideEncryptionConfiguration"),
        ("bucket-policy", "BucketPolicy"),
        ("secret-rotation", "SecretRotation"),
    ],
)
def test_what_is_left_out_is_said(name: str, kind: str, prod: Recording) -> None:
    assert list(STACK_RULE[name].violations(without(seen(prod), kind)))


def test_a_bucket_that_answers_without_tls_is_said() -> None:
    policy = Resource("aws:s3/bucketPolicy:BucketPolicy", "it", document())
    assert list(STACK_RULE["bucket-tls"].violations([policy]))


def test_a_shared_role_is_said() -> None:
    both = [Resource(FUNCTION, name, {"role": "same"}) for name in "ab"]
    assert len(list(STACK_RULE["own-role"].violations(both))) == 2
    assert list(STACK_RULE["own-role"].violations(both[:1])) == []


def test_a_bucket_known_by_its_id_is_guarded() -> None:
    bucket = Resource(BUCKET, "it", {"bucket": "name", "id": "name"})
    versions = Resource("aws:s3/bucketVersioning:BucketVersioning", "it", {"bucket": "name"})
    assert list(STACK_RULE["bucket-versions"].violations([bucket, versions])) == []


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    pytest.importorskip("pulumi_policy", reason="pulumi-policy is for the engine's machine")
    monkeypatch.syspath_prepend(str(ROOT / "policy_pack"))
    spec = importlib.util.spec_from_file_location("pack", ROOT / "policy_pack" / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("rules", None)


def test_the_pack_has_every_rule(pack: ModuleType) -> None:
    names = [one.name for one in pack.policies()]
    assert names == [*(one.name for one in RULES), *(one.name for one in STACK_RULES)]
    assert len(set(names)) == len(names)
