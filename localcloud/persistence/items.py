"""DynamoDB items on disk, as the JSON of its API."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from localcloud.identity.call import ApiCall
from localcloud.persistence.journal import Journal

_WHOLE_TABLES = frozenset(
    {
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "ImportTable",
    }
)
_TRANSACTED = {"Put": "Item", "Update": "Key", "Delete": "Key"}


class Items:
    """The items of one account's and region's tables."""

    def __init__(self, journal: Journal, account: str, region: str) -> None:
        self._journal = journal
        self._backend: Any = dynamodb_backends[account][region]

    def record(self, call: ApiCall) -> None:
        """Write down what a successful call changed: one call is one transaction."""
        if call.operation == "DeleteTable":
            with self._journal.transaction() as connection:
                name = _table_name(str(call.parameters["TableName"]))
                connection.execute("DELETE FROM items WHERE name = ?", (name,))
        elif call.operation in _WHOLE_TABLES:
            self._record_everything()
        else:
            touched = list(_touched(call))
            if touched:
                self._record_items(touched)

    def restore(self) -> None:
        """Put every item back into its table."""
        for name, text in self._journal.read("SELECT name, item FROM items"):
            self._backend.tables[name].put_item(json.loads(text), overwrite=True)

    def _record_items(self, touched: list[tuple[str, Mapping[str, Any]]]) -> None:
        with self._journal.transaction() as connection:
            for name, attributes in touched:
                table = self._backend.tables[name]
                key = {attribute: attributes[attribute] for attribute in table.table_key_attrs}
                values = [DynamoType(value) for value in key.values()]
                item = table.get_item(*values)
                row = (name, json.dumps(key, sort_keys=True))
                if item is None:
                    connection.execute("DELETE FROM items WHERE name = ? AND key = ?", row)
                else:
                    connection.execute(
                        "INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (*row, _text(item))
                    )

    def _record_everything(self) -> None:
        with self._journal.transaction() as connection:
            connection.execute("DELETE FROM items")
            for name, table in self._backend.tables.items():
                for item in table.all_items():
                    found = item.to_json()["Attributes"]
                    key = {attribute: found[attribute] for attribute in table.table_key_attrs}
                    connection.execute(
                        "INSERT INTO items VALUES (?, ?, ?)",
                        (name, json.dumps(key, sort_keys=True), _text(item)),
                    )


def _touched(call: ApiCall) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield `(table, attributes that hold the key)` of every item that a call may have changed."""
    parameters = call.parameters
    if call.operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        name = _table_name(str(parameters["TableName"]))
        yield name, parameters["Item" if call.operation == "PutItem" else "Key"]
    elif call.operation == "BatchWriteItem":
        for table, requests in parameters["RequestItems"].items():
            for request in requests:
                put = request.get("PutRequest")
                attributes = put["Item"] if put else request["DeleteRequest"]["Key"]
                yield _table_name(table), attributes
    elif call.operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            for kind, body in item.items():
                if kind in _TRANSACTED:
                    yield _table_name(body["TableName"]), body[_TRANSACTED[kind]]


def _table_name(name: str) -> str:
    return name.rpartition("table/")[2] if name.startswith("arn:") else name


def _text(item: Any) -> str:
    return json.dumps(item.to_json()["Attributes"])
