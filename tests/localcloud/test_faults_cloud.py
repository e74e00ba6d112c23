"""Faults on a running cloud: what a client, a function and a state machine see of them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from small_cloud import create_function, write_handlers
from whole_cloud import allow, make_role, whole_cloud

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.faults import DELIVERY, Fault, FaultPlan, Kind, clear_plan, struck, write_plan

LAMBDA = "lambda.amazonaws.com"
HANDLERS = """
    import boto3

    def save(event, context):
        table = boto3.resource("dynamodb").Table("signals")
        table.put_item(Item={"pk": event["pk"]})
        return "saved"

    def count(event, context):
        table = boto3.client("dynamodb")
        table.update_item(
            TableName="signals",
            Key={"pk": {"S": event["pk"]}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    home = tmp_path_factory.mktemp("faults")
    with whole_cloud(home / "home", home / "code") as context:
        context.repository.mkdir()
        write_handlers(context, "tasks", HANDLERS)
        make_role(context, "function", LAMBDA, allow(["dynamodb:*", "logs:*"]))
        context.client("dynamodb").create_table(
            TableName="signals",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        context.client("s3").create_bucket(Bucket="runs")
        yield context


@pytest.fixture(autouse=True)
def afterwards(cloud: CloudContext) -> Iterator[None]:
    yield
    clear_plan(cloud.home)


def plan(cloud: CloudContext, *faults: Fault) -> None:
    write_plan(cloud.home, FaultPlan(faults))


def impatient(cloud: CloudContext, service: str, attempts: int = 1) -> Any:
    """Return a client that tries so often only."""
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint,
        region_name=cloud.region,
        aws_access_key_id=cloud.operator.access_key_id,
        aws_secret_access_key=cloud.operator.secret_access_key,
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def put(client: Any, key: str, **more: Any) -> Any:
    return client.put_item(TableName="signals", Item={"pk": {"S": key}}, **more)


def held(cloud: CloudContext, key: str) -> bool:
    found = cloud.client("dynamodb").get_item(TableName="signals", Key={"pk": {"S": key}})
    return "Item" in found


@pytest.mark.parametrize(
    ("service", "call", "kind", "code"),
    [
        ("dynamodb", "list_tables", Kind.THROTTLE, "ProvisionedThroughputExceededException"),
        ("dynamodb", "list_tables", Kind.UNAVAILABLE, "InternalServerError"),
        ("dynamodb", "list_tables", Kind.SKEWED, "InvalidSignatureException"),
        ("s3", "list_buckets", Kind.THROTTLE, "SlowDown"),
        ("s3", "list_buckets", Kind.UNAVAILABLE, "ServiceUnavailable"),
        ("s3", "list_buckets", Kind.SKEWED, "RequestTimeTooSkewed"),
        ("sesv2", "list_email_identities", Kind.THROTTLE, "TooManyRequestsException"),
        ("sesv2", "list_email_identities", Kind.UNAVAILABLE, "ServiceUnavailable"),
        ("sns", "list_topics", Kind.THROTTLE, "Throttling"),
        ("stepfunctions", "list_state_machines", Kind.THROTTLE, "ThrottlingException"),
        ("lambda", "list_functions", Kind.THROTTLE, "TooManyRequestsException"),
    ],
)
def test_a_refused_call_fails_as_on_aws_and_the_sdk_gets_over_it(
    cloud: CloudContext, service: str, call: str, kind: Kind, code: str
) -> None:
    plan(cloud, Fault(kind))
    with pytest.raises(ClientError) as refused:
        getattr(impatient(cloud, service), call)()
    assert refused.value.response["Error"]["Code"] == code
    if kind is not Kind.SKEWED:
        plan(cloud, Fault(kind))
        getattr(impatient(cloud, service, attempts=2), call)()
        assert len(struck(cloud.home)) == 1


def test_a_lost_request_changes_nothing_and_a_lost_response_hides_a_change(
    cloud: CloudContext,
) -> None:
    for kind, happened in ((Kind.LOST_REQUEST, False), (Kind.LOST_RESPONSE, True)):
        plan(cloud, Fault(kind, "dynamodb:PutItem"))
        with pytest.raises(ConnectionClosedError):
            put(impatient(cloud, "dynamodb"), kind)
        assert held(cloud, kind) is happened
        plan(cloud, Fault(kind, "dynamodb:PutItem"))
        put(impatient(cloud, "dynamodb", attempts=2), f"{kind}-again")
        assert held(cloud, f"{kind}-again")


def test_a_repeated_conditional_write_meets_its_own_first_try(cloud: CloudContext) -> None:
    plan(cloud, Fault(Kind.REPEAT, "dynamodb:PutItem"))
    with pytest.raises(ClientError) as refused:
        put(cloud.client("dynamodb"), "once", ConditionExpression="attribute_not_exists(pk)")
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert held(cloud, "once")
    plan(cloud, Fault(Kind.REPEAT, "s3:PutObject"))
    with pytest.raises(ClientError) as refused:
        cloud.client("s3").put_object(Bucket="runs", Key="once", Body=b"1", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    assert cloud.client("s3").get_object(Bucket="runs", Key="once")["Body"].read() == b"1"


def test_conflicts_name_what_the_services_name(cloud: CloudContext) -> None:
    items = [{"Put": {"TableName": "signals", "Item": {"pk": {"S": k}}}} for k in ("x", "y")]
    dynamodb, s3 = impatient(cloud, "dynamodb"), impatient(cloud, "s3")
    plan(cloud, Fault(Kind.CONFLICT, times=4))
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=items)
    reasons = [one["Code"] for one in cancelled.value.response["CancellationReasons"]]
    assert reasons == ["TransactionConflict", "None"]
    with pytest.raises(dynamodb.exceptions.TransactionConflictException):
        put(dynamodb, "x")
    for condition, code in (
        ({"IfNoneMatch": "*"}, "ConditionalRequestConflict"),
        ({}, "Operation"),
    ):
        with pytest.raises(ClientError, match=code):
            s3.put_object(Bucket="runs", Key="k", Body=b"", **condition)
    assert not held(cloud, "x")


def test_a_condition_that_another_writer_broke(cloud: CloudContext) -> None:
    dynamodb, s3 = impatient(cloud, "dynamodb"), impatient(cloud, "s3")
    plan(cloud, Fault(Kind.CONDITION, times=3))
    put(dynamodb, "unconditional")
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    # Its refusal would hold the item that stands in the way, and there is none.
    put(dynamodb, "told", **absent, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        put(dynamodb, "conditional", **absent)
    first, second = (
        {"Put": {"TableName": "signals", "Item": {"pk": {"S": "conditional"}}, **more}}
        for more in ({}, absent)
    )
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[first, second])
    reasons = [one["Code"] for one in cancelled.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="runs", Key="conditional", Body=b"", IfNoneMatch="*")
    assert held(cloud, "unconditional")
    assert not held(cloud, "conditional")
    assert len(struck(cloud.home)) == 3
    put(dynamodb, "conditional", **absent)


@pytest.mark.parametrize("count", [1, 2, 25])
def test_half_of_a_batch_is_handed_back(cloud: CloudContext, count: int) -> None:
    dynamodb = cloud.client("dynamodb")
    keys = [f"batch-{count}-{place}" for place in range(count)]
    puts = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in keys]
    plan(cloud, Fault(Kind.PARTIAL_BATCH, "dynamodb:BatchWriteItem"))
    left = dynamodb.batch_write_item(RequestItems={"signals": puts})["UnprocessedItems"]
    unwritten = [one["PutRequest"]["Item"]["pk"]["S"] for one in left.get("signals", ())]
    assert unwritten == keys[max(1, count // 2) :]
    assert [key for key in keys if not held(cloud, key)] == unwritten
    if left:
        dynamodb.batch_write_item(RequestItems=left)
    plan(cloud, Fault(Kind.PARTIAL_BATCH, "dynamodb:BatchGetItem"))
    wanted = {"signals": {"Keys": [{"pk": {"S": key}} for key in keys], "ConsistentRead": True}}
    answer = dynamodb.batch_get_item(RequestItems=wanted)
    again = answer["UnprocessedKeys"].get("signals", {"Keys": [], "ConsistentRead": True})
    assert again["ConsistentRead"] is True
    assert len(answer["Responses"]["signals"]) + len(again["Keys"]) == count


def test_a_delayed_call_is_carried_out_late(cloud: CloudContext) -> None:
    plan(cloud, Fault(Kind.DELAY, "dynamodb:PutItem", seconds=0.3))
    began = time.monotonic()
    put(cloud.client("dynamodb"), "late")
    assert time.monotonic() - began >= 0.3
    assert held(cloud, "late")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [(Kind.CRASH, "Runtime.ExitError"), (Kind.TIMEOUT, "Sandbox.Timedout")],
)
def test_a_function_ends_at_its_call(
    cloud: CloudContext, kind: Kind, error: str, after: bool
) -> None:
    name = f"save-{kind}-{after}".lower()
    create_function(cloud, name, "tasks.save")
    plan(cloud, Fault(kind, "dynamodb:PutItem", after=after))
    client = cloud.client("lambda")
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"pk": name}))
    assert json.loads(answer["Payload"].read())["errorType"] == error
    assert held(cloud, name) is after
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"pk": name}))
    assert (answer.get("FunctionError"), answer["Payload"].read()) == (None, b'"saved"')


