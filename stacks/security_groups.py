"""Security groups that let nothing pass but the ways that are named."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from stacks.deployment import Deployment
from stacks.network import Network

HTTPS = 443


@dataclass(frozen=True)
class Way:
    """One TCP port between a security group and its peer.

    Attributes
    ----------
    key : its name in the program
    description : who comes or goes there, in words
    port : of the one who is spoken to
    peer : a range of IPv4 addresses, or another security group
    """

    key: str
    description: str
    port: int
    peer: str | ec2.SecurityGroup

    @property
    def addresses(self) -> str | None:
        """The range of addresses, where the peer is one."""
        return self.peer if isinstance(self.peer, str) else None

    @property
    def group(self) -> pulumi.Output[str] | None:
        """The id of the other security group, where the peer is one."""
        return None if isinstance(self.peer, str) else self.peer.id


def make_security_group(
    key: str,
    description: str,
    network: Network,
    deployment: Deployment,
    parent: pulumi.Resource,
) -> ec2.SecurityGroup:
    """Return a security group of the network that lets nothing pass yet."""
    return ec2.SecurityGroup(
        key,
        name=deployment.name(key),
        description=description,
        vpc_id=network.vpc.id,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def let_in(
    group: ec2.SecurityGroup, way: Way, deployment: Deployment, parent: pulumi.Resource
) -> None:
    """Let the peer of a way speak to the group."""
    vpc.SecurityGroupIngressRule(
        way.key,
        security_group_id=group.id,
        description=way.description,
        ip_protocol="tcp",
        from_port=way.port,
        to_port=way.port,
        cidr_ipv4=way.addresses,
        referenced_security_group_id=way.group,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def let_out(
    group: ec2.SecurityGroup, way: Way, deployment: Deployment, parent: pulumi.Resource
) -> None:
    """Let the group speak to the peer of a way."""
    vpc.SecurityGroupEgressRule(
        way.key,
        security_group_id=group.id,
        description=way.description,
        ip_protocol="tcp",
        from_port=way.port,
        to_port=way.port,
        cidr_ipv4=way.addresses,
        referenced_security_group_id=way.group,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
