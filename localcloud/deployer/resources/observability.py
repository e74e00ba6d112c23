"""CloudWatch: log groups and their metric filters, alarms, dashboards."""

from typing import Any

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    Outputs,
    SettingHandler,
    found,
    given,
    gone,
    handles,
    tag_list,
)


@handles("aws:cloudwatch/logGroup:LogGroup")
class LogGroup(Handler):
    """A log group and its retention. moto cannot change the key of one that exists."""

    replace_on = frozenset({"name", "kmsKeyId"})

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
        self.cloud.client("logs").create_log_group(
            logGroupName=name, tags=inputs.get("tags") or {}, **given(inputs, kmsKeyId="kmsKeyId")
        )
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
        queries = [_query(one) for one in inputs.get("metricQueries") or ()]
        self.cloud.client("cloudwatch").put_metric_alarm(
            AlarmName=inputs["name"],
            Dimensions=_dimensions(inputs),
            Tags=tag_list(inputs),
            **given(
                inputs,
                AlarmDescription="alarmDescription",
                Namespace="namespace",
                MetricName="metricName",
                Statistic="statistic",
                ExtendedStatistic="extendedStatistic",
                Period="period",
                EvaluationPeriods="evaluationPeriods",
                DatapointsToAlarm="datapointsToAlarm",
                Threshold="threshold",
                ComparisonOperator="comparisonOperator",
                TreatMissingData="treatMissingData",
                ActionsEnabled="actionsEnabled",
                AlarmActions="alarmActions",
                OKActions="okActions",
                InsufficientDataActions="insufficientDataActions",
            ),
            **({"Metrics": queries} if queries else {}),
        )
        return self._outputs(str(inputs["name"]))

    def delete(self, identity: str) -> None:
        """Delete the alarm."""
        gone(self.cloud.client("cloudwatch").delete_alarms, AlarmNames=[identity])


def _dimensions(inputs: Inputs) -> list[dict[str, str]]:
    return [
        {"Name": name, "Value": value} for name, value in (inputs.get("dimensions") or {}).items()
    ]


def _query(query: Inputs) -> dict[str, Any]:
    """Return one line of an alarm's metric math."""
    asked = given(query, Id="id", Expression="expression", Label="label", ReturnData="returnData")
    if metric := query.get("metric"):
        asked["MetricStat"] = {
            "Metric": {
                **given(metric, Namespace="namespace", MetricName="metricName"),
                "Dimensions": _dimensions(metric),
            },
            **given(metric, Period="period", Stat="stat", Unit="unit"),
        }
    return asked


@handles("aws:cloudwatch/dashboard:Dashboard")
class Dashboard(SettingHandler):
    """A dashboard of CloudWatch."""

    replace_on = frozenset({"dashboardName"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the dashboard's name."""
        return str(inputs["dashboardName"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN."""
        answer = self.cloud.client("cloudwatch").list_dashboards(DashboardNamePrefix=identity)
        names = {one["DashboardName"] for one in answer["DashboardEntries"]}
        return Live(identity, self._outputs(identity)) if identity in names else None

    def put(self, inputs: Inputs) -> Outputs:
        """Put the body."""
        name = str(inputs["dashboardName"])
        self.cloud.client("cloudwatch").put_dashboard(
            DashboardName=name, DashboardBody=inputs["dashboardBody"]
        )
        return self._outputs(name)

    def delete(self, identity: str) -> None:
        """Delete the dashboard."""
        gone(self.cloud.client("cloudwatch").delete_dashboards, DashboardNames=[identity])

    def _outputs(self, name: str) -> Outputs:
        return {"dashboardArn": f"arn:aws:cloudwatch::{self.cloud.account}:dashboard/{name}"}


@handles("aws:cloudwatch/logMetricFilter:LogMetricFilter")
class LogMetricFilter(SettingHandler):
    """A metric counted from the lines of a log group; its id is `group:name`."""

    replace_on = frozenset({"name", "logGroupName"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return group and name."""
        return f"{inputs['logGroupName']}:{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the filter."""
        group, _, name = identity.rpartition(":")
        call = self.cloud.client("logs").describe_metric_filters
        answer = found(call, logGroupName=group, filterNamePrefix=name)
        names = {one["filterName"] for one in (answer or {}).get("metricFilters", ())}
        return Live(identity) if name in names else None

    def put(self, inputs: Inputs) -> None:
        """Put the filter in the place of the one before, which moto would keep beside it."""
        self.delete(f"{inputs['logGroupName']}:{inputs['name']}")
        metric = inputs["metricTransformation"]
        transformation = {
            "metricName": metric["name"],
            "metricNamespace": metric["namespace"],
            "metricValue": str(metric["value"]),
            **given(metric, dimensions="dimensions", unit="unit"),
        }
        if metric.get("defaultValue") is not None:
            transformation["defaultValue"] = float(metric["defaultValue"])
        self.cloud.client("logs").put_metric_filter(
            logGroupName=inputs["logGroupName"],
            filterName=inputs["name"],
            filterPattern=inputs["pattern"],
            metricTransformations=[transformation],
        )

    def delete(self, identity: str) -> None:
        """Delete the filter."""
        group, _, name = identity.rpartition(":")
        call = self.cloud.client("logs").delete_metric_filter
        gone(call, logGroupName=group, filterName=name)
