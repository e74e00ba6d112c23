"""Identity: every call of every service needs its own permission on its own resource."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from whole_cloud import allow, deny, document, make_role, whole_cloud

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.errors import CloudError
from localcloud.identity.audit import read_audit
from localcloud.identity.credentials import Credentials

LAMBDA = "lambda.amazonaws.com"
Call = Callable[[Callable[[str], Any]], Any]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with whole_cloud(tmp_path_factory.mktemp("identity")) as context:
        s3 = context.client("s3")
        s3.create_bucket(Bucket="runs")
        s3.put_object(Bucket="runs", Key="open/a", Body=b"a")
        s3.put_object(Bucket="runs", Key="shut/b", Body=b"b")
        for name in ("ledger", "signals"):
            context.client("dynamodb").create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        context.client("sesv2").create_email_identity(EmailIdentity="trading.example")
        context.client("secretsmanager").create_secret(Name="key", SecretString="s")
        yield context


def role_client(cloud: CloudContext, *statements: dict[str, Any]) -> Callable[[str], Any]:
    """Return a maker of clients of a fresh role with these statements."""
    name = f"role-{time.monotonic_ns()}"
    arn = make_role(cloud, name, LAMBDA, *statements)
    keys = cloud.credentials_for_role(arn, "session", service=LAMBDA)
    return lambda service: cloud.client(service, keys)


def refusal(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    return dict(caught.value.response)


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("s3", "InvalidAccessKeyId"),
        ("dynamodb", "UnrecognizedClientException"),
        ("sts", "InvalidClientTokenId"),
        ("lambda", "UnrecognizedClientException"),
    ],
)
def test_unknown_keys_are_refused_in_the_services_own_words(
    cloud: CloudContext, service: str, code: str
) -> None:
    client = cloud.client(service, Credentials("AKIAAAAAAAAAAAAAAAAA", "x"))
    calls = {
        "s3": "list_buckets",
        "dynamodb": "list_tables",
        "sts": "get_caller_identity",
        "lambda": "list_functions",
    }
    assert refusal(getattr(client, calls[service]))["Error"]["Code"] == code


def test_a_wrong_secret_and_a_wrong_token_are_refused(cloud: CloudContext) -> None:
    wrong = Credentials(cloud.operator.access_key_id, "x")
    response = refusal(boto3_client(cloud, wrong, "sqs").list_queues)
    assert response["Error"]["Code"] == "InvalidSignatureException"
    arn = make_role(cloud, "token", LAMBDA, allow("*"))
    keys = cloud.credentials_for_role(arn, "s", service=LAMBDA)
    stolen = Credentials(keys.access_key_id, keys.secret_access_key, "another token")
    response = refusal(boto3_client(cloud, stolen, "dynamodb").list_tables)
    assert response["Error"]["Code"] == "UnrecognizedClientException"


def boto3_client(cloud: CloudContext, keys: Credentials, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
    )


def test_unsigned_requests_and_motos_own_api_are_refused(cloud: CloudContext) -> None:
    import urllib3

    for method, path in (("POST", "/moto-api/reset"), ("GET", "/runs/open/a")):
        answer = urllib3.request(method, cloud.endpoint + path, retries=False)
        assert answer.status == 403
    assert cloud.client("s3").get_object(Bucket="runs", Key="open/a")["Body"].read() == b"a"


def test_expired_credentials_are_refused(cloud: CloudContext) -> None:
    from moto.sts.models import sts_backends

    arn = make_role(cloud, "expired", LAMBDA, allow("*"))
    keys = cloud.credentials_for_role(arn, "s", service=LAMBDA)
    for session in sts_backends[ACCOUNT]["aws"].assumed_roles:
        if session.access_key_id == keys.access_key_id:
            session.expiration -= timedelta(days=1)
    assert refusal(cloud.client("s3", keys).list_buckets)["Error"]["Code"] == "ExpiredToken"


ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
REFUSED: list[tuple[str, str, Call]] = [
    (
        "s3:GetObject",
        "arn:aws:s3:::runs/shut/b",
        lambda c: c("s3").get_object(Bucket="runs", Key="shut/b"),
    ),
    (
        "s3:GetObject",
        "arn:aws:s3:::runs/shut/b",
        lambda c: c("s3").copy_object(
            Bucket="runs", Key="open/copy", CopySource={"Bucket": "runs", "Key": "shut/b"}
        ),
    ),
    (
        "s3:DeleteObject",
        "arn:aws:s3:::runs/shut/b",
        lambda c: c("s3").delete_objects(
            Bucket="runs", Delete={"Objects": [{"Key": "open/a"}, {"Key": "shut/b"}]}
        ),
    ),
    ("s3:ListBucket", "arn:aws:s3:::runs", lambda c: c("s3").list_objects_v2(Bucket="runs")),
    (
        "dynamodb:PutItem",
        ARN.format("dynamodb", "table/signals"),
        lambda c: c("dynamodb").put_item(TableName="signals", Item={"pk": {"S": "a"}}),
    ),
    (
        "dynamodb:BatchWriteItem",
        ARN.format("dynamodb", "table/signals"),
        lambda c: c("dynamodb").batch_write_item(
            RequestItems={
                table: [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]
                for table in ("ledger", "signals")
            }
        ),
    ),
    (
        "dynamodb:PutItem",
        ARN.format("dynamodb", "table/signals"),
        lambda c: c("dynamodb").transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": {"pk": {"S": "a"}}}}
                for table in ("ledger", "signals")
            ]
        ),
    ),
    (
        "states:StartExecution",
        ARN.format("states", "stateMachine:other"),
        lambda c: c("stepfunctions").start_execution(
            stateMachineArn=ARN.format("states", "stateMachine:other")
        ),
    ),
    (
        "lambda:InvokeFunction",
        ARN.format("lambda", "function:other"),
        lambda c: c("lambda").invoke(FunctionName="other"),
    ),
    (
        "sagemaker:DescribeTrainingJob",
        ARN.format("sagemaker", "training-job/other"),
        lambda c: c("sagemaker").describe_training_job(TrainingJobName="other"),
    ),
    (
        "sns:Publish",
        ARN.format("sns", "other"),
        lambda c: c("sns").publish(TopicArn=ARN.format("sns", "other"), Message="m"),
    ),
    (
        "sqs:SendMessage",
        ARN.format("sqs", "other"),
        lambda c: c("sqs").send_message(QueueUrl=f"http://q/{ACCOUNT}/other", MessageBody="m"),
    ),
    (
        "ses:SendEmail",
        ARN.format("ses", "identity/trading.example"),
        lambda c: c("sesv2").send_email(
            FromEmailAddress="Signals <signals@trading.example>",
            Destination={"ToAddresses": ["a@b.example"]},
            Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
        ),
    ),
    (
        "events:PutEvents",
        ARN.format("events", "event-bus/default"),
        lambda c: c("events").put_events(
            Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}]
        ),
    ),
    (
        "scheduler:GetSchedule",
        ARN.format("scheduler", "schedule/default/other"),
        lambda c: c("scheduler").get_schedule(Name="other"),
    ),
    (
        "logs:CreateLogStream",
        ARN.format("logs", "log-group:/g:log-stream:s"),
        lambda c: c("logs").create_log_stream(logGroupName="/g", logStreamName="s"),
    ),
    (
        "ssm:GetParameter",
        ARN.format("ssm", "parameter/a/b"),
        lambda c: c("ssm").get_parameter(Name="/a/b"),
    ),
    (
        "cloudwatch:PutMetricData",
        "*",
        lambda c: c("cloudwatch").put_metric_data(
            Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}]
        ),
    ),
    (
        "xray:PutTraceSegments",
        "*",
        lambda c: c("xray").put_trace_segments(TraceSegmentDocuments=[]),
    ),
    (
        "iam:GetRole",
        f"arn:aws:iam::{ACCOUNT}:role/other",
        lambda c: c("iam").get_role(RoleName="other"),
    ),
    (
        "sts:AssumeRole",
        f"arn:aws:iam::{ACCOUNT}:role/other",
        lambda c: c("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/other", RoleSessionName="session"
        ),
    ),
]


@pytest.mark.parametrize(("action", "resource", "call"), REFUSED, ids=[one[0] for one in REFUSED])
def test_a_call_outside_the_policy_is_refused_by_name(
    cloud: CloudContext, action: str, resource: str, call: Call
) -> None:
    client = role_client(
        cloud,
        allow("s3:*", "arn:aws:s3:::runs/open/*"),
        allow("dynamodb:*", ARN.format("dynamodb", "table/ledger")),
        allow("*", ARN.format("*", "*mine*")),
    )
    error = refusal(lambda: call(client))["Error"]
    assert error["Code"] in {"AccessDenied", "AccessDeniedException"}
    assert f"not authorized to perform: {action} on resource: {resource} " in error["Message"]
    assert (
        f"assumed-role/{client('sts').get_caller_identity()['Arn'].split('/')[1]}/session"
        in (error["Message"])
    )


def test_exactly_the_granted_calls_work(cloud: CloudContext) -> None:
    client = role_client(
        cloud,
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::runs/open/*"),
        allow(
            "s3:ListBucket",
            "arn:aws:s3:::runs",
            Condition={"StringLike": {"s3:prefix": ["open/*"]}},
        ),
        allow("dynamodb:GetItem", ARN.format("dynamodb", "table/ledger")),
        allow("secretsmanager:GetSecretValue", ARN.format("secretsmanager", "secret:key-??????")),
        allow("cloudwatch:*", Condition={"StringEquals": {"cloudwatch:namespace": "Trading"}}),
    )
    s3 = client("s3")
    assert s3.get_object(Bucket="runs", Key="open/a")["Body"].read() == b"a"
    upload = s3.create_multipart_upload(Bucket="runs", Key="open/parts")["UploadId"]
    part = s3.upload_part(Bucket="runs", Key="open/parts", UploadId=upload, PartNumber=1, Body=b"p")
    s3.complete_multipart_upload(
        Bucket="runs",
        Key="open/parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
    )
    assert s3.list_objects_v2(Bucket="runs", Prefix="open/")["KeyCount"] >= 2
    refusal(lambda: s3.list_objects_v2(Bucket="runs", Prefix="shut/"))
    assert "Item" not in client("dynamodb").get_item(TableName="ledger", Key={"pk": {"S": "none"}})
    assert client("secretsmanager").get_secret_value(SecretId="key")["SecretString"] == "s"
    data = [{"MetricName": "m", "Value": 1.0}]
    client("cloudwatch").put_metric_data(Namespace="Trading", MetricData=data)
    refusal(lambda: client("cloudwatch").put_metric_data(Namespace="Other", MetricData=data))


def test_passing_a_role_needs_permission_for_that_role_and_service(cloud: CloudContext) -> None:
    worker = make_role(cloud, "worker", LAMBDA)
    other = make_role(cloud, "other-worker", LAMBDA)
    client = role_client(
        cloud,
        allow("lambda:*"),
        allow("iam:PassRole", worker, Condition={"StringEquals": {"iam:PassedToService": LAMBDA}}),
        allow("states:*"),
    )

    def create(name: str, role: str) -> Any:
        return client("lambda").create_function(
            FunctionName=name,
            PackageType="Image",
            Code={"ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/f:1"},
            Role=role,
        )

    create("passes", worker)
    assert (
        f"iam:PassRole on resource: {other}"
        in refusal(lambda: create("no", other))["Error"]["Message"]
    )
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    message = refusal(
        lambda: client("stepfunctions").create_state_machine(
            name="m", definition=definition, roleArn=worker
        )
    )["Error"]["Message"]
    assert f"iam:PassRole on resource: {worker}" in message


def test_raw_mail_needs_its_own_action_and_the_configuration_set(cloud: CloudContext) -> None:
    cloud.client("sesv2").create_configuration_set(ConfigurationSetName="mail")
    raw = b"From: signals@trading.example\r\nTo: a@b.example\r\nSubject: s\r\n\r\nt"
    identity = ARN.format("ses", "identity/trading.example")
    from_us = {"StringEquals": {"ses:FromAddress": "signals@trading.example"}}

    def send(client: Callable[[str], Any]) -> Any:
        return client("sesv2").send_email(
            FromEmailAddress="signals@trading.example",
            Destination={"ToAddresses": ["a@b.example"]},
            Content={"Raw": {"Data": raw}},
            ConfigurationSetName="mail",
        )

    partly = role_client(cloud, allow("ses:SendRawEmail", identity, Condition=from_us))
    assert "configuration-set/mail" in refusal(lambda: send(partly))["Error"]["Message"]
    sets = ARN.format("ses", "configuration-set/mail")
    wholly = role_client(cloud, allow("ses:SendRawEmail", [identity, sets], Condition=from_us))
    assert send(wholly)["MessageId"]


def test_a_bucket_policy_denies_and_its_conditions_count(cloud: CloudContext) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="guarded")
    s3.put_object(Bucket="guarded", Key="a", Body=b"a")
    everything = ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"]
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    no_http = deny("s3:*", everything, Principal="*", Condition=insecure, Sid="Tls")
    no_delete = deny("s3:DeleteObject", everything, Principal={"AWS": "*"}, Sid="Keep")
    s3.put_bucket_policy(Bucket="guarded", Policy=document(no_http, no_delete))
    assert s3.get_object(Bucket="guarded", Key="a")["Body"].read() == b"a"
    message = refusal(lambda: s3.delete_object(Bucket="guarded", Key="a"))["Error"]["Message"]
    assert "explicit deny in policy of guarded#Keep" in message


def test_a_role_is_assumed_by_whom_it_trusts_only(cloud: CloudContext) -> None:
    arn = make_role(cloud, "trusting", LAMBDA)
    with pytest.raises(CloudError, match="does not let states.amazonaws.com assume"):
        cloud.credentials_for_role(arn, "s", service="states.amazonaws.com")
    with pytest.raises(CloudError, match="there is no role"):
        cloud.credentials_for_role(arn + "-not", "s", service=LAMBDA)
    error = refusal(
        lambda: cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")
    )["Error"]
    assert "trust policy does not admit it" in error["Message"]


def test_every_decision_is_on_record(cloud: CloudContext) -> None:
    client = role_client(cloud, allow("s3:GetObject", "arn:aws:s3:::runs/open/*", Sid="Read"))
    client("s3").get_object(Bucket="runs", Key="open/a")
    refusal(lambda: client("s3").get_object(Bucket="runs", Key="shut/b"))
    role = client("sts").get_caller_identity()["Arn"]
    path: Path = cloud.home / "audit.jsonl"
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while len(found) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        found = [one for one in read_audit(path) if one["principal"] == role]
    assert [(one["action"], one["decision"], one["resource"]) for one in found] == [
        ("s3:GetObject", "allowed", "arn:aws:s3:::runs/open/a"),
        ("s3:GetObject", "denied", "arn:aws:s3:::runs/shut/b"),
        ("sts:GetCallerIdentity", "allowed", "*"),
    ]
    assert found[0]["statement"].endswith("/inline#Read")
    assert found[1]["statement"] is None
    denied = [one for one in read_audit(path, denied_only=True) if one["principal"] == role]
    assert len(denied) == 1