def test_a_call_of_no_function_that_should_crash_loses_its_connection(cloud: CloudContext) -> None:
    plan(cloud, Fault(Kind.CRASH))
    with pytest.raises(ConnectionClosedError):
        impatient(cloud, "s3").list_buckets()


def test_an_event_is_delivered_twice(cloud: CloudContext) -> None:
    from localcloud import events

    arn = create_function(cloud, "count", "tasks.count")
    plan(cloud, Fault(Kind.REPEAT, DELIVERY, arn))
    events.start(cloud)
    client = cloud.client("lambda")
    client.invoke(FunctionName="count", InvocationType="Event", Payload=b'{"pk": "counted"}')
    deadline = time.monotonic() + 60
    while counted(cloud) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [one["resource"] for one in struck(cloud.home)] == [arn]


def counted(cloud: CloudContext) -> int:
    found = cloud.client("dynamodb").get_item(TableName="signals", Key={"pk": {"S": "counted"}})
    return int(found.get("Item", {}).get("n", {"N": "0"})["N"])


@pytest.mark.slow
def test_a_state_machine_names_a_lost_answer_and_tries_again(cloud: CloudContext) -> None:
    arn = create_function(cloud, "save-state", "tasks.save")
    role = make_role(cloud, "machine", "states.amazonaws.com", allow("lambda:InvokeFunction", arn))
    states = cloud.client("stepfunctions")
    retry = {"ErrorEquals": ["Lambda.SdkClientException"], "IntervalSeconds": 1, "MaxAttempts": 1}
    definition = {
        "StartAt": "Save",
        "States": {"Save": {"Type": "Task", "Resource": arn, "End": True, "Retry": [retry]}},
    }
    made = states.create_state_machine(
        name="machine", roleArn=role, definition=json.dumps(definition)
    )
    for times, status in ((1, "SUCCEEDED"), (2, "FAILED")):
        plan(cloud, Fault(Kind.LOST_RESPONSE, "lambda:InvokeFunction", times=times))
        started = states.start_execution(
            stateMachineArn=made["stateMachineArn"], input='{"pk": "state"}'
        )
        assert ended(states, started["executionArn"])["status"] == status
        assert len(struck(cloud.home)) == times


def ended(states: Any, arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_malformed_plan_fails_every_call_with_its_sentence(cloud: CloudContext) -> None:
    (cloud.home / "faults.json").write_text('{"faults": [{"kind": "gremlin"}]}')
    with pytest.raises(ClientError, match="must have a kind"):
        impatient(cloud, "dynamodb").list_tables()


def test_what_is_struck_is_written_down(cloud: CloudContext, tmp_path: Path) -> None:
    plan(cloud, Fault(Kind.THROTTLE, "dynamodb:PutItem"))
    with pytest.raises(ClientError):
        put(impatient(cloud, "dynamodb"), "noted")
    (line,) = struck(cloud.home)
    assert line["principal"] == f"arn:aws:iam::{ACCOUNT}:user/operator"
    assert line["resource"] == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/signals"
    assert struck(tmp_path) == []
