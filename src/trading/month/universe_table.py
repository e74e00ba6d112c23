"""The metadata of universe versions in DynamoDB: one item a version, in the ledger's table."""

from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import BotoCoreError, ClientError

from trading.errors import StoreError
from trading.universe.versions import UniverseRecord


class UniverseTable:
    """A `UniverseMetadata` in the ledger table: `pk = universe#<name>`, `sk = <as-of>`.

    The objects in the store are the truth; an item tells what a list of versions needs, and is
    written again when its version is.

    Parameters
    ----------
    table : name of the DynamoDB table
    resource : boto3 DynamoDB resource; made when absent
    """

    def __init__(self, table: str, resource: Any = None) -> None:
        self._name = table
        self._table = (resource or boto3.resource("dynamodb")).Table(table)

    def put_universe(self, record: UniverseRecord) -> None:
        """Keep a record; the same again is fine. Raises `StoreError` when the table refuses it."""
        try:
            self._table.put_item(Item=record.to_item())
        except (ClientError, BotoCoreError) as error:
            raise StoreError(
                f"the universe {record.name} of {record.as_of} could not be entered in the table "
                f"{self._name} ({error}); its slots are stored, enter it again by the same command"
            ) from error

    def universes(self, name: str) -> tuple[UniverseRecord, ...]:
        """Return the records of a universe by date."""
        key = Key("pk").eq(f"universe#{name}")
        found: list[UniverseRecord] = []
        more: dict[str, Any] = {}
        while True:
            page = self._table.query(KeyConditionExpression=key, ConsistentRead=True, **more)
            found += [UniverseRecord.from_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return tuple(found)
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
