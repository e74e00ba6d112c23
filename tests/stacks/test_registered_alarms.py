"""Every failure has an alarm, every alarm has a topic, a sentence and a section of the runbook."""

import json
import re

from stackcheck.recording import Recorded, Recording
from stacks.functions_catalogue import FUNCTIONS

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
PROMISES = {
    "fetch-success": 99.5,
    "scoring-latency": 300.0,
    "mail-delivery": 99.0,
    "uptime": 99.9,
}


def alarms(recording: Recording) -> dict[str, Recorded]:
    return {one.name: one for one in recording.of(ALARM)}


def test_every_function_and_machine_has_an_alarm(recording: Recording) -> None:
    watched = alarms(recording)
    deployed = {one.name: one for one in recording.of("aws:lambda/function:Function")}
    for key in FUNCTIONS:
        alarm = watched[f"{key.replace('_', '-')}-errors"].inputs
        assert alarm["metricName"] == "Errors"
        assert alarm["dimensions"] == {"FunctionName": deployed[key].inputs["name"]}
    arns = {
        one.name: one.outputs["arn"] for one in recording.of("aws:sfn/stateMachine:StateMachine")
    }
    for machine, name in {"month": "monthly", "day": "daily"}.items():
        queries = watched[f"{machine}-failed"].inputs["metricQueries"]
        metrics = [query["metric"] for query in queries if "metric" in query]
        assert {m["metricName"] for m in metrics} == {
            "ExecutionsFailed",
            "ExecutionsTimedOut",
            "ExecutionsAborted",
        }
        assert {m["dimensions"]["StateMachineArn"] for m in metrics} == {arns[name]}


def test_every_alarm_tells_a_topic_that_publishes_what_alarms_send(recording: Recording) -> None:
    topics = {one.name: one.outputs["arn"] for one in recording.of("aws:sns/topic:Topic")}
    assert set(topics) == {"alerts-critical", "alerts-warning"}
    keys = {one.outputs["arn"]: one for one in recording.of("aws:kms/key:Key")}
    for one in recording.of("aws:sns/topic:Topic"):
        policy = json.loads(keys[one.inputs["kmsMasterKeyId"]].inputs["policy"])
        publishers = [s for s in policy["Statement"] if s["Sid"] == "PublishEncrypted"]
        assert "cloudwatch.amazonaws.com" in publishers[0]["Principal"]["Service"]
    for one in recording.of(ALARM):
        assert one.inputs["alarmActions"][0] in topics.values(), one.name
        assert len(one.inputs["alarmActions"]) == 1


def test_what_stops_the_month_is_critical_and_the_rest_is_not(dev: Recording) -> None:
    critical = {
        name
        for name, one in alarms(dev).items()
        if one.inputs["alarmActions"][0].endswith("alerts-critical")
    }
    assert critical == {
        *("month-failed", "day-failed", "day-missing", "schedules-failed"),
        *("alert-errors", "alert-day-errors", "rollback-errors", "start-month-errors"),
    }


def test_every_alarm_says_what_happened_and_where_to_read_on(recording: Recording) -> None:
    for name, one in alarms(recording).items():
        says = one.inputs["alarmDescription"]
        section = "function-errors" if name.endswith("-errors") else name
        assert re.fullmatch(rf"[A-Z].{{20,}}\. See docs/operations\.md#{section}", says), says
        assert one.inputs["name"] == f"trading-{recording.stack}-{name}"


def test_promises_are_those_of_the_design(recording: Recording) -> None:
    for name, threshold in PROMISES.items():
        alarm = alarms(recording)[name].inputs
        assert alarm["threshold"] == threshold
        below = "GreaterThanThreshold" if name == "scoring-latency" else "LessThanThreshold"
        assert alarm["comparisonOperator"] == below
        assert alarm["treatMissingData"] == "notBreaching"


def test_an_answer_that_months_are_late_is_no_outage(recording: Recording) -> None:
    """The API's 5xx would count the 503 of `GET /health`: failed functions are counted instead."""
    queries = alarms(recording)["uptime"].inputs["metricQueries"]
    metrics = {query["id"]: query["metric"] for query in queries if "metric" in query}
    of_api = [m["metricName"] for m in metrics.values() if m["namespace"] == "AWS/ApiGateway"]
    assert of_api == ["Count"]
    deployed = {one.name: one for one in recording.of("aws:lambda/function:Function")}
    failed = metrics["api_health_errors"]
    assert (failed["namespace"], failed["metricName"]) == ("AWS/Lambda", "Errors")
    assert failed["dimensions"] == {"FunctionName": deployed["api_health"].inputs["name"]}
    (judged,) = (query["expression"] for query in queries if "expression" in query)
    assert "api_health_errors" in judged.split("/")[0]


def test_a_day_that_does_not_come_breaches_by_its_silence(dev: Recording) -> None:
    alarm = alarms(dev)["day-missing"].inputs
    assert alarm["treatMissingData"] == "breaching"
    assert alarm["period"] * alarm["evaluationPeriods"] <= 7 * 86_400
    assert alarm["actionsEnabled"]


def test_metric_math_asks_for_metrics_that_it_has(recording: Recording) -> None:
    for name, one in alarms(recording).items():
        queries = one.inputs.get("metricQueries")
        if not queries:
            continue
        ids = {query["id"] for query in queries if "metric" in query}
        (judged,) = (query for query in queries if "expression" in query)
        words = set(re.findall(r"[a-z_][a-z_0-9]*", judged["expression"]))  # FILL is no word
        assert words == ids, name
        assert [query["id"] for query in queries if query["returnData"]] == ["judged"]
        assert all(re.fullmatch(r"[a-z][a-zA-Z0-9_]*", id_) for id_ in ids)


def test_error_lines_of_every_function_are_counted(dev: Recording) -> None:
    groups = {
        one.inputs["logGroupName"]
        for one in dev.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    }
    assert groups == {
        one.inputs["loggingConfig"]["logGroup"] for one in dev.of("aws:lambda/function:Function")
    }


def test_the_dashboard_shows_every_alarm_and_names_metrics_that_exist(
    dev: Recording, prod: Recording
) -> None:
    assert dev.of("aws:cloudwatch/dashboard:Dashboard") == []
    (dashboard,) = prod.of("aws:cloudwatch/dashboard:Dashboard")
    widgets = json.loads(dashboard.inputs["dashboardBody"])["widgets"]
    shown = next(w for w in widgets if w["type"] == "alarm")["properties"]["alarms"]
    watched = set(alarms(prod)) - {"access-denied"}
    assert {arn.rpartition(":")[2] for arn in shown} == {f"trading-prod-{n}" for n in watched}
    titles = [w["properties"]["title"] for w in widgets]
    assert set(PROMISES) <= set(titles)
    assert len(set(titles)) == len(titles)
    places = {(w["x"], w["y"]) for w in widgets}
    assert len(places) == len(widgets)
    assert all(w["x"] + w["width"] <= 24 for w in widgets)
    functions = {one.inputs["name"] for one in prod.of("aws:lambda/function:Function")}
    for widget in widgets:
        for line in widget["properties"].get("metrics", []):
            if len(line) > 1 and line[0] == "AWS/Lambda":
                assert line[3] in functions
