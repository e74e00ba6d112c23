"""Where and as what the program deploys: names, ARNs and tags of one environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

PROJECT = "trading"


@dataclass(frozen=True)
class Deployment:
    """One environment in one account and region.

    Attributes
    ----------
    environment : short name, part of every resource's name (`dev`)
    account, region, partition : where it lies
    protect : whether what holds data is protected against deletion
    log_retention_days : how long CloudWatch keeps log events
    tags : put on everything that takes tags
    boundary : ARN of the policy that caps every role (`stacks/boundary.py`)
    key : ARN of the key that encrypts what is stored (`stacks/encryption.py`)
    """

    environment: str
    account: str
    region: str
    partition: str
    protect: bool
    log_retention_days: int
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: pulumi.Input[str] | None = None
    key: pulumi.Input[str] | None = None

    @classmethod
    def current(cls, environment: str, *, protect: bool, log_retention_days: int) -> "Deployment":
        """Ask AWS which account and region the program's credentials reach."""
        return cls(
            environment=environment,
            account=aws.get_caller_identity().account_id,
            region=aws.get_region().region,
            partition=aws.get_partition().partition,
            protect=protect,
            log_retention_days=log_retention_days,
            tags={"Project": PROJECT, "Environment": environment, "ManagedBy": "pulumi"},
        )

    @property
    def prefix(self) -> str:
        """What every name begins with: `trading-dev`."""
        return f"{PROJECT}-{self.environment}"

    def name(self, *parts: str) -> str:
        """Return the name of a resource: `name("run", "jobs")` is `trading-dev-run-jobs`."""
        return "-".join((self.prefix, *parts)).replace("_", "-")

    def global_name(self, part: str) -> str:
        """Return a name that is unique over all accounts, as buckets need."""
        return f"{self.name(part)}-{self.account}"

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def stateful(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of a resource that holds data."""
        return pulumi.ResourceOptions(parent=parent, protect=self.protect)
