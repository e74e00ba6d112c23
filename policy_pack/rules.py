"""The rules: what is wrong with a resource, or with all of them together.

They know nothing of Pulumi's engine, so that the tests hold the program to them without it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TAGS = ("Environment", "ManagedBy", "Project")
LONGEST_FUNCTION_SECONDS = 900
WEB_PORTS = frozenset({80, 443})
EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
DOCUMENTS = ("policy", "assumeRolePolicy")


@dataclass(frozen=True)
class Resource:
    """A resource as a rule sees it: its type, name and properties in Pulumi's own words."""

    type: str
    name: str
    properties: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """Return a property by its dotted path, or None."""
        found: Any = self.properties
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


@dataclass(frozen=True)
class Rule:
    """A rule about single resources of some types; no types means all."""

    name: str
    says: str
    types: frozenset[str]
    violations: Callable[[Resource], Iterator[str]]


@dataclass(frozen=True)
class StackRule:
    """A rule about all resources together; a violation names its resource."""

    name: str
    says: str
    violations: Callable[[Sequence[Resource]], Iterator[str]]


def needs(name: str, says: str, type_: str, path: str, *accepted: Any) -> Rule:
    """Return the rule that a property has one of some values, or any value where none is named."""

    def violations(one: Resource) -> Iterator[str]:
        value = one.get(path)
        if value not in accepted if accepted else value in (None, "", [], {}):
            wanted = " or ".join(map(str, accepted)) or "set"
            yield f"{one.name}: {path} is {value!r}, and must be {wanted}"

    return Rule(name, says, frozenset({type_}), violations)


def _scanned(one: Resource) -> Iterator[str]:
    if one.get("imageTagMutability") != "IMMUTABLE":
        yield f"{one.name}: its tags can move"
    if one.get("imageScanningConfiguration.scanOnPush") is not True:
        yield f"{one.name}: what is pushed is not scanned"


def _function(one: Resource) -> Iterator[str]:
    seconds = one.get("timeout")
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_FUNCTION_SECONDS:
        yield f"{one.name}: its time-out is {seconds!r}; say how long it may take"
    if one.get("tracingConfig.mode") != "Active":
        yield f"{one.name}: it is not traced"
    if not one.get("loggingConfig.logGroup"):
        yield f"{one.name}: it has no log group of its own"


def _state_machine(one: Resource) -> Iterator[str]:
    if one.get("tracingConfiguration.enabled") is not True:
        yield f"{one.name}: it is not traced"
    if one.get("loggingConfiguration.level") not in {"ALL", "ERROR", "FATAL"}:
        yield f"{one.name}: what it does is not logged"


def _queue(one: Resource) -> Iterator[str]:
    if not (one.get("sqsManagedSseEnabled") or one.get("kmsMasterKeyId")):
        yield f"{one.name}: its messages are not encrypted"


def _open_ports(one: Resource) -> Iterator[str]:
    source = {one.get("cidrIpv4"), one.get("cidrIpv6")}
    port = one.get("fromPort")
    if source & EVERYWHERE and (port not in WEB_PORTS or one.get("toPort") != port):
        yield f"{one.name}: the whole internet may reach port {port}"


def _statements(one: Resource) -> Iterator[Mapping[str, Any]]:
    for key in DOCUMENTS:
        text = one.get(key)
        if not isinstance(text, str):
            continue
        document = json.loads(text)
        listed = document.get("Statement") or []
        yield from listed if isinstance(listed, list) else [listed]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _wildcards(one: Resource) -> Iterator[str]:
    """Yield what a role may do too much; a boundary grants nothing and may say `*`."""
    for statement in _statements(one):
        if statement.get("Effect") != "Allow":
            continue
        for action in _listed(statement.get("Action", [])):
            if str(action).endswith("*"):
                yield f"{one.name}: {statement.get('Sid')} allows {action}; name the actions"
        if "*" in _listed(statement.get("Resource", [])) and not statement.get("Sid"):
            yield f"{one.name}: a statement on every resource has no Sid to explain it by"
        if statement.get("NotAction") or statement.get("NotResource"):
            yield f"{one.name}: {statement.get('Sid')} allows all but what it names"


def _anyone(one: Resource) -> Iterator[str]:
    if one.type == ENDPOINT:  # its policy narrows what callers may do anyway, and lets nobody in
        return
    for statement in _statements(one):
        principal = statement.get("Principal")
        everyone = principal == "*" or (
            isinstance(principal, Mapping) and "*" in principal.values()
        )
        if statement.get("Effect") == "Allow" and everyone and not statement.get("Condition"):
            yield f"{one.name}: {statement.get('Sid')} lets anyone in"


def _tagged(one: Resource) -> Iterator[str]:
    tags = one.get("tags")
    if isinstance(tags, Mapping):
        missing = [tag for tag in TAGS if not tags.get(tag)]
        if missing:
            yield f"{one.name}: it lacks the tags {', '.join(missing)}"


def _types(*names: str) -> frozenset[str]:
    return frozenset(names)


