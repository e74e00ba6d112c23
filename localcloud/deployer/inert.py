"""Resource types that have no counterpart on one machine: accepted, and listed in the result."""

from collections.abc import Mapping
from typing import Any

_NOT_BUILT = "Nothing is built: functions and jobs run from the checkout."
_NO_NETWORK = "There is no network on one machine: every part talks over the loopback device."
_NO_CONTAINERS = "No container runs here: `trading up` serves the dashboard as a process."
_NO_FRONT_DOOR = "The dashboard answers on the loopback device, without a front door."
_NO_API = "No API answers here: the health check is a function that can be invoked."
_NO_BILL = "Nothing here costs money."
_NO_AUDITOR = "Every call and decision is in the home's audit.jsonl."

INERT: Mapping[str, str] = {
    "docker-build:index:Image": _NOT_BUILT,
    "pulumi:providers:aws": "The endpoint and credentials are the deployer's.",
    "pulumi:providers:docker-build": _NOT_BUILT,
    **dict.fromkeys(
        (
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            "aws:ec2/eip:Eip",
            "aws:ec2/flowLog:FlowLog",
            "aws:ec2/internetGateway:InternetGateway",
            "aws:ec2/natGateway:NatGateway",
            "aws:ec2/route:Route",
            "aws:ec2/routeTable:RouteTable",
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            "aws:ec2/securityGroup:SecurityGroup",
            "aws:ec2/subnet:Subnet",
            "aws:ec2/vpc:Vpc",
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        ),
        _NO_NETWORK,
    ),
    **dict.fromkeys(
        (
            "aws:appautoscaling/policy:Policy",
            "aws:appautoscaling/scheduledAction:ScheduledAction",
            "aws:appautoscaling/target:Target",
            "aws:ecs/cluster:Cluster",
            "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
            "aws:ecs/service:Service",
            "aws:ecs/taskDefinition:TaskDefinition",
        ),
        _NO_CONTAINERS,
    ),
    **dict.fromkeys(
        (
            "aws:acm/certificate:Certificate",
            "aws:acm/certificateValidation:CertificateValidation",
            "aws:cognito/userPool:UserPool",
            "aws:cognito/userPoolClient:UserPoolClient",
            "aws:cognito/userPoolDomain:UserPoolDomain",
            "aws:lb/listener:Listener",
            "aws:lb/listenerRule:ListenerRule",
            "aws:lb/loadBalancer:LoadBalancer",
            "aws:lb/targetGroup:TargetGroup",
            "aws:route53/record:Record",
        ),
        _NO_FRONT_DOOR,
    ),
    **dict.fromkeys(
        (
            "aws:apigatewayv2/api:Api",
            "aws:apigatewayv2/integration:Integration",
            "aws:apigatewayv2/route:Route",
            "aws:apigatewayv2/stage:Stage",
        ),
        _NO_API,
    ),
    "aws:budgets/budget:Budget": _NO_BILL,
    "aws:costexplorer/costAllocationTag:CostAllocationTag": _NO_BILL,
    **dict.fromkeys(
        (
            "aws:cfg/deliveryChannel:DeliveryChannel",
            "aws:cfg/recorder:Recorder",
            "aws:cfg/recorderStatus:RecorderStatus",
            "aws:cfg/rule:Rule",
            "aws:cloudtrail/trail:Trail",
            "aws:iam/serviceLinkedRole:ServiceLinkedRole",
        ),
        _NO_AUDITOR,
    ),
}


def inert_outputs(
    type_: str, name: str, urn: str, inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the id and outputs of an inert resource, in AWS's form; they name nothing.

    They are the same in every run, so that nothing that holds one ever differs.
    """
    from stackcheck.placeholders import identifier, outputs

    return identifier(type_, name, urn, inputs), outputs(type_, name, urn, inputs)
