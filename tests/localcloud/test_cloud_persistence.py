"""What was acknowledged survives `kill -9`."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from cloud_process import CloudProcess
from whole_cloud import whole_cloud

from localcloud.errors import JournalError
from localcloud.persistence.journal import Journal

TABLE = {
    "TableName": "ledger",
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
LARGE = os.urandom(300_000)


def item(pk: str, sk: str, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **more}


def write_everything(cloud: Any) -> dict[str, Any]:
    """Write to every kept service; return what must be there after the kill."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="runs")
    s3.put_bucket_versioning(Bucket="runs", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="runs", Key="large", Body=b"first")
    s3.put_object(Bucket="runs", Key="large", Body=LARGE)
    s3.put_object(
        Bucket="runs", Key="a b/ü", Body=b"small", ContentType="text/x", Metadata={"k": "v"}
    )
    s3.put_object_tagging(
        Bucket="runs", Key="a b/ü", Tagging={"TagSet": [{"Key": "t", "Value": "1"}]}
    )
    s3.copy_object(Bucket="runs", Key="copy", CopySource={"Bucket": "runs", "Key": "large"})
    for key in ("gone", "gone-too", "and-this"):
        s3.put_object(Bucket="runs", Key=key, Body=LARGE)
    s3.delete_object(Bucket="runs", Key="gone")
    s3.delete_objects(Bucket="runs", Delete={"Objects": [{"Key": "gone-too"}, {"Key": "and-this"}]})
    upload = s3.create_multipart_upload(Bucket="runs", Key="parts")["UploadId"]
    parts = [
        s3.upload_part(Bucket="runs", Key="parts", UploadId=upload, PartNumber=n, Body=body)
        for n, body in ((1, b"x" * 5 * 1024 * 1024), (2, b"y"))
    ]
    done = s3.complete_multipart_upload(
        Bucket="runs",
        Key="parts",
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"ETag": p["ETag"], "PartNumber": n} for n, p in enumerate(parts, 1)]
        },
    )
    write_items(cloud.client("dynamodb"))
    register_models(cloud.client("sagemaker"))
    secret = cloud.client("secretsmanager").create_secret(Name="key", SecretString="one")
    secrets = cloud.client("secretsmanager")
    current = secrets.put_secret_value(SecretId="key", SecretString="two")["VersionId"]
    staged = secrets.put_secret_value(
        SecretId="key", SecretString="three", VersionStages=["AWSPENDING"]
    )
    secrets.update_secret_version_stage(
        SecretId="key",
        VersionStage="AWSCURRENT",
        MoveToVersionId=staged["VersionId"],
        RemoveFromVersionId=current,
    )
    mail = cloud.client("sesv2")
    mail.create_email_identity(EmailIdentity="a@trading.example")
    sent = mail.send_email(
        FromEmailAddress="a@trading.example",
        Destination={"ToAddresses": ["b@trading.example"]},
        Content={"Raw": {"Data": b"From: a@trading.example\r\nSubject: s\r\n\r\nbody"}},
        EmailTags=[{"Name": "month", "Value": "2026-11"}],
    )
    return {"parts": done["ETag"], "secret": secret["ARN"], "mail": sent["MessageId"]}


def register_models(client: Any) -> None:
    """Make two model packages, and let one be approved in the end."""
    client.create_model_package_group(ModelPackageGroupName="models")
    for _ in range(2):
        arn = client.create_model_package(
            ModelPackageGroupName="models", ModelApprovalStatus="PendingManualApproval"
        )["ModelPackageArn"]
    for status in ("Rejected", "Approved"):
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


def write_items(client: Any) -> None:
    client.create_table(**TABLE)
    client.update_time_to_live(
        TableName="ledger", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    client.put_item(TableName="ledger", Item=item("m", "1", n={"N": "1"}, l={"L": [{"S": "x"}]}))
    client.update_item(
        TableName="ledger",
        Key=item("m", "1"),
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    batch = [
        {"PutRequest": {"Item": item("b", str(i), m={"M": {"k": {"BOOL": True}}})}}
        for i in range(20)
    ]
    client.batch_write_item(RequestItems={"ledger": batch})
    client.delete_item(TableName="ledger", Key=item("b", "0"))
    client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "ledger", "Item": item("t", "1")}},
            {"Delete": {"TableName": "ledger", "Key": item("b", "1")}},
        ]
    )


def assert_everything(cloud: Any, kept: dict[str, Any]) -> None:
    s3 = cloud.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="runs")["Contents"]]
    assert keys == ["a b/ü", "copy", "large", "parts"]
    assert s3.get_bucket_versioning(Bucket="runs")["Status"] == "Enabled"
    for key in ("large", "copy"):
        assert s3.get_object(Bucket="runs", Key=key)["Body"].read() == LARGE
    small = s3.get_object(Bucket="runs", Key="a b/ü")
    assert (small["Body"].read(), small["ContentType"], small["Metadata"]) == (
        b"small",
        "text/x",
        {"k": "v"},
    )
    tags = s3.get_object_tagging(Bucket="runs", Key="a b/ü")["TagSet"]
    assert tags == [{"Key": "t", "Value": "1"}]
    assert s3.head_object(Bucket="runs", Key="parts")["ETag"] == kept["parts"]
    items = cloud.client("dynamodb").scan(TableName="ledger")["Items"]
    found = {(one["pk"]["S"], one["sk"]["S"]): one for one in items}
    assert set(found) == {("m", "1"), ("t", "1"), *(("b", str(i)) for i in range(2, 20))}
    assert found["m", "1"] == item("m", "1", n={"N": "2"}, l={"L": [{"S": "x"}]})
    ttl = cloud.client("dynamodb").describe_time_to_live(TableName="ledger")
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "expires"
    sagemaker = cloud.client("sagemaker")
    packages = sagemaker.list_model_packages(
        ModelPackageGroupName="models", ModelPackageType="Versioned"
    )["ModelPackageSummaryList"]
    approvals = {p["ModelPackageVersion"]: p["ModelApprovalStatus"] for p in packages}
    assert approvals == {1: "PendingManualApproval", 2: "Approved"}
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=kept["secret"])
    assert (secret["ARN"], secret["SecretString"]) == (kept["secret"], "three")