FUNCTION = "aws:lambda/function:Function"
BUCKET = "aws:s3/bucket:Bucket"
RULES: Sequence[Rule] = (
    needs(
        *("table-recovery", "Tables can be restored to any second.", "aws:dynamodb/table:Table"),
        *("pointInTimeRecovery.enabled", True),
    ),
    needs(
        *("table-on-demand", "Tables are paid by the request.", "aws:dynamodb/table:Table"),
        *("billingMode", "PAY_PER_REQUEST"),
    ),
    needs(
        *("table-encryption", "Tables are encrypted by our key.", "aws:dynamodb/table:Table"),
        "serverSideEncryption.kmsKeyArn",
    ),
    needs(
        *("key-rotation", "Keys are rotated.", "aws:kms/key:Key"),
        *("enableKeyRotation", True),
    ),
    needs(
        *("log-retention", "Logs are kept for a time.", "aws:cloudwatch/logGroup:LogGroup"),
        "retentionInDays",
    ),
    needs(
        *("log-encryption", "Logs are encrypted.", "aws:cloudwatch/logGroup:LogGroup"),
        "kmsKeyId",
    ),
    needs(
        *("alarm-told", "Every alarm tells someone.", "aws:cloudwatch/metricAlarm:MetricAlarm"),
        "alarmActions",
    ),
    needs(
        *("topic-encryption", "Topics are encrypted.", "aws:sns/topic:Topic"),
        "kmsMasterKeyId",
    ),
    needs(
        *("schedule-dead-letters", "What a schedule cannot deliver is kept."),
        *("aws:scheduler/schedule:Schedule", "target.deadLetterConfig.arn"),
    ),
    needs(
        *("role-boundary", "No role can do more than the boundary.", "aws:iam/role:Role"),
        "permissionsBoundary",
    ),
    needs(
        *("listener-tls", "The front door speaks TLS 1.2 or newer.", "aws:lb/listener:Listener"),
        *("protocol", "HTTPS", "HTTP"),
    ),
    Rule(
        *("registry", "Images are scanned and their tags never move."),
        *(_types("aws:ecr/repository:Repository"), _scanned),
    ),
    Rule(
        *("function", "Functions have a time-out, a trace and a log group."),
        *(_types(FUNCTION), _function),
    ),
    Rule(
        *("state-machine", "State machines are logged and traced."),
        *(_types("aws:sfn/stateMachine:StateMachine"), _state_machine),
    ),
    Rule("queue", "Queues are encrypted.", _types("aws:sqs/queue:Queue"), _queue),
    Rule(
        *("open-ports", "The internet reaches the ports of the web only."),
        *(_types("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"), _open_ports),
    ),
    Rule(
        *("least-privilege", "Actions are named; a statement on everything has a Sid."),
        *(_types("aws:iam/rolePolicy:RolePolicy"), _wildcards),
    ),
    Rule("nobody-in-particular", "No policy lets anyone in.", frozenset(), _anyone),
    Rule("tags", "What takes tags has those that costs are told apart by.", frozenset(), _tagged),
)


def _of(resources: Sequence[Resource], type_: str) -> list[Resource]:
    return [one for one in resources if one.type == type_]


def _guarded(type_: str, what: str) -> Callable[[Sequence[Resource]], Iterator[str]]:
    """Return the rule that every bucket has a resource of a type."""

    def violations(resources: Sequence[Resource]) -> Iterator[str]:
        having = {one.get("bucket") for one in _of(resources, type_)}
        for bucket in _of(resources, BUCKET):
            if bucket.get("bucket") not in having and bucket.get("id") not in having:
                yield f"{bucket.name}: it has no {what}"

    return violations


def _tls_only(resources: Sequence[Resource]) -> Iterator[str]:
    for policy in _of(resources, "aws:s3/bucketPolicy:BucketPolicy"):
        denied = [
            one
            for one in _statements(policy)
            if one.get("Effect") == "Deny"
            and one.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        ]
        if not denied:
            yield f"{policy.name}: requests without TLS are not denied"


def _own_roles(resources: Sequence[Resource]) -> Iterator[str]:
    roles = Counter(one.get("role") for one in _of(resources, FUNCTION))
    for one in _of(resources, FUNCTION):
        if roles[one.get("role")] > 1:
            yield f"{one.name}: it shares its role with another function"


def _rotated(resources: Sequence[Resource]) -> Iterator[str]:
    rotations = len(_of(resources, "aws:secretsmanager/secretRotation:SecretRotation"))
    secrets = _of(resources, "aws:secretsmanager/secret:Secret")
    if rotations < len(secrets):
        missing = len(secrets) - rotations
        yield f"{secrets[0].name}: {missing} of {len(secrets)} secrets do not rotate"


STACK_RULES: Sequence[StackRule] = (
    StackRule(
        *("bucket-private", "No bucket can be made public."),
        _guarded(
            *("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "public access block"),
        ),
    ),
    StackRule(
        *("bucket-versions", "Buckets keep versions."),
        _guarded("aws:s3/bucketVersioning:BucketVersioning", "versioning"),
    ),
    StackRule(
        *("bucket-encryption", "Buckets are encrypted."),
        _guarded(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "encryption",
        ),
    ),
    StackRule(
        *("bucket-policy", "Buckets have a policy."),
        _guarded("aws:s3/bucketPolicy:BucketPolicy", "policy"),
    ),
    StackRule("bucket-tls", "Buckets answer over TLS only.", _tls_only),
    StackRule("own-role", "Every function has a role of its own.", _own_roles),
    StackRule("secret-rotation", "Secrets rotate.", _rotated),
)
