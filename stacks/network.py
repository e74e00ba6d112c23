"""The network of the dashboard: two zones, public and private subnets, and the way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws
from pulumi_aws import ec2

from stacks.dashboard_configuration import EVERYWHERE
from stacks.deployment import Deployment
from stacks.log_groups import make_log_group
from stacks.policies import Statement, document
from stacks.roles import RoleArgs, make_role

RANGE = IPv4Network("10.64.0.0/20")
ZONES = 2
SUBNET_PREFIX = 24
GATEWAY_SERVICES = ("dynamodb", "s3")


@dataclass(frozen=True)
class NetworkArgs:
    """The arguments of `Network`.

    Attributes
    ----------
    nat : whether the private subnets get a way out, by a NAT gateway
    """

    deployment: Deployment
    nat: bool = False


class Network(pulumi.ComponentResource):
    """A VPC over two zones whose default security group lets nothing pass.

    Public subnets have a route to the internet and hand out no addresses by themselves. Private
    subnets reach S3 and DynamoDB through gateway endpoints, and the internet by `nat` only. What
    the security groups refuse is logged.

    Attributes
    ----------
    vpc : the network
    public, private : a subnet for each zone
    """

    vpc: ec2.Vpc
    public: Sequence[ec2.Subnet]
    private: Sequence[ec2.Subnet]

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:network:Network", name, None, opts)
        self._deployment = args.deployment
        self.vpc = self._vpc()
        zones = _zones()
        ranges = list(RANGE.subnets(new_prefix=SUBNET_PREFIX))
        self.public = self._subnets("public", zones, ranges[:ZONES])
        self.private = self._subnets("private", zones, ranges[ZONES : 2 * ZONES])
        outside, inside = (
            self._route_table("public", self.public),
            self._route_table("private", self.private),
        )
        self._open(outside)
        if args.nat:
            self._translate(inside)
        self._reach_stores([outside, inside])
        self._log_refusals()
        self.register_outputs({"vpc": self.vpc.id})

    def _tags(self, *parts: str) -> dict[str, str]:
        return {**self._deployment.tags, "Name": self._deployment.name(*parts)}

    def _in_vpc(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self.vpc)

    def _vpc(self) -> ec2.Vpc:
        vpc = ec2.Vpc(
            "network",
            cidr_block=str(RANGE),
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags("network"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Adopted to be emptied: as AWS makes it, members of this group may reach one another.
        ec2.DefaultSecurityGroup(
            "network",
            vpc_id=vpc.id,
            tags=self._tags("closed"),
            opts=pulumi.ResourceOptions(parent=vpc),
        )
        return vpc

    def _subnets(
        self, kind: str, zones: Sequence[str], ranges: Sequence[IPv4Network]
    ) -> list[ec2.Subnet]:
        return [
            ec2.Subnet(
                f"{kind}-{number}",
                vpc_id=self.vpc.id,
                availability_zone=zone,
                cidr_block=str(block),
                map_public_ip_on_launch=False,
                tags=self._tags(kind, zone),
                opts=self._in_vpc(),
            )
            for number, (zone, block) in enumerate(zip(zones, ranges, strict=True), start=1)
        ]

    def _route_table(self, kind: str, subnets: Sequence[ec2.Subnet]) -> ec2.RouteTable:
        table = ec2.RouteTable(kind, vpc_id=self.vpc.id, tags=self._tags(kind), opts=self._in_vpc())
        for number, subnet in enumerate(subnets, start=1):
            ec2.RouteTableAssociation(
                f"{kind}-{number}",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=pulumi.ResourceOptions(parent=table),
            )
        return table

    def _open(self, table: ec2.RouteTable) -> None:
        gateway = ec2.InternetGateway(
            "network", vpc_id=self.vpc.id, tags=self._tags("network"), opts=self._in_vpc()
        )
        ec2.Route(
            "public",
            route_table_id=table.id,
            destination_cidr_block=EVERYWHERE,
            gateway_id=gateway.id,
            opts=pulumi.ResourceOptions(parent=table),
        )

    def _translate(self, table: ec2.RouteTable) -> None:
        address = ec2.Eip("nat", domain="vpc", tags=self._tags("nat"), opts=self._in_vpc())
        gateway = ec2.NatGateway(
            "nat",
            allocation_id=address.allocation_id,
            subnet_id=self.public[0].id,
            tags=self._tags("nat"),
            opts=self._in_vpc(),
        )
        ec2.Route(
            "private",
            route_table_id=table.id,
            destination_cidr_block=EVERYWHERE,
            nat_gateway_id=gateway.id,
            opts=pulumi.ResourceOptions(parent=table),
        )

    def _reach_stores(self, tables: Sequence[ec2.RouteTable]) -> None:
        """Make the endpoints of S3 and DynamoDB: they cost nothing, and lead to this account."""
        deployment = self._deployment
        layers = f"arn:{deployment.partition}:s3:::prod-{deployment.region}-starport-layer-bucket/*"
        for service in GATEWAY_SERVICES:
            statements = [
                Statement(
                    "OwnStores",
                    [f"{service}:*"],
                    ["*"],
                    principals={"AWS": "*"},
                    conditions={"StringEquals": {"aws:ResourceAccount": deployment.account}},
                )
            ]
            if service == "s3":
                # Where ECR keeps the layers of every image.
                statements.append(
                    Statement("PullLayers", ["s3:GetObject"], [layers], principals={"AWS": "*"})
                )
            ec2.VpcEndpoint(
                service,
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{deployment.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                policy=document(statements),
                tags=self._tags(service),
                opts=self._in_vpc(),
            )

    def _log_refusals(self) -> None:
        deployment = self._deployment
        group = make_log_group("network", "/aws/vpc", deployment, self.vpc)
        made = make_role(
            RoleArgs(
                deployment=deployment,
                key="flow-log",
                name=deployment.name("flow-log"),
                description="What the network's refusals are logged as",
                service="vpc-flow-logs.amazonaws.com",
                statements=[
                    Statement(
                        "WriteLogs",
                        [
                            *("logs:CreateLogGroup", "logs:CreateLogStream"),
                            *("logs:DescribeLogStreams", "logs:PutLogEvents"),
                        ],
                        [pulumi.Output.concat(group.arn, ":*")],
                    ),
                    Statement("FindLogGroup", ["logs:DescribeLogGroups"], ["*"]),
                ],
            ),
            self.vpc,
        )
        ec2.FlowLog(
            "network",
            vpc_id=self.vpc.id,
            traffic_type="REJECT",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=made.arn,
            max_aggregation_interval=600,
            tags=self._tags("network"),
            opts=pulumi.ResourceOptions(parent=self.vpc, depends_on=[made.policy]),
        )


def _zones() -> Sequence[str]:
    """Return the first zones of the region, Local and Wavelength Zones left out."""
    ordinary = aws.GetAvailabilityZonesFilterArgs(
        name="opt-in-status", values=["opt-in-not-required"]
    )
    return aws.get_availability_zones(state="available", filters=[ordinary]).names[:ZONES]
