"""A role that an AWS service assumes, with its one inline policy, under the boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

from stacks.deployment import Deployment
from stacks.policies import Statement, document, trust

# These assume roles without telling for which function or trail: asked for the account, they fail.
NAMES_NO_SOURCE = frozenset({"cloudtrail.amazonaws.com", "lambda.amazonaws.com"})


@dataclass(frozen=True)
class RoleArgs:
    """What a role is made of.

    Attributes
    ----------
    key : its name in the program
    name : its name on AWS
    description : what runs as it
    service : who assumes it, `lambda.amazonaws.com`
    statements : what it may do; the boundary caps it
    """

    deployment: Deployment
    key: str
    name: str
    description: str
    service: str
    statements: Sequence[Statement]


@dataclass(frozen=True)
class ServiceRole:
    """A role and its policy: what runs as it has to wait for both."""

    role: iam.Role
    policy: iam.RolePolicy

    @property
    def arn(self) -> pulumi.Output[str]:
        """The role's ARN."""
        return self.role.arn


def make_role(args: RoleArgs, parent: pulumi.Resource) -> ServiceRole:
    """Return a role of one purpose, assumed by one service for this account alone."""
    deployment = args.deployment
    account = None if args.service in NAMES_NO_SOURCE else deployment.account
    role = iam.Role(
        args.key,
        name=args.name,
        description=args.description,
        assume_role_policy=trust(args.service, account),
        permissions_boundary=deployment.boundary,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    policy = iam.RolePolicy(
        args.key,
        name=args.key,
        role=role.name,
        policy=document(args.statements),
        opts=pulumi.ResourceOptions(parent=role),
    )
    return ServiceRole(role, policy)
