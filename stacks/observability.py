"""What is watched: alarms, errors counted from the logs, and the dashboard of all of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from stacks.alarm_catalogue import METRICS_NAMESPACE, Watched, alarms
from stacks.alarms import make_alarm
from stacks.deployment import Deployment
from stacks.metrics_dashboard import dashboard_body

# Powertools writes the level into every line.
ERRORS = '{ ($.level = "ERROR") || ($.level = "CRITICAL") }'


@dataclass(frozen=True)
class ObservabilityArgs:
    """The arguments of `Observability`.

    Attributes
    ----------
    topics : severity to the ARN of its topic
    watched : what the alarms look at
    log_groups : function to the name of its log group
    dashboard : whether there is a dashboard, which CloudWatch charges for by the month
    """

    deployment: Deployment
    topics: Mapping[str, pulumi.Input[str]]
    watched: Watched
    log_groups: Mapping[str, pulumi.Input[str]]
    dashboard: bool


class Observability(pulumi.ComponentResource):
    """Alarms on whatever fails, filters that count logged errors, and the dashboard.

    Attributes
    ----------
    alarms : name to alarm
    """

    alarms: Mapping[str, cloudwatch.MetricAlarm]

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:observability:Observability", name, None, opts)
        deployment = args.deployment
        self.alarms = {
            spec.name: make_alarm(spec, deployment, args.topics, self)
            for spec in alarms(args.watched)
        }
        for function, group in args.log_groups.items():
            self._count_errors(function, group, deployment)
        if args.dashboard:
            body = dashboard_body(
                args.watched, deployment.region, [alarm.arn for alarm in self.alarms.values()]
            )
            cloudwatch.Dashboard(
                "dashboard",
                dashboard_name=deployment.name("operations"),
                dashboard_body=pulumi.Output.json_dumps(body),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"alarms": {key: alarm.name for key, alarm in self.alarms.items()}})

    def _count_errors(
        self, function: str, group: pulumi.Input[str], deployment: Deployment
    ) -> None:
        """Count a function's error lines, of which one that answers in the end has some too."""
        cloudwatch.LogMetricFilter(
            function,
            name=deployment.name(function, "errors"),
            log_group_name=group,
            pattern=ERRORS,
            metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=f"{METRICS_NAMESPACE}/{deployment.environment}",
                name="LoggedErrors",
                value="1",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
