"""Values that AWS's own service models do not allow: enumerations, lengths, ranges, patterns."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model

from stackcheck.recording import Recorded, Recording
from stackcheck.terraform import PLURALS

# Resource type to the call that makes it, and the member of that call that its inputs lie in.
CALLS: Mapping[str, tuple[str, str, str]] = {
    "aws:apigatewayv2/api:Api": ("apigatewayv2", "CreateApi", ""),
    "aws:apigatewayv2/authorizer:Authorizer": ("apigatewayv2", "CreateAuthorizer", ""),
    "aws:apigatewayv2/integration:Integration": ("apigatewayv2", "CreateIntegration", ""),
    "aws:apigatewayv2/route:Route": ("apigatewayv2", "CreateRoute", ""),
    "aws:apigatewayv2/stage:Stage": ("apigatewayv2", "CreateStage", ""),
    "aws:appautoscaling/policy:Policy": ("application-autoscaling", "PutScalingPolicy", ""),
    "aws:appautoscaling/scheduledAction:ScheduledAction": (
        *("application-autoscaling", "PutScheduledAction"),
        "",
    ),
    "aws:appautoscaling/target:Target": ("application-autoscaling", "RegisterScalableTarget", ""),
    "aws:budgets/budget:Budget": ("budgets", "CreateBudget", "Budget"),
    "aws:cfg/deliveryChannel:DeliveryChannel": ("config", "PutDeliveryChannel", "DeliveryChannel"),
    "aws:cfg/recorder:Recorder": ("config", "PutConfigurationRecorder", "ConfigurationRecorder"),
    "aws:cfg/rule:Rule": ("config", "PutConfigRule", "ConfigRule"),
    "aws:cloudtrail/trail:Trail": ("cloudtrail", "CreateTrail", ""),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": ("cloudwatch", "PutCompositeAlarm", ""),
    "aws:cloudwatch/dashboard:Dashboard": ("cloudwatch", "PutDashboard", ""),
    "aws:cloudwatch/eventRule:EventRule": ("events", "PutRule", ""),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "CreateLogGroup", ""),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": ("logs", "PutMetricFilter", ""),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "PutMetricAlarm", ""),
    "aws:cognito/userPool:UserPool": ("cognito-idp", "CreateUserPool", ""),
    "aws:cognito/userPoolClient:UserPoolClient": ("cognito-idp", "CreateUserPoolClient", ""),
    "aws:cognito/userPoolDomain:UserPoolDomain": ("cognito-idp", "CreateUserPoolDomain", ""),
    "aws:dynamodb/table:Table": ("dynamodb", "CreateTable", ""),
    "aws:ec2/eip:Eip": ("ec2", "AllocateAddress", ""),
    "aws:ec2/flowLog:FlowLog": ("ec2", "CreateFlowLogs", ""),
    "aws:ec2/route:Route": ("ec2", "CreateRoute", ""),
    "aws:ec2/securityGroup:SecurityGroup": ("ec2", "CreateSecurityGroup", ""),
    "aws:ec2/subnet:Subnet": ("ec2", "CreateSubnet", ""),
    "aws:ec2/vpc:Vpc": ("ec2", "CreateVpc", ""),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("ec2", "CreateVpcEndpoint", ""),
    "aws:ecr/repository:Repository": ("ecr", "CreateRepository", ""),
    "aws:ecs/cluster:Cluster": ("ecs", "CreateCluster", ""),
    "aws:ecs/service:Service": ("ecs", "CreateService", ""),
    "aws:ecs/taskDefinition:TaskDefinition": ("ecs", "RegisterTaskDefinition", ""),
    "aws:iam/policy:Policy": ("iam", "CreatePolicy", ""),
    "aws:iam/role:Role": ("iam", "CreateRole", ""),
    "aws:iam/rolePolicy:RolePolicy": ("iam", "PutRolePolicy", ""),
    "aws:kms/alias:Alias": ("kms", "CreateAlias", ""),
    "aws:kms/key:Key": ("kms", "CreateKey", ""),
    "aws:lambda/function:Function": ("lambda", "CreateFunction", ""),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        *("lambda", "PutFunctionEventInvokeConfig"),
        "",
    ),
    "aws:lambda/permission:Permission": ("lambda", "AddPermission", ""),
    "aws:lb/listener:Listener": ("elbv2", "CreateListener", ""),
    "aws:lb/loadBalancer:LoadBalancer": ("elbv2", "CreateLoadBalancer", ""),
    "aws:lb/targetGroup:TargetGroup": ("elbv2", "CreateTargetGroup", ""),
    "aws:s3/bucket:Bucket": ("s3", "CreateBucket", ""),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        *("s3", "PutBucketLifecycleConfiguration"),
        "LifecycleConfiguration",
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        *("s3", "PutBucketOwnershipControls"),
        "OwnershipControls",
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        *("s3", "PutBucketEncryption"),
        "ServerSideEncryptionConfiguration",
    ),
    "aws:s3/bucketVersioning:BucketVersioning": ("s3", "PutBucketVersioning", ""),
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": (
        *("sagemaker", "CreateModelPackageGroup"),
        "",
    ),
    "aws:scheduler/schedule:Schedule": ("scheduler", "CreateSchedule", ""),
    "aws:scheduler/scheduleGroup:ScheduleGroup": ("scheduler", "CreateScheduleGroup", ""),
    "aws:secretsmanager/secret:Secret": ("secretsmanager", "CreateSecret", ""),
    "aws:secretsmanager/secretRotation:SecretRotation": ("secretsmanager", "RotateSecret", ""),
    "aws:sesv2/configurationSet:ConfigurationSet": ("sesv2", "CreateConfigurationSet", ""),
    "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination": (
        *("sesv2", "CreateConfigurationSetEventDestination"),
        "",
    ),
    "aws:sesv2/emailIdentity:EmailIdentity": ("sesv2", "CreateEmailIdentity", ""),
    "aws:sfn/stateMachine:StateMachine": ("stepfunctions", "CreateStateMachine", ""),
    "aws:sns/topic:Topic": ("sns", "CreateTopic", ""),
    "aws:sns/topicSubscription:TopicSubscription": ("sns", "Subscribe", ""),
    "aws:sqs/queue:Queue": ("sqs", "CreateQueue", ""),
}
# Inputs that Pulumi calls otherwise than the service.
CALLED: Mapping[tuple[str, str], str] = {
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "name"): "AlarmName",
    ("aws:cloudwatch/logGroup:LogGroup", "name"): "logGroupName",
    ("aws:dynamodb/table:Table", "name"): "TableName",
    ("aws:ecr/repository:Repository", "name"): "repositoryName",
    ("aws:iam/policy:Policy", "name"): "PolicyName",
    ("aws:iam/policy:Policy", "policy"): "PolicyDocument",
    ("aws:iam/role:Role", "assumeRolePolicy"): "AssumeRolePolicyDocument",
    ("aws:iam/role:Role", "name"): "RoleName",
    ("aws:iam/rolePolicy:RolePolicy", "name"): "PolicyName",
    ("aws:iam/rolePolicy:RolePolicy", "policy"): "PolicyDocument",
    ("aws:kms/alias:Alias", "name"): "AliasName",
    ("aws:lambda/function:Function", "name"): "FunctionName",
    ("aws:sqs/queue:Queue", "name"): "QueueName",
}


@dataclass(frozen=True)
class Refused:
    """A value that the service would refuse."""

    urn: str
    path: str
    value: Any
    reason: str

    def __str__(self) -> str:
        name = self.urn.rpartition("::")[2]
        return f"{name} {self.path} is {self.value!r}: {self.reason}"


def refused(recording: Recording) -> list[Refused]:
    """Return every value of a recorded stack that a service model refuses."""
    return [
        Refused(one.urn, path, value, reason)
        for one in recording.aws
        for path, value, shape in known_values(one)
        if (reason := _reason(value, shape)) is not None
    ]


def known_values(resource: Recorded) -> Iterator[tuple[str, Any, botocore.model.Shape]]:
    """Yield the values of a resource that the service's model knows, and their shapes."""
    if resource.type not in CALLS:
        return
    service, operation, member = CALLS[resource.type]
    shape = _model(service).operation_model(operation).input_shape
    if member:
        shape = shape.members[member]
    for key, value in resource.inputs.items():
        name = CALLED.get((resource.type, key), key)
        yield from _walk(key, name, value, shape)


