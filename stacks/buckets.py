"""A bucket with all that keeps it private, encrypted, recoverable and tidy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from stacks.deployment import Deployment
from stacks.policies import Statement, document, require_tls

NONCURRENT_DAYS = 90
INFREQUENT_DAYS = 90
UPLOAD_DAYS = 7

Admit = Callable[[s3.Bucket], Sequence[Statement]]


@dataclass(frozen=True)
class BucketArgs:
    """What a bucket is made of.

    Attributes
    ----------
    key : its name in the program
    admit : the bucket to further statements of its policy, for services that write into it
    expire_days : after how many days its objects go; never by default. Those that go by
        `INFREQUENT_DAYS` stay in their storage class: S3 refuses a rule that moves them so late
    logs : the bucket that requests to this one are logged in; none for that bucket itself, which
        is encrypted under S3's own key: S3 and load balancers write to no other
    """

    deployment: Deployment
    key: str
    admit: Admit | None = None
    expire_days: int | None = None
    logs: "PrivateBucket | None" = None


@dataclass(frozen=True)
class PrivateBucket:
    """A bucket and its policy: a service that writes into it has to wait for both."""

    bucket: s3.Bucket
    policy: s3.BucketPolicy


def make_bucket(args: BucketArgs, parent: pulumi.Resource) -> PrivateBucket:
    """Return a bucket without ACLs or public access, under the key, versioned, TLS only."""
    deployment, key = args.deployment, args.key
    bucket = s3.Bucket(
        key,
        bucket=deployment.global_name(key),
        force_destroy=not deployment.protect,
        tags=deployment.tags,
        opts=deployment.stateful(parent),
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
    everything = [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")]
    admitted = args.admit(bucket) if args.admit else ()
    policy = s3.BucketPolicy(
        key,
        bucket=bucket.bucket,
        policy=document([require_tls(["s3:*"], everything), *admitted]),
        opts=pulumi.ResourceOptions(parent=bucket, depends_on=[blocked]),
    )
    if args.logs is not None:
        s3.BucketLogging(
            key,
            bucket=bucket.bucket,
            target_bucket=args.logs.bucket.bucket,
            target_prefix=f"access/{key}/",
            # S3 asks whether it may write there.
            opts=pulumi.ResourceOptions(parent=bucket, depends_on=[args.logs.policy]),
        )
    _encrypt(args, bucket, inside)
    _keep_versions(args, bucket, inside)
    return PrivateBucket(bucket, policy)


def _encrypt(args: BucketArgs, bucket: s3.Bucket, inside: pulumi.ResourceOptions) -> None:
    by_default = (
        s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    )
    chosen = (
        by_default(sse_algorithm="AES256")
        if args.logs is None
        else by_default(sse_algorithm="aws:kms", kms_master_key_id=args.deployment.key)
    )
    s3.BucketServerSideEncryptionConfiguration(
        args.key,
        bucket=bucket.bucket,
        rules=[
            s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=chosen,
                bucket_key_enabled=args.logs is not None,
            )
        ],
        opts=inside,
    )


def _keep_versions(args: BucketArgs, bucket: s3.Bucket, inside: pulumi.ResourceOptions) -> None:
    versioning = s3.BucketVersioning(
        args.key,
        bucket=bucket.bucket,
        versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=inside,
    )
    expire = (
        s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.expire_days)
        if args.expire_days
        else None
    )
    tier = (
        [
            s3.BucketLifecycleConfigurationRuleTransitionArgs(
                days=INFREQUENT_DAYS, storage_class="INTELLIGENT_TIERING"
            )
        ]
        if args.expire_days is None or args.expire_days > INFREQUENT_DAYS
        else None
    )
    s3.BucketLifecycleConfiguration(
        args.key,
        bucket=bucket.bucket,
        rules=[
            s3.BucketLifecycleConfigurationRuleArgs(
                id="tidy",
                status="Enabled",
                filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                expiration=expire,
                abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=UPLOAD_DAYS
                ),
                noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=NONCURRENT_DAYS
                ),
                transitions=tier,
            )
        ],
        opts=pulumi.ResourceOptions(parent=bucket, depends_on=[versioning]),
    )
