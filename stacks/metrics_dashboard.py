"""The CloudWatch dashboard of an environment: promises first, then runs, functions and data.

Format: "Dashboard body structure and syntax", Amazon CloudWatch API reference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stacks.alarm_catalogue import DAY, HOUR, Watched, alarms
from stacks.alarms import AlarmSpec, Metric

WIDTH, COLUMNS, HEIGHT = 24, 3, 6


def dashboard_body(watched: Watched, region: str, alarm_arns: Sequence[Any]) -> dict[str, Any]:
    """Return the body, in which names and ARNs may still be outputs."""
    promises = [_promise(spec, region) for spec in alarms(watched) if _is_promise(spec)]
    graphs = [
        *promises,
        *_runs(watched, region),
        _functions(watched, region, "Errors", "Sum"),
        _functions(watched, region, "Duration", "Maximum"),
        _functions(watched, region, "Throttles", "Sum"),
        _graph("Mail", region, HOUR, [watched.of_station("mail_events", m) for m in MAIL]),
    ]
    status = {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": WIDTH,
        "height": 4,
        "properties": {"title": "Alarms", "alarms": list(alarm_arns)},
    }
    return {"widgets": [status, *(_at(place, graph) for place, graph in enumerate(graphs))]}


MAIL = ("MailSend", "MailDelivery", "MailBounce", "MailComplaint", "MailReject")
ENDS = ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")


def _is_promise(spec: AlarmSpec) -> bool:
    """Tell whether an alarm stands for a promise: those have a threshold other than zero."""
    return spec.threshold > 1


def _promise(spec: AlarmSpec, region: str) -> dict[str, Any]:
    """Return the graph of an alarm's own figures, with its threshold."""
    asked: list[Any] = [
        _line(metric, {"id": id_, "visible": spec.expression is None})
        for id_, metric in spec.metrics.items()
    ]
    if spec.expression:
        asked.append([{"expression": spec.expression, "label": spec.name, "id": "judged"}])
    graph = _graph(spec.name, region, spec.period, [])
    graph["properties"] |= {
        "metrics": asked,
        "annotations": {"horizontal": [{"label": "promised", "value": spec.threshold}]},
    }
    return graph


def _runs(watched: Watched, region: str) -> list[dict[str, Any]]:
    return [
        _graph(
            f"Executions of the {machine}",
            region,
            DAY,
            [watched.of_machine(machine, end) for end in ENDS],
        )
        for machine in watched.machines
    ]


def _functions(watched: Watched, region: str, name: str, statistic: str) -> dict[str, Any]:
    metrics = [
        Metric("AWS/Lambda", name, {"FunctionName": function}, statistic)
        for function in watched.functions.values()
    ]
    return _graph(f"{name} of the functions", region, HOUR, metrics)


def _graph(title: str, region: str, period: int, metrics: Sequence[Metric]) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "period": period,
            "metrics": [_line(metric, {}) for metric in metrics],
        },
    }


def _line(metric: Metric, options: Mapping[str, Any]) -> list[Any]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *dimensions, {"stat": metric.statistic, **options}]


def _at(place: int, graph: Mapping[str, Any]) -> dict[str, Any]:
    width = WIDTH // COLUMNS
    row, column = divmod(place, COLUMNS)
    return {
        **graph,
        "x": column * width,
        "y": 4 + row * HEIGHT,
        "width": width,
        "height": HEIGHT,
    }
