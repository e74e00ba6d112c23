"""What keeps data: encrypted, private, versioned, recoverable."""

import json
import re

import pytest

from stackcheck.recording import Recording

ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
BUCKETS = {"dev": {"data", "models", "runs", "logs"}}
BUCKETS["staging"] = BUCKETS["dev"]
BUCKETS["prod"] = BUCKETS["dev"] | {"audit"}


@pytest.mark.parametrize(
    "setting",
    [
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        ENCRYPTION,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
    ],
)
def test_every_bucket_has_every_setting(recording: Recording, setting: str) -> None:
    buckets = {one.name: one.inputs["bucket"] for one in recording.of("aws:s3/bucket:Bucket")}
    assert set(buckets) == BUCKETS[recording.stack]
    assert {one.inputs["bucket"] for one in recording.of(setting)} == set(buckets.values())


def test_buckets_are_private_versioned_and_refuse_plain_http(recording: Recording) -> None:
    for one in recording.of("aws:s3/bucket:Bucket"):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", one.inputs["bucket"])
    for block in recording.of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"):
        switches = {k: v for k, v in block.inputs.items() if k != "bucket"}
        assert len(switches) == 4
        assert all(switches.values())
    for one in recording.of("aws:s3/bucketVersioning:BucketVersioning"):
        assert one.inputs["versioningConfiguration"] == {"status": "Enabled"}
    for one in recording.of("aws:s3/bucketPolicy:BucketPolicy"):
        statement, *others = json.loads(one.inputs["policy"])["Statement"]
        arn = f"arn:aws:s3:::{one.inputs['bucket']}"
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] == "*"
        assert statement["Resource"] == [arn, f"{arn}/*"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert bool(others) == (one.name in ("logs", "audit"))
        for other in others:
            assert set(other["Principal"]) == {"Service"}


def test_objects_go_later_than_they_move(recording: Recording) -> None:
    """S3 refuses a rule whose expiration is not later than its transition."""
    moved = {}
    for one in recording.of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"):
        for rule in one.inputs["rules"]:
            days = [transition["days"] for transition in rule.get("transitions") or ()]
            moved[one.name] = bool(days)
            if days and "expiration" in rule:
                assert rule["expiration"]["days"] > max(days), one.urn
    assert moved == {key: key != "logs" for key in BUCKETS[recording.stack]}


def test_only_services_that_know_no_other_write_under_the_key_of_s3(recording: Recording) -> None:
    (key,) = (one for one in recording.of("aws:kms/key:Key") if one.name == "data")
    for one in recording.of(ENCRYPTION):
        (rule,) = one.inputs["rules"]
        chosen = rule["applyServerSideEncryptionByDefault"]
        if one.name == "logs":
            assert chosen == {"sseAlgorithm": "AES256"}
        else:
            arn = key.outputs["arn"]
            assert chosen == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": arn}
            assert rule["bucketKeyEnabled"]


def test_requests_to_every_bucket_but_that_of_the_logs_are_logged(recording: Recording) -> None:
    logging = {one.name: one.inputs for one in recording.of("aws:s3/bucketLogging:BucketLogging")}
    assert set(logging) == BUCKETS[recording.stack] - {"logs"}
    targets = {(one["targetBucket"], one["targetPrefix"]) for one in logging.values()}
    assert len(targets) == len(logging)
    assert {bucket.rpartition("-")[0] for bucket, _ in targets} == {
        f"trading-{recording.stack}-logs"
    }


def test_tables_are_encrypted_recoverable_and_on_demand(recording: Recording) -> None:
    tables = {one.name: one.inputs for one in recording.of("aws:dynamodb/table:Table")}
    (key,) = (one for one in recording.of("aws:kms/key:Key") if one.name == "data")
    assert set(tables) == {"ledger", "signals", "performance", "idempotency"}
    for inputs in tables.values():
        assert inputs["billingMode"] == "PAY_PER_REQUEST"
        assert inputs["pointInTimeRecovery"] == {"enabled": True}
        arn = key.outputs["arn"]
        assert inputs["serverSideEncryption"] == {"enabled": True, "kmsKeyArn": arn}
        keys = {inputs["hashKey"], inputs.get("rangeKey")} - {None}
        assert {a["name"] for a in inputs["attributes"]} == keys
        assert {a["type"] for a in inputs["attributes"]} == {"S"}
    assert tables["idempotency"]["ttl"] == {"attributeName": "expiration", "enabled": True}


def test_production_protects_what_holds_data(dev: Recording, prod: Recording) -> None:
    stateful = ("aws:s3/bucket:Bucket", "aws:dynamodb/table:Table", "aws:kms/key:Key")
    for type_ in stateful:
        assert all(one.protect for one in prod.of(type_))
        assert not any(one.protect for one in dev.of(type_))
    assert all(
        one.inputs["deletionProtectionEnabled"] for one in prod.of("aws:dynamodb/table:Table")
    )
    assert not any(one.inputs["forceDestroy"] for one in prod.of("aws:s3/bucket:Bucket"))


def test_images_are_scanned_and_their_tags_never_move(dev: Recording) -> None:
    repositories = dev.of("aws:ecr/repository:Repository")
    assert {one.name for one in repositories} == {"functions", "training", "dashboard"}
    for one in repositories:
        assert one.inputs["imageTagMutability"] == "IMMUTABLE"
        assert one.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = set()
    for image in dev.of("docker-build:index:Image"):
        assert image.inputs["platforms"] == ["linux/amd64"]
        assert re.fullmatch(r".+/trading-dev-\w+:[0-9a-f]{16}", image.inputs["tags"][0])
        tags.add(image.inputs["tags"][0].rpartition(":")[2])
    assert len(tags) == 1  # they have one context
