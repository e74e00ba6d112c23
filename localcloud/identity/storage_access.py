"""What calls of S3 and DynamoDB need: one call can touch many resources."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from localcloud.identity.call import ApiCall
from localcloud.identity.context_keys import leading_keys
from localcloud.identity.policy import Requirement
from localcloud.identity.resources import Place

# operation -> IAM action, where AWS calls them differently
_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetObjectAttributes": "GetObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
}
_S3_LISTS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})


_READS = frozenset({"GetObject", "CopyObject", "UploadPartCopy"})
_WRITES = frozenset(
    {"PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy"}
)


def s3_requirements(call: ApiCall, place: Place) -> Iterator[Requirement]:
    """Yield what an S3 call needs.

    A copy also reads its source, a batch deletes every key, and whoever reads or writes an
    encrypted object needs its key.
    """
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    action = f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}"
    if bucket is None:
        yield Requirement(action, "*")
        return
    resource = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        for one in deleted_keys(call.body):
            yield Requirement(action, f"{resource}/{one}")
        return
    context = {}
    if call.operation in _S3_LISTS:
        context["s3:prefix"] = (str(call.parameters.get("prefix", "")),)
    if key is not None and call.parameters.get("versionId") and action == "s3:GetObject":
        action = "s3:GetObjectVersion"
    yield Requirement(action, f"{resource}/{key}" if key is not None else resource, context)
    source = call.headers.get("x-amz-copy-source")
    read_from = str(bucket)
    if source:
        path = unquote(source.partition("?")[0]).lstrip("/")
        yield Requirement("s3:GetObject", f"arn:aws:s3:::{path}")
        read_from = path.partition("/")[0]
    if call.operation in _READS:
        yield from key_use("kms:Decrypt", _bucket_key(read_from, place), "s3", place)
    if call.operation in _WRITES:
        yield from key_use("kms:GenerateDataKey", _bucket_key(str(bucket), place), "s3", place)


def _bucket_key(bucket: str, place: Place) -> str | None:
    """Return the key that a bucket encrypts with, where it is not S3's own."""
    from moto.s3.models import s3_backends

    found = s3_backends[place.account]["aws"].buckets.get(bucket)
    rules = (getattr(found, "encryption", None) or {}).get("Rule", {})
    rule = rules[0] if isinstance(rules, list) else rules
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    return str(default["KMSMasterKeyID"]) if default.get("KMSMasterKeyID") else None


def key_use(action: str, key: str | None, service: str, place: Place) -> Iterator[Requirement]:
    """Yield what it takes to use a customer's key through a service."""
    if not key or ":alias/" in key or key.startswith("alias/"):
        return
    resource = key if key.startswith("arn:") else place.arn("kms", f"key/{key}")
    context = {
        "kms:ViaService": (f"{service}.{place.region}.amazonaws.com",),
        "kms:CallerAccount": (place.account,),
    }
    yield Requirement(action, resource, context)


def deleted_keys(body: bytes) -> list[str]:
    """Return the keys that a DeleteObjects request names."""
    root = ElementTree.fromstring(body)  # noqa: S314 - expat 2.6 bounds entity expansion
    return [one.text or "" for one in root.iterfind(".//{*}Object/{*}Key")]


_TRANSACT_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def dynamodb_requirements(call: ApiCall, place: Place) -> Iterator[Requirement]:
    """Yield what a DynamoDB call needs; batches and transactions need it for every table."""
    parameters = call.parameters
    if call.operation in {"TransactWriteItems", "TransactGetItems"}:
        found = _transacted(parameters, place)
        distinct = {(one.action, one.resource, str(one.context)): one for one in found}
        yield from distinct.values()
        return
    action = f"dynamodb:{call.operation}"
    if call.operation in {"BatchGetItem", "BatchWriteItem"}:
        for table, asked in parameters.get("RequestItems", {}).items():
            items = {"Writes": asked} if isinstance(asked, list) else asked
            yield _on_table(action, str(table), items, call.operation, place)
        return
    table = parameters.get("TableName") or parameters.get("ResourceArn")
    if table is None:
        yield Requirement(action, "*")
        return
    yield _on_table(action, str(table), parameters, call.operation, place)


def _on_table(
    action: str, name: str, parameters: Mapping[str, Any], operation: str, place: Place
) -> Requirement:
    from moto.dynamodb.models import dynamodb_backends

    resource = _table(name, place)
    tables = dynamodb_backends[place.account][place.region].tables
    found = tables.get(resource.rpartition("/")[2])
    if parameters.get("IndexName"):
        return Requirement(action, f"{resource}/index/{parameters['IndexName']}")
    return Requirement(action, resource, leading_keys(found, parameters, operation))


def _transacted(parameters: Mapping[str, Any], place: Place) -> Iterator[Requirement]:
    for item in parameters.get("TransactItems", []):
        for kind, body in item.items():
            action = f"dynamodb:{_TRANSACT_ACTIONS.get(kind, kind)}"
            yield _on_table(action, str(body.get("TableName", "")), body, kind, place)


def _table(name: str, place: Place) -> str:
    return name if name.startswith("arn:") else place.arn("dynamodb", f"table/{name}")
