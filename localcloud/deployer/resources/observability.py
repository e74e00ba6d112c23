"""CloudWatch log groups and alarms."""

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    given,
    gone,
    handles,
    tag_list,
)


@handles("aws:cloudwatch/logGroup:LogGroup")
class LogGroup(Handler):
    """A log group and its retention."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the group's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN, without the `:*` that logs puts at its end."""
        answer = self.cloud.client("logs").describe_log_groups(logGroupNamePrefix=identity)
        for group in answer["logGroups"]:
            if group["logGroupName"] == identity:
                arn = group["arn"].removesuffix(":*")
                return Live(identity, {"arn": arn, "name": identity})
        return None

    def create(self, inputs: Inputs) -> str:
        """Create the group."""
        name = str(inputs["name"])
        self.cloud.client("logs").create_log_group(logGroupName=name, tags=inputs.get("tags") or {})
        self.update(name, inputs)
        return name

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the retention."""
        client = self.cloud.client("logs")
        if inputs.get("retentionInDays"):
            client.put_retention_policy(
                logGroupName=identity, retentionInDays=inputs["retentionInDays"]
            )
        else:
            gone(client.delete_retention_policy, logGroupName=identity)

    def delete(self, identity: str) -> None:
        """Delete the group."""
        gone(self.cloud.client("logs").delete_log_group, logGroupName=identity)


@handles("aws:cloudwatch/metricAlarm:MetricAlarm")
class MetricAlarm(SettingHandler):
    """An alarm."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the alarm's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN."""
        answer = self.cloud.client("cloudwatch").describe_alarms(AlarmNames=[identity])
        alarms = answer["MetricAlarms"]
        return Live(identity, {"arn": alarms[0]["AlarmArn"]}) if alarms else None

    def put(self, inputs: Inputs) -> None:
        """Put the alarm."""
        dimensions = [
            {"Name": name, "Value": value}
            for name, value in (inputs.get("dimensions") or {}).items()
        ]
        self.cloud.client("cloudwatch").put_metric_alarm(
            AlarmName=inputs["name"],
            Dimensions=dimensions,
            Tags=tag_list(inputs),
            **given(
                inputs,
                AlarmDescription="alarmDescription",
                Namespace="namespace",
                MetricName="metricName",
                Statistic="statistic",
                Period="period",
                EvaluationPeriods="evaluationPeriods",
                Threshold="threshold",
                ComparisonOperator="comparisonOperator",
                TreatMissingData="treatMissingData",
                AlarmActions="alarmActions",
            ),
        )

    def delete(self, identity: str) -> None:
        """Delete the alarm."""
        gone(self.cloud.client("cloudwatch").delete_alarms, AlarmNames=[identity])
