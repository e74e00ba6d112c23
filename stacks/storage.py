"""What keeps data: the buckets of the lake, the models and the runs, and the tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import dynamodb, s3

from stacks.buckets import BucketArgs, PrivateBucket, make_bucket
from stacks.deployment import Deployment
from stacks.policies import Statement

BUCKETS = ("data", "models", "runs")
LOG_DAYS = 90


@dataclass(frozen=True)
class TableKeys:
    """The keys of a table; `expiration` names the attribute of its time to live."""

    hash_key: str
    range_key: str | None = None
    expiration: str | None = None


TABLES: Mapping[str, TableKeys] = {
    "ledger": TableKeys("pk", "sk"),
    "signals": TableKeys("month", "symbol"),
    "performance": TableKeys("month"),
    "idempotency": TableKeys("id", expiration="expiration"),
}


@dataclass(frozen=True)
class StorageArgs:
    """The arguments of `Storage`."""

    deployment: Deployment


class Storage(pulumi.ComponentResource):
    """Private, encrypted, versioned buckets and on-demand tables with point-in-time recovery.

    Attributes
    ----------
    buckets : `data`, `models`, `runs`
    logs : the bucket that requests to buckets and load balancers are logged in
    tables : `ledger`, `signals`, `performance`, `idempotency`
    """

    logs: PrivateBucket
    buckets: Mapping[str, s3.Bucket]
    tables: Mapping[str, dynamodb.Table]

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:storage:Storage", name, None, opts)
        self._deployment = args.deployment
        logs = BucketArgs(args.deployment, "logs", self._admit_logs, expire_days=LOG_DAYS)
        self.logs = make_bucket(logs, self)
        self.buckets = {
            key: make_bucket(BucketArgs(args.deployment, key, logs=self.logs), self).bucket
            for key in BUCKETS
        }
        self.tables = {table: self._table(table, keys) for table, keys in TABLES.items()}
        self.register_outputs(
            {
                "buckets": {key: bucket.bucket for key, bucket in self.buckets.items()},
                "tables": {key: table.name for key, table in self.tables.items()},
            }
        )

    def uri(self, bucket: str) -> pulumi.Output[str]:
        """Return a bucket as a store: `s3://trading-dev-data-123456789012`."""
        return pulumi.Output.concat("s3://", self.buckets[bucket].bucket)

    def _admit_logs(self, bucket: s3.Bucket) -> list[Statement]:
        """Return what S3 and load balancers need to write their logs."""
        deployment = self._deployment
        account = deployment.account
        return [
            Statement(
                "AccessLogs",
                ["s3:PutObject"],
                [pulumi.Output.concat(bucket.arn, "/access/*")],
                principals={"Service": "logging.s3.amazonaws.com"},
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            ),
            Statement(
                # Of this account's load balancers: the service writes below their account's number.
                "LoadBalancerLogs",
                ["s3:PutObject"],
                [pulumi.Output.concat(bucket.arn, f"/load-balancer/AWSLogs/{account}/*")],
                principals={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            ),
        ]

    def _table(self, key: str, keys: TableKeys) -> dynamodb.Table:
        deployment = self._deployment
        names = [keys.hash_key, *([keys.range_key] if keys.range_key else [])]
        ttl = (
            dynamodb.TableTtlArgs(attribute_name=keys.expiration, enabled=True)
            if keys.expiration
            else None
        )
        return dynamodb.Table(
            key,
            name=deployment.name(key),
            billing_mode="PAY_PER_REQUEST",
            hash_key=keys.hash_key,
            range_key=keys.range_key,
            attributes=[dynamodb.TableAttributeArgs(name=name, type="S") for name in names],
            point_in_time_recovery=dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=deployment.key
            ),
            ttl=ttl,
            deletion_protection_enabled=deployment.protect,
            tags=deployment.tags,
            opts=deployment.stateful(self),
        )
