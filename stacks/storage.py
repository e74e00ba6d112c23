"""What keeps data: the buckets of the lake, the models and the runs, and the tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import dynamodb, s3

from stacks.deployment import Deployment
from stacks.policies import document, require_tls

BUCKETS = ("data", "models", "runs")
NONCURRENT_DAYS = 90
INFREQUENT_DAYS = 90


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
    tables : `ledger`, `signals`, `performance`, `idempotency`
    """

    buckets: Mapping[str, s3.Bucket]
    tables: Mapping[str, dynamodb.Table]

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:storage:Storage", name, None, opts)
        self._deployment = args.deployment
        self.buckets = {bucket: self._bucket(bucket) for bucket in BUCKETS}
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

    def _bucket(self, key: str) -> s3.Bucket:
        deployment = self._deployment
        bucket = s3.Bucket(
            key,
            bucket=deployment.global_name(key),
            force_destroy=not deployment.protect,
            tags=deployment.tags,
            opts=deployment.stateful(self),
        )
        inside = pulumi.ResourceOptions(parent=bucket)
        s3.BucketOwnershipControls(
            key,
            bucket=bucket.bucket,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=inside,
        )
        blocked = s3.BucketPublicAccessBlock(
            key,
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=inside,
        )
        s3.BucketPolicy(
            key,
            bucket=bucket.bucket,
            policy=document(
                [require_tls(["s3:*"], [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")])]
            ),
            opts=pulumi.ResourceOptions(parent=bucket, depends_on=[blocked]),
        )
        self._encrypt(key, bucket, inside)
        self._keep_versions(key, bucket, inside)
        return bucket

    def _encrypt(self, key: str, bucket: s3.Bucket, inside: pulumi.ResourceOptions) -> None:
        by_default = (
            s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                sse_algorithm="aws:kms"
            )
        )
        s3.BucketServerSideEncryptionConfiguration(
            key,
            bucket=bucket.bucket,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=by_default, bucket_key_enabled=True
                )
            ],
            opts=inside,
        )

    def _keep_versions(self, key: str, bucket: s3.Bucket, inside: pulumi.ResourceOptions) -> None:
        versioning = s3.BucketVersioning(
            key,
            bucket=bucket.bucket,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled"
            ),
            opts=inside,
        )
        s3.BucketLifecycleConfiguration(
            key,
            bucket=bucket.bucket,
            rules=[
                s3.BucketLifecycleConfigurationRuleArgs(
                    id="tidy",
                    status="Enabled",
                    filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                    noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=NONCURRENT_DAYS
                    ),
                    transitions=[
                        s3.BucketLifecycleConfigurationRuleTransitionArgs(
                            days=INFREQUENT_DAYS, storage_class="INTELLIGENT_TIERING"
                        )
                    ],
                )
            ],
            opts=pulumi.ResourceOptions(parent=bucket, depends_on=[versioning]),
        )

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
            server_side_encryption=dynamodb.TableServerSideEncryptionArgs(enabled=True),
            ttl=ttl,
            deletion_protection_enabled=deployment.protect,
            tags=deployment.tags,
            opts=deployment.stateful(self),
        )
