"""Outputs in the form that AWS gives them, for resources that are registered and not created.

Every identifier is derived from the resource's URN: it is the same in every run, no two resources
of a stack share one, and it passes the patterns by which the AWS provider checks identifiers.
"""

import hashlib
import importlib
import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pulumi import Output

ACCOUNT = "123456789012"
REGION = "us-east-1"
PLACE = f"{REGION}:{ACCOUNT}"

# ARNs that are not `arn:aws:<service>:<place>:<kind>/<id>`; the service of the token is Pulumi's.
ARNS: Mapping[str, str] = {
    "aws:acm/certificate:Certificate": f"arn:aws:acm:{PLACE}:certificate/{{uuid}}",
    "aws:alb/listener:Listener": (
        f"arn:aws:elasticloadbalancing:{PLACE}:listener/app/{{name}}/{{hex16}}/{{hex16}}"
    ),
    "aws:apigatewayv2/api:Api": f"arn:aws:apigateway:{REGION}::/apis/{{id}}",
    "aws:apigatewayv2/stage:Stage": f"arn:aws:apigateway:{REGION}::/apis/{{id}}/stages/{{name}}",
    "aws:cfg/rule:Rule": f"arn:aws:config:{PLACE}:config-rule/config-rule-{{hex6}}",
    "aws:cloudfront/distribution:Distribution": (
        f"arn:aws:cloudfront::{ACCOUNT}:distribution/{{id}}"
    ),
    "aws:cloudtrail/trail:Trail": f"arn:aws:cloudtrail:{PLACE}:trail/{{name}}",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": (f"arn:aws:cloudwatch:{PLACE}:alarm:{{name}}"),
    "aws:cloudwatch/dashboard:Dashboard": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{name}}",
    "aws:cloudwatch/eventBus:EventBus": f"arn:aws:events:{PLACE}:event-bus/{{name}}",
    "aws:cloudwatch/eventRule:EventRule": f"arn:aws:events:{PLACE}:rule/{{name}}",
    "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{PLACE}:log-group:{{name}}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": f"arn:aws:cloudwatch:{PLACE}:alarm:{{name}}",
    "aws:cognito/userPool:UserPool": f"arn:aws:cognito-idp:{PLACE}:userpool/{{id}}",
    "aws:dynamodb/table:Table": f"arn:aws:dynamodb:{PLACE}:table/{{name}}",
    "aws:ec2/securityGroup:SecurityGroup": f"arn:aws:ec2:{PLACE}:security-group/{{id}}",
    "aws:iam/policy:Policy": f"arn:aws:iam::{ACCOUNT}:policy/{{name}}",
    "aws:iam/role:Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "aws:iam/user:User": f"arn:aws:iam::{ACCOUNT}:user/{{name}}",
    "aws:kms/alias:Alias": f"arn:aws:kms:{PLACE}:{{name}}",
    "aws:kms/key:Key": f"arn:aws:kms:{PLACE}:key/{{uuid}}",
    "aws:lambda/function:Function": f"arn:aws:lambda:{PLACE}:function:{{name}}",
    "aws:lb/listener:Listener": (
        f"arn:aws:elasticloadbalancing:{PLACE}:listener/app/{{name}}/{{hex16}}/{{hex16}}"
    ),
    "aws:lb/loadBalancer:LoadBalancer": (
        f"arn:aws:elasticloadbalancing:{PLACE}:loadbalancer/app/{{name}}/{{hex16}}"
    ),
    "aws:lb/targetGroup:TargetGroup": (
        f"arn:aws:elasticloadbalancing:{PLACE}:targetgroup/{{name}}/{{hex16}}"
    ),
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{name}",
    "aws:scheduler/schedule:Schedule": f"arn:aws:scheduler:{PLACE}:schedule/default/{{name}}",
    "aws:secretsmanager/secret:Secret": f"arn:aws:secretsmanager:{PLACE}:secret:{{name}}-{{hex6}}",
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": (
        f"arn:aws:servicediscovery:{PLACE}:namespace/ns-{{hex16}}"
    ),
    "aws:sesv2/configurationSet:ConfigurationSet": (
        f"arn:aws:ses:{PLACE}:configuration-set/{{name}}"
    ),
    "aws:sesv2/emailIdentity:EmailIdentity": f"arn:aws:ses:{PLACE}:identity/{{name}}",
    "aws:sfn/stateMachine:StateMachine": f"arn:aws:states:{PLACE}:stateMachine:{{name}}",
    "aws:sns/topic:Topic": f"arn:aws:sns:{PLACE}:{{name}}",
    "aws:sns/topicSubscription:TopicSubscription": f"arn:aws:sns:{PLACE}:{{name}}:{{uuid}}",
    "aws:sqs/queue:Queue": f"arn:aws:sqs:{PLACE}:{{name}}",
}
# Identifiers that are not the resource's name.
IDS: Mapping[str, str] = {
    "aws:apigatewayv2/api:Api": "{hex16}",
    "aws:apigatewayv2/authorizer:Authorizer": "{hex6}",
    "aws:apigatewayv2/integration:Integration": "{hex6}",
    "aws:apigatewayv2/vpcLink:VpcLink": "{hex6}",
    "aws:cloudfront/distribution:Distribution": "E{HEX13}",
    "aws:cloudfront/originAccessControl:OriginAccessControl": "E{HEX13}",
    "aws:cloudfront/vpcOrigin:VpcOrigin": "vo_{hex16}",
    "aws:cognito/userPool:UserPool": f"{REGION}_{{hex9}}",
    "aws:cognito/userPoolClient:UserPoolClient": "{hex26}",
    "aws:ec2/eip:Eip": "eipalloc-{hex17}",
    "aws:ec2/internetGateway:InternetGateway": "igw-{hex17}",
    "aws:ec2/natGateway:NatGateway": "nat-{hex17}",
    "aws:ec2/networkAcl:NetworkAcl": "acl-{hex17}",
    "aws:ec2/routeTable:RouteTable": "rtb-{hex17}",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc-{hex17}",
    "aws:ec2/securityGroup:SecurityGroup": "sg-{hex17}",
    "aws:ec2/subnet:Subnet": "subnet-{hex17}",
    "aws:ec2/vpc:Vpc": "vpc-{hex17}",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce-{hex17}",
    "aws:ecs/cluster:Cluster": f"arn:aws:ecs:{PLACE}:cluster/{{name}}",
    "aws:ecs/service:Service": f"arn:aws:ecs:{PLACE}:service/{{name}}",
    "aws:ecs/taskDefinition:TaskDefinition": "{name}",
    "aws:kms/key:Key": "{uuid}",
    "aws:route53/zone:Zone": "Z{HEX13}",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr-{hex17}",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr-{hex17}",
}
# The input that names a resource, where it is not `name`.
NAME_INPUTS = (
    *("name", "bucket", "functionName", "configurationSetName", "emailIdentity"),
    *("modelPackageGroupName", "dashboardName", "alarmName", "family", "domain", "domainName"),
)
OUTPUTS: Mapping[tuple[str, str], str] = {
    ("aws:apigatewayv2/api:Api", "apiEndpoint"): (
        f"https://{{hex16}}.execute-api.{REGION}.amazonaws.com"
    ),
    ("aws:apigatewayv2/api:Api", "executionArn"): f"arn:aws:execute-api:{PLACE}:{{hex16}}",
    (
        "aws:apigatewayv2/stage:Stage",
        "executionArn",
    ): f"arn:aws:execute-api:{PLACE}:{{hex16}}/{{name}}",
    ("aws:cloudfront/distribution:Distribution", "domainName"): "d{hex13}.cloudfront.net",
    ("aws:cloudfront/distribution:Distribution", "hostedZoneId"): "Z2FDTNDATAQYW2",
    ("aws:cognito/userPool:UserPool", "endpoint"): (
        f"cognito-idp.{REGION}.amazonaws.com/{REGION}_{{hex9}}"
    ),
    ("aws:dynamodb/table:Table", "streamArn"): (
        f"arn:aws:dynamodb:{PLACE}:table/{{name}}/stream/2026-01-01T00:00:00.000"
    ),
    ("aws:ecr/repository:Repository", "registryId"): ACCOUNT,
    ("aws:ecr/repository:Repository", "repositoryUrl"): (
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{{name}}"
    ),
    ("aws:ec2/vpcEndpoint:VpcEndpoint", "prefixListId"): "pl-{hex8}",
    ("aws:kms/key:Key", "keyId"): "{uuid}",
    ("aws:lambda/function:Function", "invokeArn"): (
        f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
        f"arn:aws:lambda:{PLACE}:function:{{name}}/invocations"
    ),
    ("aws:lambda/function:Function", "qualifiedArn"): f"arn:aws:lambda:{PLACE}:function:{{name}}:1",
    (
        "aws:lb/loadBalancer:LoadBalancer",
        "dnsName",
    ): f"{{name}}-{{hex9}}.{REGION}.elb.amazonaws.com",
    ("aws:lb/loadBalancer:LoadBalancer", "zoneId"): "Z35SXDOTRQ7X7K",
    ("aws:s3/bucket:Bucket", "bucketDomainName"): "{name}.s3.amazonaws.com",
    ("aws:s3/bucket:Bucket", "bucketRegionalDomainName"): f"{{name}}.s3.{REGION}.amazonaws.com",
    ("aws:sqs/queue:Queue", "url"): f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}",
}