def _walk(
    path: str, name: str, value: Any, parent: botocore.model.Shape
) -> Iterator[tuple[str, Any, botocore.model.Shape]]:
    found = _member(name, parent)
    if found is not None:
        yield from _inside(path, value, found)


def _inside(
    path: str, value: Any, shape: botocore.model.Shape
) -> Iterator[tuple[str, Any, botocore.model.Shape]]:
    if isinstance(value, Mapping) and shape.type_name == "structure":
        for key, one in value.items():
            yield from _walk(f"{path}.{key}", key, one, shape)
    elif isinstance(value, Mapping) and shape.type_name == "map":
        for key, one in value.items():
            yield from _inside(f"{path}.{key}", one, shape.value)
    elif isinstance(value, Mapping) and shape.type_name == "list":
        yield from _inside(path, value, shape.member)
    elif isinstance(value, list) and shape.type_name == "list":
        for index, one in enumerate(value):
            yield from _inside(f"{path}[{index}]", one, shape.member)
    elif not isinstance(value, Mapping | list):
        yield path, value, shape


def _member(name: str, shape: botocore.model.Shape) -> botocore.model.Shape | None:
    if shape.type_name != "structure":
        return None
    by_name = {key.lower(): member for key, member in shape.members.items()}
    candidates = [name.lower(), f"{name.lower()}s"]
    candidates += [re.sub(plural, singular, name.lower()) for plural, singular in PLURALS]
    return next((by_name[one] for one in candidates if one in by_name), None)


def _reason(value: Any, shape: botocore.model.Shape) -> str | None:
    """Return why a value does not fit a shape, or None if it does."""
    limits = shape.metadata
    low, high = limits.get("min"), limits.get("max")
    if shape.type_name == "string" and isinstance(value, str):
        if limits.get("enum") and value not in limits["enum"]:
            return f"it must be one of {', '.join(limits['enum'])}"
        if not (low or 0) <= len(value) <= (high or float("inf")):
            return f"its length is {len(value)}, not {low or 0} to {high or 'any'}"
        pattern = shape.metadata.get("pattern")
        if pattern and not _fits(pattern, value):
            return f"it does not match {pattern}"
    if shape.type_name in {"integer", "long", "float", "double"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"it must be a number, not {type(value).__name__}"
        if (
            not (low if low is not None else value)
            <= value
            <= (high if high is not None else value)
        ):
            return f"it must lie in {low} to {high}"
    if shape.type_name == "boolean" and not isinstance(value, bool):
        return f"it must be true or false, not {type(value).__name__}"
    return None


def _fits(pattern: str, value: str) -> bool:
    """Whether a value matches a pattern; one in Java's dialect that Python cannot read, passes."""
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True


@cache
def _model(service: str) -> botocore.model.ServiceModel:
    loaded = botocore.loaders.Loader().load_service_model(service, "service-2")
    return botocore.model.ServiceModel(loaded, service_name=service)
