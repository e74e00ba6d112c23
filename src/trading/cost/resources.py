"""What each resource type is charged for."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trading.cost.hours import open_hours
from trading.cost.usage import HOURS, Usage

TRAINING = "createTrainingJob"
# A function emits that it was done or that it failed, in its own name.
METRICS_OF_A_RUN = 2


class Part(StrEnum):
    """The parts of the bill that have a total of their own."""

    RUNNING = "running"
    FRONT_DOOR = "front door"
    WAY_OUT = "way out"


@dataclass(frozen=True)
class Resource:
    """A registered resource: its type, name and inputs, as the Pulumi program gives them."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Charge:
    """So much of what the table of prices calls `price`."""

    service: str
    item: str
    price: str
    quantity: float
    part: Part = Part.RUNNING


@dataclass(frozen=True)
class Use:
    """The month's use, shared out over the resources that it is a use of."""

    usage: Usage
    resources: Sequence[Resource]

    def of(self, type_: str) -> list[Resource]:
        """Return the resources of a type."""
        return [one for one in self.resources if one.type == type_]

    def share(self, quantity: float, resource: Resource) -> float:
        """Return one resource's share of a quantity that is of all of its type together."""
        return quantity / len(self.of(resource.type))

    def task_hours(self) -> float:
        """Return the hours of the month in which the dashboard's tasks run."""
        actions = [
            one.inputs for one in self.of("aws:appautoscaling/scheduledAction:ScheduledAction")
        ]
        return open_hours(actions) * self.usage.dashboard_tasks


Charges = Callable[[Resource, Use], list[Charge]]


def _function(one: Resource, use: Use) -> list[Charge]:
    runs = use.share(use.usage.function_runs, one)
    gb = float(one.inputs.get("memorySize") or 128) / 1024
    seconds = runs * use.usage.function_seconds
    return [
        Charge("Lambda", "requests", "function_request", runs),
        Charge("Lambda", "time", "function_gb_second", gb * seconds),
        Charge("X-Ray", "traces", "trace", runs),
        Charge("CloudWatch", "metrics", "custom_metric", runs * METRICS_OF_A_RUN / HOURS),
    ]


def _state_machine(one: Resource, use: Use) -> list[Charge]:
    charges = [
        Charge(
            *("Step Functions", "transitions", "state_transition"),
            use.share(use.usage.state_transitions, one),
        )
    ]
    definition = str(one.inputs.get("definition") or "")
    if TRAINING in definition:
        (instance,) = set(re.findall(r'"InstanceType":\s*"([^"]+)"', definition))
        hours = use.usage.training_hours
        charges.append(Charge("SageMaker", f"training on {instance}", instance, hours))
    return charges


def _bucket(one: Resource, use: Use) -> list[Charge]:
    usage = use.usage
    return [
        Charge("S3", "storage", "object_gb", use.share(usage.stored_gb, one)),
        Charge("S3", "writes", "object_write", use.share(usage.object_writes, one)),
        Charge("S3", "reads", "object_read", use.share(usage.object_reads, one)),
    ]


def _table(one: Resource, use: Use) -> list[Charge]:
    usage = use.usage
    gb = use.share(usage.table_gb, one)
    charges = [
        Charge("DynamoDB", "storage", "table_gb", gb),
        Charge("DynamoDB", "writes", "table_write", use.share(usage.table_writes, one)),
        Charge("DynamoDB", "reads", "table_read", use.share(usage.table_reads, one)),
    ]
    if (one.inputs.get("pointInTimeRecovery") or {}).get("enabled"):
        charges.append(Charge("DynamoDB", "point-in-time recovery", "table_recovery_gb", gb))
    return charges


def _alarm(one: Resource, _: Use) -> list[Charge]:
    queries = one.inputs.get("metricQueries") or []
    metrics = sum(1 for query in queries if query.get("metric")) or 1
    return [Charge("CloudWatch", "alarms", "alarm_metric", metrics)]


def _log_group(one: Resource, use: Use) -> list[Charge]:
    gb = use.share(use.usage.log_gb, one)
    months = max(1.0, float(one.inputs.get("retentionInDays") or 365) / 30)
    # A line takes about a sixth of its size once it is stored.
    return [
        Charge("CloudWatch", "logs taken in", "log_gb", gb),
        Charge("CloudWatch", "logs kept", "log_stored_gb", gb * months / 6),
    ]


def _key(one: Resource, use: Use) -> list[Charge]:
    calls = use.share(use.usage.key_calls, one)
    return [Charge("KMS", "keys", "key", 1), Charge("KMS", "calls", "key_call", calls)]


def _secret(one: Resource, use: Use) -> list[Charge]:
    calls = use.share(use.usage.secret_calls, one)
    return [
        Charge("Secrets Manager", "secrets", "secret", 1),
        Charge("Secrets Manager", "calls", "secret_call", calls),
    ]


