"""What calls of S3 and DynamoDB need: one call can touch many resources."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from localcloud.identity.call import ApiCall
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


def s3_requirements(call: ApiCall) -> Iterator[Requirement]:
    """Yield what an S3 call needs; a copy also reads its source, a batch deletes every key."""
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
    if source:
        path = unquote(source.partition("?")[0]).lstrip("/")
        yield Requirement("s3:GetObject", f"arn:aws:s3:::{path}")


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
        distinct = {(one.action, one.resource): one for one in _transacted(parameters, place)}
        yield from distinct.values()
        return
    action = f"dynamodb:{call.operation}"
    if call.operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in parameters.get("RequestItems", {}):
            yield Requirement(action, _table(table, place))
        return
    table = parameters.get("TableName") or parameters.get("ResourceArn")
    if table is None:
        yield Requirement(action, "*")
        return
    resource = _table(str(table), place)
    if parameters.get("IndexName"):
        resource += f"/index/{parameters['IndexName']}"
    yield Requirement(action, resource)


def _transacted(parameters: Mapping[str, Any], place: Place) -> Iterator[Requirement]:
    for item in parameters.get("TransactItems", []):
        for kind, body in item.items():
            action = f"dynamodb:{_TRANSACT_ACTIONS.get(kind, kind)}"
            yield Requirement(action, _table(str(body.get("TableName", "")), place))


def _table(name: str, place: Place) -> str:
    return name if name.startswith("arn:") else place.arn("dynamodb", f"table/{name}")
