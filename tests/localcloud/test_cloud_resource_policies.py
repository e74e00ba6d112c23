"""Policies of resources and boundaries of roles, together with what the caller's policies say."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from small_cloud import create_function
from whole_cloud import allow, deny, document, make_role, whole_cloud

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.identity.audit import read_audit

LAMBDA = "lambda.amazonaws.com"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
Clients = Callable[[str], Any]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with whole_cloud(tmp_path_factory.mktemp("resource-policies")) as context:
        context.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "environment", "Value": "dev"}],
        )
        yield context


class Caller:
    """A session of a fresh role."""

    def __init__(self, cloud: CloudContext, *statements: dict[str, Any]) -> None:
        self.name = f"role-{time.monotonic_ns()}"
        self.role = make_role(cloud, self.name, LAMBDA, *statements)
        self.keys = cloud.credentials_for_role(self.role, "session", service=LAMBDA)
        self.session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/session"
        self._cloud = cloud

    def client(self, service: str) -> Any:
        return self._cloud.client(service, self.keys)


def permitted(call: Callable[[], Any]) -> bool:
    """Tell whether a call is let through; what the service says of it afterwards is no matter."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


def by(principal: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    found = {"Effect": effect, "Principal": {"AWS": principal}, "Action": "*", "Resource": "*"}
    return {**found, **more}


Put = Callable[[CloudContext, str], None]
Use = Callable[[Clients], Any]


def _topic(cloud: CloudContext) -> tuple[Put, Use]:
    client = cloud.client("sns")
    arn = client.create_topic(Name="alerts")["TopicArn"]

    def put(_: CloudContext, policy: str) -> None:
        client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)

    return put, lambda made: made("sns").publish(TopicArn=arn, Message="m")


def _queue(cloud: CloudContext) -> tuple[Put, Use]:
    client = cloud.client("sqs")
    url = client.create_queue(QueueName="letters")["QueueUrl"]

    def put(_: CloudContext, policy: str) -> None:
        client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    return put, lambda made: made("sqs").send_message(QueueUrl=url, MessageBody="m")


def _secret(cloud: CloudContext) -> tuple[Put, Use]:
    client = cloud.client("secretsmanager")
    client.create_secret(Name="polygon", SecretString="k")

    def put(_: CloudContext, policy: str) -> None:
        client.put_resource_policy(SecretId="polygon", ResourcePolicy=policy)

    return put, lambda made: made("secretsmanager").get_secret_value(SecretId="polygon")


def _bucket(cloud: CloudContext) -> tuple[Put, Use]:
    client = cloud.client("s3")
    client.create_bucket(Bucket="models")

    def put(_: CloudContext, policy: str) -> None:
        client.put_bucket_policy(Bucket="models", Policy=policy)

    return put, lambda made: made("s3").list_objects_v2(Bucket="models")


def _registry(cloud: CloudContext) -> tuple[Put, Use]:
    client = cloud.client("ecr")
    client.create_repository(repositoryName="functions")

    def put(_: CloudContext, policy: str) -> None:
        loaded = json.loads(policy)
        for one in loaded["Statement"]:
            del one["Resource"]
        client.set_repository_policy(repositoryName="functions", policyText=json.dumps(loaded))

    return put, lambda made: made("ecr").list_images(repositoryName="functions")


RESOURCES = {
    "topic": _topic,
    "queue": _queue,
    "secret": _secret,
    "bucket": _bucket,
    "registry": _registry,
}


