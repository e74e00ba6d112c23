"""CloudWatch log groups and alarms."""

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    Outputs,
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
        """Return the ARN, without the `:*` that CloudWatch puts at its end."""
        answer = self.cloud.client("logs").describe_log_groups(logGroupNamePrefix=identity)
        for group in answer["logGroups"]:
            if group["logGroupName"] == identity:
                return self._live(identity)
        return None

    def _live(self, name: str) -> Live:
        place = f"{self.cloud.region}:{self.cloud.account}"
        return Live(name, {"arn": f"arn:aws:logs:{place}:log-group:{name}", "name": name})

    def create(self, inputs: Inputs) -> Live:
        """Create the group."""
        name = str(inputs["name"])
        self.cloud.client("logs").create_log_group(logGroupName=name, tags=inputs.get("tags") or {})
        if inputs.get("retentionInDays"):
            self.update(name, inputs)
        return self._live(name)

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
        return Live(identity, self._outputs(identity)) if answer["MetricAlarms"] else None

    def _outputs(self, name: str) -> Outputs:
        return {"arn": f"arn:aws:cloudwatch:{self.cloud.region}:{self.cloud.account}:alarm:{name}"}

    def put(self, inputs: Inputs) -> Outputs:
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
        return self._outputs(str(inputs["name"]))

    def delete(self, identity: str) -> None:
        """Delete the alarm."""
        gone(self.cloud.client("cloudwatch").delete_alarms, AlarmNames=[identity])
