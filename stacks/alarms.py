"""An alarm as data: what is measured, when it is too much, who is told, where to read on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import cloudwatch

from stacks.deployment import Deployment

RUNBOOK = "docs/operations.md"


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch, summed up over a period by its statistic."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Sum"


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm.

    Attributes
    ----------
    name : behind the environment's prefix, and the section of the runbook unless `section` is given
    meaning : one sentence for who gets the mail
    severity : of the topic that is told: `critical` or `warning`
    metrics : id to metric; with several, or with an expression, it is metric math
    expression : of the ids (`100 * delivered / sent`)
    threshold, comparison : what breaches; above zero by default
    period, periods : seconds, and how many in a row breach
    missing : what a period without data counts as (`notBreaching`, `breaching`)
    enabled : whether anybody is told
    """

    name: str
    meaning: str
    severity: str
    metrics: Mapping[str, Metric]
    expression: str | None = None
    threshold: float = 0
    comparison: str = "GreaterThanThreshold"
    period: int = 300
    periods: int = 1
    missing: str = "notBreaching"
    section: str | None = None
    enabled: bool = field(default=True, kw_only=True)

    @property
    def description(self) -> str:
        """The sentence, and where the runbook goes on."""
        return f"{self.meaning} See {RUNBOOK}#{self.section or self.name}"


def make_alarm(
    spec: AlarmSpec,
    deployment: Deployment,
    topics: Mapping[str, pulumi.Input[str]],
    parent: pulumi.Resource,
) -> cloudwatch.MetricAlarm:
    """Return the alarm; `topics` maps severities to ARNs."""
    (only, *more) = spec.metrics.values()
    plain = spec.expression is None and not more
    return cloudwatch.MetricAlarm(
        spec.name,
        name=deployment.name(spec.name),
        alarm_description=spec.description,
        namespace=only.namespace if plain else None,
        metric_name=only.name if plain else None,
        dimensions=only.dimensions if plain else None,
        statistic=only.statistic if plain else None,
        period=spec.period if plain else None,
        metric_queries=None if plain else _queries(spec),
        evaluation_periods=spec.periods,
        datapoints_to_alarm=spec.periods,
        threshold=spec.threshold,
        comparison_operator=spec.comparison,
        treat_missing_data=spec.missing,
        actions_enabled=spec.enabled,
        alarm_actions=[topics[spec.severity]],
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _queries(spec: AlarmSpec) -> Sequence[cloudwatch.MetricAlarmMetricQueryArgs]:
    expression = spec.expression or " + ".join(f"FILL({id_}, 0)" for id_ in spec.metrics)
    asked = [
        cloudwatch.MetricAlarmMetricQueryArgs(
            id=id_,
            return_data=False,
            metric=cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=metric.dimensions,
                period=spec.period,
                stat=metric.statistic,
            ),
        )
        for id_, metric in spec.metrics.items()
    ]
    judged = cloudwatch.MetricAlarmMetricQueryArgs(
        id="judged", expression=expression, label=spec.name, return_data=True
    )
    return [*asked, judged]
