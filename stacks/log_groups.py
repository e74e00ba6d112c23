"""A log group: encrypted, and kept as long as the deployment keeps its logs."""

import pulumi
from pulumi_aws import cloudwatch

from stacks.deployment import Deployment

# Log delivery to a group below this needs no entry in the account's resource policy.
VENDED_LOGS = "/aws/vendedlogs"


def make_log_group(
    key: str, folder: str, deployment: Deployment, parent: pulumi.Resource
) -> cloudwatch.LogGroup:
    """Return the log group of the deployment for `key`, in a folder such as `/aws/ecs`."""
    return cloudwatch.LogGroup(
        key,
        name=f"{folder}/{deployment.name(key)}",
        retention_in_days=deployment.log_retention_days,
        kms_key_id=deployment.key,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
