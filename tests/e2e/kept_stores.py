"""The stores and tables of a cloud, remembered and put back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

import boto3

STORES = ("data", "models", "runs")
TABLES = ("ledger", "signals", "performance", "idempotency")


@dataclass
class Kept:
    """Bodies of objects by store and key, items by table."""

    objects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class KeptStores:
    """Remembers what the stores of a deployment hold; putting it back writes only what differs.

    Parameters
    ----------
    outputs
        Outputs of the stack.
    """

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = outputs
        self._dynamodb, self._s3 = boto3.client("dynamodb"), boto3.client("s3")

    def remember(self) -> Kept:
        """Return what lies in stores and tables."""
        kept = Kept()
        for store in STORES:
            kept.objects[store] = self.objects(store)
        for table in TABLES:
            kept.items[table] = self.items(table)
        return kept

    def objects(self, store: str, prefix: str = "") -> dict[str, bytes]:
        """Return the bodies of a store's objects, by key."""
        bucket = self._bucket(store)
        return {
            key: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in self._tags(bucket)
            if key.startswith(prefix)
        }

    def put_back(self, kept: Kept, more: Mapping[str, Mapping[str, bytes]]) -> None:
        """Make stores and tables what they were, with `more` objects."""
        for store in STORES:
            bucket = self._bucket(store)
            wanted = kept.objects[store] | dict(more.get(store, {}))
            tags = self._tags(bucket)
            for key in tags.keys() - wanted.keys():
                self._s3.delete_object(Bucket=bucket, Key=key)
            for key, body in wanted.items():
                if tags.get(key) != md5(body, usedforsecurity=False).hexdigest():
                    self._s3.put_object(Bucket=bucket, Key=key, Body=body)
        for table in TABLES:
            self._put_table_back(table, kept.items[table])

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return the items of a table."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs[f"{table}_table"], ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]

    def _put_table_back(self, table: str, wanted: Sequence[dict[str, Any]]) -> None:
        name = self._outputs[f"{table}_table"]
        described = self._dynamodb.describe_table(TableName=name)["Table"]
        keys = [part["AttributeName"] for part in described["KeySchema"]]
        there = self.items(table)
        for item in there:
            if item not in wanted:
                self._dynamodb.delete_item(TableName=name, Key={key: item[key] for key in keys})
        for item in wanted:
            if item not in there:
                self._dynamodb.put_item(TableName=name, Item=item)

    def _bucket(self, store: str) -> str:
        return str(self._outputs[f"{store}_store"]).removeprefix("s3://").rstrip("/")

    def _tags(self, bucket: str) -> dict[str, str]:
        """Return the tag of each object: the MD5 of its body, for those that came in one part."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        found = (item for page in pages for item in page.get("Contents", ()))
        return {item["Key"]: item["ETag"].strip('"') for item in found}
