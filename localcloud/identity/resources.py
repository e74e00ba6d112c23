"""The ARNs that a call touches, for the services whose resources are named by one parameter.

Source: AWS Service Authorization Reference, "Actions, resources, and condition keys".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """The account and region that ARNs are in."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource without a region."""
        return f"arn:aws:{service}::{self.account}:{resource}"


# service -> (parameter, resource part of its ARN) in the order in which they are looked for. A
# value that is an ARN already is taken as it is. A service that is not here answers "*".
_NAMED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "stepfunctions": (
        ("executionArn", ""),
        ("stateMachineArn", ""),
        ("mapRunArn", ""),
        ("activityArn", ""),
        ("resourceArn", ""),
        ("name", "stateMachine:{}"),
    ),
    "lambda": (
        ("FunctionName", "function:{}"),
        ("Resource", ""),
        ("ARN", ""),
        ("UUID", "event-source-mapping:{}"),
    ),
    "sagemaker": (
        ("TrainingJobName", "training-job/{}"),
        ("ModelName", "model/{}"),
        ("ModelPackageArn", ""),
        ("ModelPackageName", "model-package/{}"),
        ("ModelPackageGroupName", "model-package-group/{}"),
        ("ResourceArn", ""),
    ),
    "sns": (("TopicArn", ""), ("TargetArn", ""), ("ResourceArn", ""), ("Name", "{}")),
    "sqs": (("QueueUrl", "{}"), ("QueueName", "{}")),
    "secretsmanager": (("SecretId", "secret:{}"), ("Name", "secret:{}")),
    "logs": (
        ("logGroupIdentifier", "log-group:{}"),
        ("logGroupName", "log-group:{}"),
        ("resourceArn", ""),
    ),
    "events": (
        ("Rule", "rule/{}"),
        ("Name", "rule/{}"),
        ("ResourceARN", ""),
        ("EventBusName", "event-bus/{}"),
    ),
    "ssm": (("Name", "parameter/{}"),),
    "ecr": (("repositoryName", "repository/{}"), ("resourceArn", "")),
    "kms": (("KeyId", "key/{}"), ("TargetKeyId", "key/{}")),
    "cloudwatch": (("AlarmName", "alarm:{}"), ("DashboardName", "dashboard/{}")),
}
# operations that have no resource of their own, whatever their parameters are called
_WITHOUT_RESOURCE = frozenset(
    {
        ("cloudwatch", "PutMetricData"),
        ("ecr", "GetAuthorizationToken"),
        ("logs", "DescribeLogGroups"),
        ("sns", "Subscribe"),
    }
)


def named_resource(
    service: str, operation: str, parameters: Mapping[str, Any], place: Place
) -> str:
    """Return the ARN of the one resource that a call names, or `*`."""
    if operation.startswith("List") and service in {"stepfunctions", "lambda", "sns"}:
        keyed = {name for name in parameters if name in {"stateMachineArn", "TopicArn"}}
        if not keyed and operation in {"ListStateMachines", "ListFunctions", "ListTopics"}:
            return "*"
    if service == "sns" and operation == "Subscribe":
        return str(parameters.get("TopicArn", "*"))
    if (service, operation) in _WITHOUT_RESOURCE:
        return "*"
    for name, template in _NAMED.get(service, ()):
        value = parameters.get(name)
        if isinstance(value, str) and value:
            return _arn(service, template, value, parameters, place)
    return "*"


def _arn(
    service: str, template: str, value: str, parameters: Mapping[str, Any], place: Place
) -> str:
    if value.startswith("arn:"):
        return _without_qualifier(value) if service == "lambda" else value
    if service == "sqs":
        return place.arn("sqs", value.rstrip("/").rpartition("/")[2])
    if service == "logs":
        stream = parameters.get("logStreamName")
        return place.arn("logs", f"log-group:{value}:log-stream:{stream or ''}")
    if service == "lambda":
        value = value.rpartition("function:")[2].partition(":")[0]
    if service == "events" and "{}" in template and parameters.get("EventBusName"):
        bus = str(parameters["EventBusName"]).rpartition("/")[2]
        value = f"{bus}/{value}" if template.startswith("rule") and bus != "default" else value
    if service == "ssm":
        value = value.lstrip("/")
    prefix = "states" if service == "stepfunctions" else service
    return place.arn(prefix, template.format(value) if template else value)


def _without_qualifier(arn: str) -> str:
    return ":".join(arn.split(":")[:7])
