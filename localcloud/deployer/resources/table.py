"""DynamoDB tables."""

from typing import Any

from localcloud.deployer.handler import Handler, Inputs, Live, found, given, gone, handles, tag_list


@handles("aws:dynamodb/table:Table")
class Table(Handler):
    """A table, with its time to live and point-in-time recovery."""

    replace_on = frozenset({"name", "hashKey", "rangeKey", "attributes"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the table's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Return ARN and name; a table without the recovery or time to live wanted drifted."""
        client = self.cloud.client("dynamodb")
        answer = found(client.describe_table, TableName=identity)
        if answer is None:
            return None
        backups = client.describe_continuous_backups(TableName=identity)
        recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        ttl = client.describe_time_to_live(TableName=identity)["TimeToLiveDescription"]
        drifted = (recovery.get("PointInTimeRecoveryStatus") == "ENABLED") != _recovery(inputs)
        drifted |= ttl.get("AttributeName") != _expiration(inputs)
        arn = answer["Table"]["TableArn"]
        return Live(identity, {"arn": arn, "name": identity}, drifted=bool(inputs) and drifted)

    def create(self, inputs: Inputs) -> Live:
        """Create the table; on the embedded cloud it is active at once."""
        client, name = self.cloud.client("dynamodb"), str(inputs["name"])
        keys = [("HASH", inputs["hashKey"])]
        if inputs.get("rangeKey"):
            keys.append(("RANGE", inputs["rangeKey"]))
        arguments: dict[str, Any] = {
            "TableName": name,
            "BillingMode": inputs["billingMode"],
            "KeySchema": [{"AttributeName": key, "KeyType": kind} for kind, key in keys],
            "AttributeDefinitions": [
                {"AttributeName": a["name"], "AttributeType": a["type"]}
                for a in inputs["attributes"]
            ],
            "DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled")),
            "Tags": tag_list(inputs),
        }
        encryption = inputs.get("serverSideEncryption") or {}
        if encryption.get("enabled"):
            key = given(encryption, KMSMasterKeyId="kmsKeyArn")
            arguments["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **key}
        answer = client.create_table(**arguments)
        self._configure(name, inputs)
        return Live(name, {"arn": answer["TableDescription"]["TableArn"], "name": name})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Bring protection, recovery, time to live and tags to the inputs."""
        client = self.cloud.client("dynamodb")
        client.update_table(
            TableName=identity,
            DeletionProtectionEnabled=bool(inputs.get("deletionProtectionEnabled")),
        )
        arn = client.describe_table(TableName=identity)["Table"]["TableArn"]
        client.tag_resource(ResourceArn=arn, Tags=tag_list(inputs))
        self._configure(identity, inputs)

    def delete(self, identity: str) -> None:
        """Lift the protection, which the program no longer asks for, and delete the table."""
        client = self.cloud.client("dynamodb")
        if found(client.describe_table, TableName=identity) is not None:
            client.update_table(TableName=identity, DeletionProtectionEnabled=False)
            gone(client.delete_table, TableName=identity)

    def _configure(self, name: str, inputs: Inputs) -> None:
        client = self.cloud.client("dynamodb")
        client.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": _recovery(inputs)},
        )
        attribute = _expiration(inputs)
        current = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if attribute and current.get("AttributeName") != attribute:
            client.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
            )


def _recovery(inputs: Inputs) -> bool:
    return bool((inputs.get("pointInTimeRecovery") or {}).get("enabled"))


def _expiration(inputs: Inputs) -> str | None:
    ttl = inputs.get("ttl") or {}
    return str(ttl["attributeName"]) if ttl.get("enabled") else None