def identifier(type_: str, name: str, urn: str, inputs: Mapping[str, Any]) -> str:
    """Return the id that a resource would have."""
    return IDS.get(type_, "{name}").format(**_parts(name, urn, inputs))


def outputs(type_: str, name: str, urn: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a resource would answer: its inputs, and text for each computed attribute."""
    answered = dict(inputs)
    parts = _parts(name, urn, inputs) | {"id": identifier(type_, name, urn, inputs)}
    if type_ == "docker-build:index:Image":
        answered["ref"] = (inputs.get("tags") or [""])[0]
    for output in _text_outputs(type_):
        if answered.get(output) is None:
            answered[output] = _output(type_, output, parts)
    return answered


def _output(type_: str, output: str, parts: Mapping[str, str]) -> str:
    if (type_, output) in OUTPUTS:
        return OUTPUTS[type_, output].format(**parts)
    if output == "arn":
        service, kind = re.findall(r"aws:(\w+)/(\w+):", type_)[0]
        default = f"arn:aws:{service}:{PLACE}:{_kebab(kind)}/{{id}}"
        return ARNS.get(type_, default).format(**parts)
    if output == "region":
        return REGION
    if output in NAME_INPUTS:
        return parts["name"]
    return f"{parts['name']}-{_kebab(output)}"


def _parts(name: str, urn: str, inputs: Mapping[str, Any]) -> dict[str, str]:
    # Without the stack: what two environments share has the same identifiers in both.
    digest = hashlib.sha256(urn.partition("::")[2].encode()).hexdigest()
    named = next((inputs[key] for key in NAME_INPUTS if isinstance(inputs.get(key), str)), None)
    # An unnamed resource gets a random suffix from Pulumi.
    parts = {"name": named or f"{name}-{digest[:7]}"}
    parts |= {f"hex{n}": digest[:n] for n in (6, 8, 9, 13, 16, 17, 26)}
    parts["HEX13"] = digest[:13].upper()
    parts["uuid"] = "-".join(
        (digest[:8], digest[8:12], "4" + digest[13:16], "8" + digest[17:20], digest[20:32])
    )
    return parts


@cache
def _text_outputs(type_: str) -> tuple[str, ...]:
    """Return the attributes of a resource type that are text, by the SDK's own classes."""
    package, path, class_name = type_.split(":")
    if package != "aws":
        return ()
    module = path.split("/")[0]
    for candidate in (module, f"{module}_"):
        try:
            found = getattr(importlib.import_module(f"pulumi_aws.{candidate}"), class_name)
        except (ImportError, AttributeError):
            continue
        return tuple(
            getattr(attribute.fget, "_pulumi_name", key)
            for key, attribute in inspect.getmembers(found, lambda m: isinstance(m, property))
            if attribute.fget.__annotations__.get("return") == Output[str]
            and key not in {"urn", "id"}
        )
    return ()


def _kebab(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower()
