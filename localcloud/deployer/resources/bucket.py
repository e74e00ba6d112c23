"""S3 buckets and their settings."""

from typing import Any

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
    given,
    gone,
    handles,
    suppress_missing,
    tag_list,
)

ABORT = "AbortIncompleteMultipartUpload"
DELETE_BATCH = 1000


@handles("aws:s3/bucket:Bucket")
class Bucket(Handler):
    """A bucket. Deleting one empties it, as `force_destroy` does."""

    replace_on = frozenset({"bucket"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the bucket's name."""
        return str(inputs["bucket"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        if found(self.cloud.client("s3").head_bucket, Bucket=identity) is None:
            return None
        return self._live(identity)

    def _live(self, name: str) -> Live:
        region = self.cloud.region
        return Live(
            name,
            {
                "arn": f"arn:aws:s3:::{name}",
                "bucket": name,
                "region": region,
                "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            },
        )

    def create(self, inputs: Inputs) -> Live:
        """Create the bucket, in the deployer's region."""
        place: dict[str, Any] = {}
        if self.cloud.region != "us-east-1":
            place["CreateBucketConfiguration"] = {"LocationConstraint": self.cloud.region}
        name = str(inputs["bucket"])
        self.cloud.client("s3").create_bucket(Bucket=name, **place)
        self.update(name, inputs)
        return self._live(name)

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the tags."""
        self.cloud.client("s3").put_bucket_tagging(
            Bucket=identity, Tagging={"TagSet": tag_list(inputs)}
        )

    def delete(self, identity: str) -> None:
        """Remove every version of every object, then the bucket."""
        client = self.cloud.client("s3")
        with suppress_missing():
            for page in client.get_paginator("list_object_versions").paginate(Bucket=identity):
                versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                keys = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
                for start in range(0, len(keys), DELETE_BATCH):
                    batch = {"Objects": keys[start : start + DELETE_BATCH], "Quiet": True}
                    client.delete_objects(Bucket=identity, Delete=batch)
            client.delete_bucket(Bucket=identity)


class BucketSetting(SettingHandler):
    """A setting of a bucket, whose id is the bucket's name."""

    replace_on = frozenset({"bucket"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the bucket's name."""
        return str(inputs["bucket"])


@handles("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
class OwnershipControls(BucketSetting):
    """Who owns objects that others write."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the controls."""
        call = self.cloud.client("s3").get_bucket_ownership_controls
        return Live(identity) if found(call, Bucket=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the rule."""
        rule = {"ObjectOwnership": inputs["rule"]["objectOwnership"]}
        self.cloud.client("s3").put_bucket_ownership_controls(
            Bucket=inputs["bucket"], OwnershipControls={"Rules": [rule]}
        )

    def delete(self, identity: str) -> None:
        """Remove the controls."""
        gone(self.cloud.client("s3").delete_bucket_ownership_controls, Bucket=identity)


@handles("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
class PublicAccessBlock(BucketSetting):
    """The block of public access."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the block."""
        call = self.cloud.client("s3").get_public_access_block
        return Live(identity) if found(call, Bucket=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the four switches."""
        switches = given(
            inputs,
            BlockPublicAcls="blockPublicAcls",
            BlockPublicPolicy="blockPublicPolicy",
            IgnorePublicAcls="ignorePublicAcls",
            RestrictPublicBuckets="restrictPublicBuckets",
        )
        self.cloud.client("s3").put_public_access_block(
            Bucket=inputs["bucket"], PublicAccessBlockConfiguration=switches
        )

    def delete(self, identity: str) -> None:
        """Remove the block."""
        gone(self.cloud.client("s3").delete_public_access_block, Bucket=identity)


@handles("aws:s3/bucketPolicy:BucketPolicy")
class BucketPolicy(BucketSetting):
    """The policy of a bucket."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the policy."""
        call = self.cloud.client("s3").get_bucket_policy
        return Live(identity) if found(call, Bucket=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("s3").put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])

    def delete(self, identity: str) -> None:
        """Remove the policy."""
        gone(self.cloud.client("s3").delete_bucket_policy, Bucket=identity)


@handles("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
class Encryption(BucketSetting):
    """The encryption by default."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the rules."""
        call = self.cloud.client("s3").get_bucket_encryption
        return Live(identity) if found(call, Bucket=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the rules."""
        rules = []
        for rule in inputs["rules"]:
            default = given(
                rule["applyServerSideEncryptionByDefault"],
                SSEAlgorithm="sseAlgorithm",
                KMSMasterKeyID="kmsMasterKeyId",
            )
            rules.append(
                {"ApplyServerSideEncryptionByDefault": default}
                | given(rule, BucketKeyEnabled="bucketKeyEnabled")
            )
        self.cloud.client("s3").put_bucket_encryption(
            Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
        )

    def delete(self, identity: str) -> None:
        """Remove the rules."""
        gone(self.cloud.client("s3").delete_bucket_encryption, Bucket=identity)


@handles("aws:s3/bucketVersioning:BucketVersioning")
class Versioning(BucketSetting):
    """Whether a bucket keeps versions."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Ask for the status; a bucket that never had one has no versioning."""
        answer = found(self.cloud.client("s3").get_bucket_versioning, Bucket=identity)
        if not answer or "Status" not in answer:
            return None
        wanted = (inputs.get("versioningConfiguration") or {}).get("status", answer["Status"])
        return Live(identity, drifted=answer["Status"] != wanted)

    def put(self, inputs: Inputs) -> None:
        """Put the status."""
        self.cloud.client("s3").put_bucket_versioning(
            Bucket=inputs["bucket"],
            VersioningConfiguration={"Status": inputs["versioningConfiguration"]["status"]},
        )

    def delete(self, identity: str) -> None:
        """Suspend it: versioning is never removed."""
        gone(
            self.cloud.client("s3").put_bucket_versioning,
            Bucket=identity,
            VersioningConfiguration={"Status": "Suspended"},
        )


@handles("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
class Lifecycle(BucketSetting):
    """What becomes of old objects and versions."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the rules."""
        call = self.cloud.client("s3").get_bucket_lifecycle_configuration
        return Live(identity) if found(call, Bucket=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the rules."""
        rules = [_lifecycle_rule(rule) for rule in inputs["rules"]]
        self.cloud.client("s3").put_bucket_lifecycle_configuration(
            Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
        )

    def delete(self, identity: str) -> None:
        """Remove the rules."""
        gone(self.cloud.client("s3").delete_bucket_lifecycle, Bucket=identity)


@handles("aws:s3/bucketLogging:BucketLogging")
class Logging(BucketSetting):
    """Where accesses to a bucket would be logged: the embedded cloud writes no such logs."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the target."""
        answer = found(self.cloud.client("s3").get_bucket_logging, Bucket=identity)
        return Live(identity) if answer and "LoggingEnabled" in answer else None

    def put(self, inputs: Inputs) -> None:
        """Put the target."""
        self.cloud.client("s3").put_bucket_logging(
            Bucket=inputs["bucket"],
            BucketLoggingStatus={
                "LoggingEnabled": {
                    "TargetBucket": inputs["targetBucket"],
                    "TargetPrefix": inputs["targetPrefix"],
                }
            },
        )

    def delete(self, identity: str) -> None:
        """Remove the target."""
        call = self.cloud.client("s3").put_bucket_logging
        gone(call, Bucket=identity, BucketLoggingStatus={})


def _lifecycle_rule(rule: Inputs) -> dict[str, Any]:
    found_rule: dict[str, Any] = {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": {"Prefix": (rule.get("filter") or {}).get("prefix", "")},
    }
    if abort := rule.get("abortIncompleteMultipartUpload"):
        found_rule[ABORT] = given(abort, DaysAfterInitiation="daysAfterInitiation")
    if expiration := rule.get("expiration"):
        found_rule["Expiration"] = given(
            expiration,
            Days="days",
            Date="date",
            ExpiredObjectDeleteMarker="expiredObjectDeleteMarker",
        )
    if expiration := rule.get("noncurrentVersionExpiration"):
        found_rule["NoncurrentVersionExpiration"] = given(
            expiration,
            NoncurrentDays="noncurrentDays",
            NewerNoncurrentVersions="newerNoncurrentVersions",
        )
    if transitions := rule.get("transitions"):
        found_rule["Transitions"] = [
            given(transition, Days="days", StorageClass="storageClass")
            for transition in transitions
        ]
    return found_rule
