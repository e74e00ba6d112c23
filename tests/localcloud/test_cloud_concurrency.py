"""Many callers at once: no lost update, one winner of a conditional write."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from whole_cloud import whole_cloud

from localcloud.context import CloudContext

CALLERS = 8


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with whole_cloud(tmp_path_factory.mktemp("concurrency")) as context:
        context.client("s3").create_bucket(Bucket="runs")
        context.client("dynamodb").create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield context


def at_once(call: Callable[[int], Any], count: int) -> Counter[str]:
    """Make `count` calls on several threads; count their outcomes by error code (`ok`)."""

    def attempt(number: int) -> str:
        try:
            call(number)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(CALLERS) as pool:
        return Counter(pool.map(attempt, range(count)))


@pytest.mark.slow
def test_no_update_is_lost(cloud: CloudContext) -> None:
    client = cloud.client("dynamodb")

    def add(_: int) -> None:
        client.update_item(
            TableName="t",
            Key={"pk": {"S": "counter"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    assert at_once(add, 300) == {"ok": 300}
    found = client.get_item(TableName="t", Key={"pk": {"S": "counter"}})
    assert found["Item"]["n"] == {"N": "300"}


def test_one_conditional_put_of_an_item_wins(cloud: CloudContext) -> None:
    client = cloud.client("dynamodb")
    outcome = at_once(
        lambda n: client.put_item(
            TableName="t",
            Item={"pk": {"S": "claim"}, "by": {"N": str(n)}},
            ConditionExpression="attribute_not_exists(pk)",
        ),
        24,
    )
    assert outcome == {"ok": 1, "ConditionalCheckFailedException": 23}


def test_one_creation_of_an_object_wins(cloud: CloudContext) -> None:
    client = cloud.client("s3")
    outcome = at_once(
        lambda n: client.put_object(Bucket="runs", Key="new", Body=str(n), IfNoneMatch="*"), 24
    )
    assert outcome == {"ok": 1, "PreconditionFailed": 23}


def test_one_replacement_of_an_object_wins_each_round(cloud: CloudContext) -> None:
    client = cloud.client("s3")
    etag = client.put_object(Bucket="runs", Key="pointer", Body=b"0")["ETag"]
    for turn in range(3):
        outcome = at_once(
            lambda n, turn=turn, etag=etag: client.put_object(  # type: ignore[misc]
                Bucket="runs", Key="pointer", Body=f"{turn}/{n}", IfMatch=etag
            ),
            12,
        )
        assert outcome == {"ok": 1, "PreconditionFailed": 11}
        etag = client.head_object(Bucket="runs", Key="pointer")["ETag"]


def test_readers_see_one_whole_object_or_the_other(cloud: CloudContext) -> None:
    client = cloud.client("s3")
    bodies = [letter * 200_000 for letter in (b"a", b"b")]
    client.put_object(Bucket="runs", Key="swap", Body=bodies[0])

    def swap_or_read(number: int) -> None:
        if number % 3 == 0:
            client.put_object(Bucket="runs", Key="swap", Body=bodies[number % 2])
        else:
            assert client.get_object(Bucket="runs", Key="swap")["Body"].read() in bodies

    assert at_once(swap_or_read, 60) == {"ok": 60}
