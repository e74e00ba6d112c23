"""The key that encrypts what an environment stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import kms

from stacks.deployment import Deployment
from stacks.policies import Statement, document

# What stores under the key, and asks for it in the name of who reads or writes.
SERVICES = ("dynamodb", "ecr", "lambda", "s3", "scheduler", "secretsmanager")
CRYPT = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


@dataclass(frozen=True)
class EncryptionArgs:
    """The arguments of `Encryption`.

    Attributes
    ----------
    trail, history : whether CloudTrail and AWS Config write their records under the key
    """

    deployment: Deployment
    trail: bool
    history: bool


class Encryption(pulumi.ComponentResource):
    """One key for buckets, tables, secrets, registries, variables of functions and logs.

    Its policy is that of AWS's own keys (whoever may use the bucket may use its key, through the
    bucket only), on a key that the operator can switch off, and whose every use CloudTrail shows.

    Attributes
    ----------
    key : the key, renewed every year
    """

    key: kms.Key

    def __init__(
        self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:encryption:Encryption", name, None, opts)
        self._args, self._deployment = args, args.deployment
        self.key = make_key(
            args.deployment,
            "data",
            f"What {args.deployment.prefix} stores",
            [*self._through_services(), self._logs(), *self._records()],
            self,
        )
        self.register_outputs({"key": self.key.arn})

    def _through_services(self) -> list[Statement]:
        deployment = self._deployment
        services = [f"{service}.{deployment.region}.amazonaws.com" for service in SERVICES]
        ours = {"kms:CallerAccount": deployment.account, "kms:ViaService": services}
        return [
            Statement(
                "UseThroughServices",
                CRYPT,
                ["*"],
                principals={"AWS": "*"},
                conditions={"StringEquals": ours},
            ),
            Statement(
                "GrantToServices",
                ["kms:CreateGrant"],
                ["*"],
                principals={"AWS": "*"},
                conditions={
                    "StringEquals": ours,
                    "Bool": {"kms:GrantIsForAWSResource": "true"},
                },
            ),
        ]

    def _logs(self) -> Statement:
        deployment = self._deployment
        groups = deployment.arn("logs", f"log-group:/*{deployment.prefix}*")
        return Statement(
            "EncryptLogs",
            CRYPT,
            ["*"],
            principals={"Service": f"logs.{deployment.region}.amazonaws.com"},
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )

    def _records(self) -> list[Statement]:
        """Return what CloudTrail and AWS Config need to write their records into a bucket."""
        deployment = self._deployment
        trail = deployment.arn("cloudtrail", f"trail/{deployment.name('trail')}")
        account = {"StringEquals": {"aws:SourceAccount": deployment.account}}
        found = []
        if self._args.trail:
            source = {"ArnLike": {"aws:SourceArn": trail}}
            found.append(_record("EncryptTrail", "cloudtrail.amazonaws.com", source))
        if self._args.history:
            found.append(_record("EncryptHistory", "config.amazonaws.com", account))
        return found


def _record(sid: str, service: str, source: Mapping[str, Mapping[str, str]]) -> Statement:
    return Statement(
        sid,
        ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
        ["*"],
        principals={"Service": service},
        conditions=source,
    )


def make_key(
    deployment: Deployment,
    name: str,
    description: str,
    statements: Sequence[Statement],
    parent: pulumi.Resource,
) -> kms.Key:
    """Return a key that the account administers and `statements` let others use, with an alias."""
    root = f"arn:{deployment.partition}:iam::{deployment.account}:root"
    administer = Statement("AdministerKey", ["kms:*"], ["*"], principals={"AWS": root})
    key = kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        deletion_window_in_days=30 if deployment.protect else 7,
        policy=document([administer, *statements]),
        tags=deployment.tags,
        opts=deployment.stateful(parent),
    )
    kms.Alias(
        name,
        name=f"alias/{deployment.name(name)}",
        target_key_id=key.key_id,
        opts=pulumi.ResourceOptions(parent=key),
    )
    return key
