"""Quotas of the real services: what is just allowed is taken, what is beyond is refused."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from small_cloud import create_function, write_handlers
from werkzeug.datastructures import Headers
from whole_cloud import allow, make_role, whole_cloud

from localcloud import quotas
from localcloud.context import ACCOUNT, CloudContext
from localcloud.identity.call import ApiCall
from localcloud.patches import quotas as patched

HANDLERS = """
    import tempfile

    def write(event, context):
        with tempfile.TemporaryFile() as file:
            for _ in range(event["megabytes"]):
                file.write(b"x" * 2**20)
            file.flush()
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    home = tmp_path_factory.mktemp("quotas")
    with whole_cloud(home / "home", home / "code") as context:
        context.repository.mkdir()
        write_handlers(context, "tasks", HANDLERS)
        make_role(context, "function", "lambda.amazonaws.com", allow("logs:*"))
        context.client("dynamodb").create_table(
            TableName="signals",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        context.client("s3").create_bucket(Bucket="runs")
        context.client("sesv2").create_email_identity(EmailIdentity="trading.example")
        yield context


def refused(call: Any, code: str, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value)


def puts(count: int) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": {"pk": {"S": str(place)}}}} for place in range(count)]


def test_a_batch_has_25_writes_and_100_reads(cloud: CloudContext) -> None:
    client = cloud.client("dynamodb")
    client.batch_write_item(RequestItems={"signals": puts(25)})
    said = refused(
        client.batch_write_item, "ValidationException", RequestItems={"signals": puts(26)}
    )
    assert "26" in said
    keys = [{"pk": {"S": str(place)}} for place in range(101)]
    client.batch_get_item(RequestItems={"signals": {"Keys": keys[:100]}})
    refused(client.batch_get_item, "ValidationException", RequestItems={"signals": {"Keys": keys}})


def test_a_transaction_has_100_items(cloud: CloudContext) -> None:
    client = cloud.client("dynamodb")
    items = [
        {"Put": {"TableName": "signals", "Item": {"pk": {"S": str(place)}}}} for place in range(101)
    ]
    client.transact_write_items(TransactItems=items[:100])
    refused(client.transact_write_items, "ValidationException", TransactItems=items)


def test_an_item_has_400_kilobytes(cloud: CloudContext) -> None:
    client = cloud.client("dynamodb")
    client.put_item(TableName="signals", Item={"pk": {"S": "a"}, "t": {"S": "x" * 390_000}})
    refused(
        client.put_item,
        "ValidationException",
        TableName="signals",
        Item={"pk": {"S": "a"}, "t": {"S": "x" * 410_000}},
    )


def test_a_secret_has_64_kilobytes(cloud: CloudContext) -> None:
    client = cloud.client("secretsmanager")
    client.create_secret(Name="large", SecretString="é" * 32_768)
    refused(client.create_secret, "ValidationException", Name="x", SecretString="é" * 32_769)
    refused(
        client.put_secret_value, "ValidationException", SecretId="large", SecretBinary=b"x" * 65_537
    )
    client.put_secret_value(SecretId="large", SecretBinary=b"x" * 65_536)


def test_messages_have_their_sizes(cloud: CloudContext) -> None:
    sqs, sns, events = (cloud.client(one) for one in ("sqs", "sns", "events"))
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
    refused(sqs.send_message, "InvalidParameterValue", QueueUrl=url, MessageBody="x" * 1_048_577)
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.publish(TopicArn=topic, Message="x" * 262_144)
    refused(sns.publish, "InvalidParameter", TopicArn=topic, Message="x" * 262_145)
    entry = {"Source": "s", "DetailType": "d", "Detail": json.dumps({"t": "x" * 200_000})}
    events.put_events(Entries=[entry])
    refused(events.put_events, "ValidationException", Entries=[entry, entry])


def test_a_mail_has_50_recipients(cloud: CloudContext) -> None:
    client = cloud.client("sesv2")

    def send(count: int) -> Any:
        text = {"Data": "t"}
        return client.send_email(
            FromEmailAddress="signals@trading.example",
            Destination={"ToAddresses": [f"r{place}@trading.example" for place in range(count)]},
            Content={"Simple": {"Subject": text, "Body": {"Text": text}}},
        )

    send(50)
    refused(lambda: send(51), "MessageRejected")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Environment": {"Variables": {"A": "x" * 4_090}}}, "4KB"),
        ({"MemorySize": 10_241}, "MemorySize is 10241"),
        ({"Timeout": 901}, "Timeout is 901"),
        ({"EphemeralStorage": {"Size": 10_241}}, "EphemeralStorage is 10241"),
    ],
    ids=["environment", "memory", "timeout", "storage"],
)
def test_a_function_stays_within_lambda(
    cloud: CloudContext, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        create_function(cloud, "too-much", "tasks.write", **changes)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_function_fills_no_more_than_its_storage(cloud: CloudContext) -> None:
    client = cloud.client("lambda")
    create_function(cloud, "writing", "tasks.write", EphemeralStorage={"Size": 512})
    for megabytes, error in ((2, None), (520, "OSError")):
        answer = client.invoke(FunctionName="writing", Payload=json.dumps({"megabytes": megabytes}))
        failed = json.loads(answer["Payload"].read())
        assert (failed or {}).get("errorType") == error


def test_a_key_has_1024_bytes_and_an_upload_5_gigabytes(cloud: CloudContext) -> None:
    client = cloud.client("s3")
    client.put_object(Bucket="runs", Key="é" * 512, Body=b"")
    refused(client.put_object, "KeyTooLongError", Bucket="runs", Key="é" * 513, Body=b"")
    for length, status in ((5 * 2**30, None), (5 * 2**30 + 1, 400)):
        headers = Headers({"Content-Length": str(length)})
        answer = quotas.refuse(ApiCall("s3", "PutObject", {"Key": "k"}, headers, b""))
        assert (answer.status_code if answer else None) == status


def test_an_execution_fails_for_good_when_its_history_is_full(
    cloud: CloudContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patched, "HISTORY_EVENTS", 200)
    role = make_role(cloud, "machine", "states.amazonaws.com")
    states = cloud.client("stepfunctions")
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Again"}]
    each = {
        "StartAt": "Item",
        "States": {"Item": {"Type": "Pass", "End": True}},
    }
    definition = {
        "StartAt": "Loop",
        "States": {
            "Loop": {"Type": "Map", "ItemProcessor": each, "Catch": catch, "Next": "Again"},
            "Again": {"Type": "Pass", "Result": [1, 2, 3], "Next": "Loop"},
        },
    }
    made = states.create_state_machine(
        name="endless", roleArn=role, definition=json.dumps(definition)
    )
    started = states.start_execution(stateMachineArn=made["stateMachineArn"], input="[1]")
    deadline = time.monotonic() + 60
    while True:
        found = states.describe_execution(executionArn=started["executionArn"])
        if found["status"] != "RUNNING":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found["status"] == "FAILED"
    assert "maximum number of history events" in found["cause"]
    assert ACCOUNT in found["executionArn"]