@pytest.fixture(scope="module")
def resources(cloud: CloudContext) -> dict[str, tuple[Put, Use]]:
    return {name: make(cloud) for name, make in RESOURCES.items()}


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_resource_lets_in_whom_it_names_and_keeps_out_whom_it_denies(
    cloud: CloudContext, resources: dict[str, tuple[Put, Use]], kind: str
) -> None:
    put, use = resources[kind]
    nobody, everything = Caller(cloud), Caller(cloud, allow("*"))

    def answers(*statements: dict[str, Any]) -> tuple[bool, bool]:
        put(cloud, document(*statements))
        found = [permitted(lambda one=one: use(one.client)) for one in (nobody, everything)]
        return found[0], found[1]

    other = by(f"arn:aws:iam::{ACCOUNT}:role/other")
    assert answers(other) == (False, True)
    assert answers(by(nobody.role)) == (True, True)
    assert answers(by(nobody.session)) == (True, True)
    assert answers(by("*")) == (True, True)
    # the account as a whole only hands the decision to the callers' own policies
    assert answers(by(ROOT)) == (False, True)
    assert answers(by(ROOT, "Deny", Condition={"Bool": {"aws:SecureTransport": False}})) == (
        False,
        True,
    )
    assert answers(by("*"), by(everything.role, "Deny")) == (True, False)
    elsewhere = {"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}
    assert answers(by("*", Condition=elsewhere)) == (False, True)
    put(cloud, document(other))


def test_a_function_lets_in_whom_its_policy_names(cloud: CloudContext) -> None:
    caller = Caller(cloud)
    make_role(cloud, "function", LAMBDA)
    create_function(cloud, "score", "tasks.none")

    def dry() -> Any:
        return caller.client("lambda").invoke(FunctionName="score", InvocationType="DryRun")

    assert not permitted(dry)
    cloud.client("lambda").add_permission(
        FunctionName="score",
        StatementId="caller",
        Action="lambda:InvokeFunction",
        Principal=caller.role,
    )
    assert permitted(dry)


def test_a_key_is_ruled_by_its_own_policy(cloud: CloudContext) -> None:
    kms = cloud.client("kms")
    able, unable = Caller(cloud, allow("kms:*")), Caller(cloud)
    key = kms.create_key(Policy=document(by(ROOT, Action="kms:*")))["KeyMetadata"]["KeyId"]

    def may(caller: Caller) -> bool:
        return permitted(lambda: caller.client("kms").encrypt(KeyId=key, Plaintext=b"p"))

    assert (may(able), may(unable)) == (True, False)
    operator = by(f"arn:aws:iam::{ACCOUNT}:user/operator", Action="kms:*")
    through = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    policies = {
        (False, False): [operator],
        (True, True): [operator, by("*", Action="kms:Encrypt")],
        (False, False, "through S3 only"): [operator, by("*", Condition=through)],
    }
    for answers, statements in policies.items():
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(*statements))
        assert (may(able), may(unable)) == answers[:2]


def test_an_encrypted_object_needs_its_key_through_the_bucket(cloud: CloudContext) -> None:
    root = by(ROOT, Action="kms:*")
    made = cloud.client("kms").create_key(Policy=document(root))["KeyMetadata"]
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="sealed")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": made["Arn"]}
    s3.put_bucket_encryption(
        Bucket="sealed",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    s3.put_object(Bucket="sealed", Key="k", Body=b"b")
    caller = Caller(cloud, allow("s3:*"))

    def may() -> tuple[bool, bool]:
        client = caller.client("s3")
        return (
            permitted(lambda: client.get_object(Bucket="sealed", Key="k")),
            permitted(lambda: client.put_object(Bucket="sealed", Key="l", Body=b"")),
        )

    assert may() == (False, False)
    for service, answers in (("sqs", (False, False)), ("s3", (True, True))):
        ours = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com", "kms:CallerAccount": ACCOUNT}
        through = by("*", Action="kms:*", Condition={"StringEquals": ours})
        cloud.client("kms").put_key_policy(
            KeyId=made["KeyId"], PolicyName="default", Policy=document(root, through)
        )
        assert may() == answers


def test_a_boundary_is_the_ceiling_of_what_is_allowed(cloud: CloudContext) -> None:
    iam = cloud.client("iam")
    boundary = iam.create_policy(
        PolicyName="ceiling",
        PolicyDocument=document(allow("sqs:*"), deny("sqs:DeleteQueue")),
    )["Policy"]["Arn"]
    caller = Caller(cloud, allow(["sqs:*", "s3:*"]))
    iam.put_role_permissions_boundary(RoleName=caller.name, PermissionsBoundary=boundary)
    sqs = caller.client("sqs")
    url = cloud.client("sqs").create_queue(QueueName="under")["QueueUrl"]
    assert permitted(lambda: sqs.send_message(QueueUrl=url, MessageBody="m"))
    with pytest.raises(ClientError, match="explicit deny in ceiling"):
        sqs.delete_queue(QueueUrl=url)
    with pytest.raises(ClientError, match="because no permissions boundary allows it"):
        caller.client("s3").list_buckets()
    # a role named by a resource stays under its ceiling, a session that is named does not
    cloud.client("s3").create_bucket(Bucket="open")
    for principal, answer in ((caller.role, False), (caller.session, True)):
        cloud.client("s3").put_bucket_policy(Bucket="open", Policy=document(by(principal)))
        assert permitted(lambda: caller.client("s3").list_objects_v2(Bucket="open")) is answer
    # a boundary that is gone allows nothing, and a free role is free
    iam.delete_role_permissions_boundary(RoleName=caller.name)
    assert permitted(lambda: caller.client("s3").list_buckets())


def test_only_the_named_partition_keys_are_open(cloud: CloudContext) -> None:
    key = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["switch"]}}
    client = Caller(cloud, allow("dynamodb:*", Condition=key)).client("dynamodb")

    def item(value: str) -> dict[str, Any]:
        return {"pk": {"S": value}}

    calls: dict[str, Callable[[str], Any]] = {
        "get": lambda v: client.get_item(TableName="ledger", Key=item(v)),
        "put": lambda v: client.put_item(TableName="ledger", Item=item(v)),
        "query": lambda v: client.query(
            TableName="ledger",
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": "pk"},
            ExpressionAttributeValues={":p": {"S": v}},
        ),
        "batch": lambda v: (
            client.batch_get_item(RequestItems={"ledger": {"Keys": [item("switch"), item(v + "")]}})
            if v != "switch"
            else client.batch_get_item(RequestItems={"ledger": {"Keys": [item(v)]}})
        ),
        "write": lambda v: client.batch_write_item(
            RequestItems={"ledger": [{"PutRequest": {"Item": item(v)}}]}
        ),
        "transaction": lambda v: client.transact_write_items(
            TransactItems=[{"Put": {"TableName": "ledger", "Item": item(v)}}]
        ),
    }
    for name, call in calls.items():
        assert permitted(lambda call=call: call("switch")), name
        assert not permitted(lambda call=call: call("month")), name