@pytest.mark.slow
def test_everything_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path)
    kept = write_everything(cloud)
    cloud.kill()
    mail = tmp_path / "mail" / f"{kept['mail']}.eml"
    assert mail.read_bytes().endswith(b"body")
    mail.unlink()
    (tmp_path / "objects" / "left-over").write_bytes(b"a file that no row names")
    again = CloudProcess(tmp_path)
    try:
        assert_everything(again, kept)
        assert mail.exists()
        assert not (tmp_path / "objects" / "left-over").exists()
        again.client("s3").put_object(Bucket="runs", Key="large", Body=b"smaller")
    finally:
        assert again.stop() == 0
    names = sorted(path.stat().st_size for path in (tmp_path / "objects").iterdir())
    assert names == [len(LARGE), 5 * 1024 * 1024 + 1]


@pytest.mark.slow
def test_a_kill_in_the_middle_of_writes_loses_none_that_was_answered(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path)
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="runs")
    answered: list[str] = []
    lock = threading.Lock()

    def write(worker: int) -> None:
        client = cloud.client("s3")
        for number in range(10_000):
            key = f"{worker}/{number}"
            try:
                client.put_object(
                    Bucket="runs", Key=key, Body=key.encode() * (1 + number % 2 * 9000)
                )
            except (ClientError, BotoCoreError):
                return
            with lock:
                answered.append(key)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    while len(answered) < 30:
        threads[0].join(timeout=0.01)
    cloud.kill()
    for thread in threads:
        thread.join()
    again = CloudProcess(tmp_path)
    try:
        client = again.client("s3")
        for key in answered:
            body = client.get_object(Bucket="runs", Key=key)["Body"].read()
            assert body == key.encode() * (1 + int(key.split("/")[1]) % 2 * 9000)
    finally:
        again.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_mail_and_what_its_hooks_write_are_recorded_together_or_not_at_all(home: Path) -> None:
    with whole_cloud(home) as cloud:
        mail = cloud.client("sesv2")
        mail.create_email_identity(EmailIdentity="a@trading.example")
        request: dict[str, Any] = {
            "FromEmailAddress": "a@trading.example",
            "Destination": {"ToAddresses": ["b@trading.example"]},
            "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
        }
        cloud.mail_hooks.append(lambda connection, found: seen.append(found))
        seen: list[Any] = []
        message = mail.send_email(**request)["MessageId"]
        assert [(one.message_id, one.recipients) for one in seen] == [
            (message, ("b@trading.example",))
        ]

        def fails(*_: Any) -> None:
            raise RuntimeError("no room")

        cloud.mail_hooks.append(fails)
        with pytest.raises(mail.exceptions.ClientError, match="500"):
            mail.send_email(**request)
    journal = Journal(home / "journal.sqlite")
    assert [row[0] for row in journal.read("SELECT message_id FROM mails")] == [message]
    journal.close()
    assert len(list((home / "mail").glob("*.eml"))) == 1


@pytest.mark.slow
def test_a_failed_write_leaves_nothing(home: Path) -> None:
    with whole_cloud(home) as cloud:
        client = cloud.client("dynamodb")
        client.create_table(**TABLE)
        client.put_item(TableName="ledger", Item=item("a", "1", v={"S": "old"}))
        check = {"ConditionExpression": "attribute_not_exists(pk)"}
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            client.put_item(TableName="ledger", Item=item("a", "1", v={"S": "new"}), **check)
        with pytest.raises(client.exceptions.TransactionCanceledException):
            client.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": "ledger", "Item": item("a", "2")}},
                    {"Put": {"TableName": "ledger", "Item": item("a", "1"), **check}},
                ]
            )
    with whole_cloud(home) as cloud:
        items = cloud.client("dynamodb").scan(TableName="ledger")["Items"]
        assert items == [item("a", "1", v={"S": "old"})]


@pytest.mark.slow
def test_a_deleted_bucket_and_table_stay_deleted(home: Path) -> None:
    with whole_cloud(home) as cloud:
        cloud.client("s3").create_bucket(Bucket="runs")
        cloud.client("s3").delete_bucket(Bucket="runs")
        cloud.client("dynamodb").create_table(**TABLE)
        cloud.client("dynamodb").put_item(TableName="ledger", Item=item("a", "1"))
        cloud.client("dynamodb").delete_table(TableName="ledger")
        cloud.client("dynamodb").create_table(**TABLE)
    with whole_cloud(home) as cloud:
        assert cloud.client("s3").list_buckets()["Buckets"] == []
        assert cloud.client("dynamodb").scan(TableName="ledger")["Items"] == []


def test_a_file_that_is_no_journal_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("not a database, but long enough to be one" * 100)
    with pytest.raises(JournalError, match="move the folder"):
        Journal(path)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal._connection.execute("PRAGMA user_version=9")
    journal.close()
    with pytest.raises(JournalError, match="version is 9, expected 1"):
        Journal(path)


@pytest.mark.slow
def test_operator_keys_stay_the_same_and_private(tmp_path: Path) -> None:
    with whole_cloud(tmp_path) as cloud:
        first = cloud.operator
    with whole_cloud(tmp_path) as cloud:
        assert cloud.operator == first
    path = tmp_path / "operator.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["access_key_id"] == first.access_key_id