def _task(one: Resource, use: Use) -> list[Charge]:
    hours = use.task_hours()
    cpu, memory = float(one.inputs["cpu"]) / 1024, float(one.inputs["memory"]) / 1024
    return [
        Charge("Fargate", "vCPU", "task_vcpu_hour", cpu * hours),
        Charge("Fargate", "memory", "task_gb_hour", memory * hours),
    ]


def _service(one: Resource, use: Use) -> list[Charge]:
    network = one.inputs.get("networkConfiguration") or {}
    if not network.get("assignPublicIp"):
        return []
    address = ("VPC", "public address of the task", "public_address_hour")
    return [Charge(*address, use.task_hours(), Part.WAY_OUT)]


def _balancer(one: Resource, use: Use) -> list[Charge]:
    door = Part.FRONT_DOOR
    units = use.usage.balancer_units * HOURS
    charges = [
        Charge("Load balancer", "hours", "balancer_hour", HOURS, door),
        Charge("Load balancer", "load", "balancer_unit_hour", units, door),
    ]
    if not one.inputs.get("internal"):
        subnets = one.inputs.get("subnets") or one.inputs.get("subnetMappings") or []
        addresses = len(subnets) * HOURS
        item = "public addresses of the load balancer"
        charges.append(Charge("VPC", item, "public_address_hour", addresses, door))
    return charges


def _nat(_one: Resource, use: Use) -> list[Charge]:
    return [
        Charge("VPC", "NAT gateway", "nat_hour", HOURS, Part.WAY_OUT),
        Charge("VPC", "NAT traffic", "nat_gb", use.usage.nat_gb, Part.WAY_OUT),
    ]


def _endpoint(one: Resource, _: Use) -> list[Charge]:
    if one.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
        return []
    zones = len(one.inputs.get("subnetIds") or [1])
    return [Charge("VPC", "interface endpoints", "endpoint_hour", zones * HOURS, Part.WAY_OUT)]


def _address(_one: Resource, _: Use) -> list[Charge]:
    return [Charge("VPC", "fixed addresses", "public_address_hour", HOURS, Part.WAY_OUT)]


def _users(one: Resource, use: Use) -> list[Charge]:
    tier = str(one.inputs.get("userPoolTier") or "ESSENTIALS").lower()
    return [Charge("Cognito", "users", f"user_{tier}", use.usage.users, Part.FRONT_DOOR)]


def _subscription(one: Resource, use: Use) -> list[Charge]:
    if one.inputs.get("protocol") not in {"email", "email-json"}:
        return []
    alerts = use.share(use.usage.alerts, one)
    return [Charge("SNS", "mails", "notification_mail", alerts)]


def _trail(one: Resource, use: Use) -> list[Charge]:
    if "Data" not in json.dumps(one.inputs):
        return []
    return [Charge("CloudTrail", "data events", "trail_data_event", use.usage.trail_events)]


def _shared(service: str, item: str, price: str, attribute: str) -> Charges:
    """Return the charge of a quantity of `Usage` that is shared by all of a type."""

    def charges(one: Resource, use: Use) -> list[Charge]:
        return [Charge(service, item, price, use.share(getattr(use.usage, attribute), one))]

    return charges


PRICED: Mapping[str, Charges] = {
    "aws:apigatewayv2/api:Api": _shared("API Gateway", "requests", "api_request", "api_requests"),
    "aws:cfg/recorder:Recorder": _shared("Config", "changes", "config_item", "config_items"),
    "aws:cfg/rule:Rule": _shared(
        "Config", "evaluations", "config_evaluation", "config_evaluations"
    ),
    "aws:cloudtrail/trail:Trail": _trail,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": lambda _one, _use: [
        Charge("CloudWatch", "composite alarms", "alarm_composite", 1)
    ],
    "aws:cloudwatch/dashboard:Dashboard": lambda _one, _use: [
        Charge("CloudWatch", "dashboard of the metrics", "metrics_dashboard", 1)
    ],
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cognito/userPool:UserPool": _users,
    "aws:dynamodb/table:Table": _table,
    "aws:ec2/eip:Eip": _address,
    "aws:ec2/natGateway:NatGateway": _nat,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ecr/repository:Repository": _shared("ECR", "images", "image_gb", "image_gb"),
    "aws:ecs/service:Service": _service,
    "aws:ecs/taskDefinition:TaskDefinition": _task,
    "aws:kms/key:Key": _key,
    "aws:lambda/function:Function": _function,
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:scheduler/schedule:Schedule": _shared(
        "EventBridge", "schedules", "schedule_call", "function_runs"
    ),
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:sesv2/configurationSet:ConfigurationSet": _shared("SES", "mails", "mail", "mails"),
    "aws:sfn/stateMachine:StateMachine": _state_machine,
    "aws:sns/topic:Topic": _shared("SNS", "alerts", "notification", "alerts"),
    "aws:sns/topicSubscription:TopicSubscription": _subscription,
    "aws:sqs/queue:Queue": _shared("SQS", "dead letters", "queue_call", "alerts"),
}