def test_tags_of_the_resource_and_of_the_request_count(cloud: CloudContext) -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/environment": "dev"}}
    other = {"StringEquals": {"aws:ResourceTag/environment": "prod"}}
    for condition, answer in ((tagged, True), (other, False)):
        client = Caller(cloud, allow("dynamodb:Scan", Condition=condition)).client("dynamodb")
        assert permitted(lambda client=client: client.scan(TableName="ledger")) is answer
    only = {
        "StringEquals": {"aws:RequestTag/team": "quant"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    sqs = Caller(cloud, allow("sqs:CreateQueue", Condition=only)).client("sqs")
    for tags, answer in (
        ({"team": "quant"}, True),
        ({"team": "other"}, False),
        ({"team": "quant", "more": "1"}, False),
        ({}, False),
    ):
        name = f"tagged-{len(tags)}-{answer}".lower()
        made = permitted(lambda name=name, tags=tags: sqs.create_queue(QueueName=name, tags=tags))
        assert made is answer, tags


def test_what_a_policy_admits_of_a_service_is_audited(cloud: CloudContext) -> None:
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"
    source = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/daily"
    for wanted, answer in ((source, True), (f"{source}-other", False)):
        admit = {
            "Sid": "Rules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": wanted},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        }
        found = cloud.identity.service_allowed(
            "events.amazonaws.com", "sqs:SendMessage", queue, source, [admit]
        )
        assert found is answer
    deadline = time.monotonic() + 60
    while True:
        seen = [
            (one["decision"], one["statement"])
            for one in read_audit(cloud.home / "audit.jsonl")
            if one["principal"] == "events.amazonaws.com"
        ]
        if len(seen) == 2:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert seen == [("allowed", "policy of letters#Rules"), ("denied", None)]


def test_only_who_may_list_learns_that_an_object_is_missing(cloud: CloudContext) -> None:
    cloud.client("s3").create_bucket(Bucket="half-open")
    objects = allow("s3:GetObject", "arn:aws:s3:::half-open/*")
    listing = allow("s3:ListBucket", "arn:aws:s3:::half-open")
    for statements, code in (([objects], "403"), ([objects, listing], "404")):
        client = Caller(cloud, *statements).client("s3")
        with pytest.raises(ClientError) as refused:
            client.head_object(Bucket="half-open", Key="none")
        assert refused.value.response["Error"]["Code"] == code


def test_publishing_on_an_encrypted_topic_needs_its_key(cloud: CloudContext) -> None:
    root = by(ROOT, Action="kms:*")
    key = cloud.client("kms").create_key(Policy=document(root))["KeyMetadata"]["Arn"]
    topic = cloud.client("sns").create_topic(Name="sealed", Attributes={"KmsMasterKeyId": key})
    arn = topic["TopicArn"]
    for actions, answer in (
        (["sns:Publish"], False),
        (["sns:Publish", "kms:GenerateDataKey"], False),
        (["sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"], True),
    ):
        client = Caller(cloud, allow(actions)).client("sns")
        assert permitted(lambda client=client: client.publish(TopicArn=arn, Message="m")) is answer
