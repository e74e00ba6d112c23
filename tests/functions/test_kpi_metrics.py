"""What a station publishes is what the alarms on the promises look at: name, dimensions, unit."""

import json
import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from stacks.alarm_catalogue import METRICS_NAMESPACE, Watched, alarms
from stacks.alarms import Metric
from trading.month.payloads import Fetched, SessionRange
from trading.month.resources import Resources

FUNCTION = "trading-dev-fetch-daily"


class Context:
    """What Lambda tells a handler of itself."""

    function_name = FUNCTION
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}"
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def station_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the station as the deployed function would."""
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fetch_daily")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", METRICS_NAMESPACE)
    forget()
    import functions.station

    yield functions.station
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "functions"]:
        del sys.modules[name]
    logging.Logger.manager.loggerDict.pop("trading", None)


def fetch(request: SessionRange, resources: Resources) -> Fetched:
    return Fetched(sessions=1, rows=1_990, source="polygon", missing=10, failed=0)


def watched() -> Watched:
    functions = {key: f"trading-dev-{key.replace('_', '-')}" for key in KEYS}
    machines = {"month": "arn:month", "day": "arn:day"}
    return Watched(functions, machines, "dead-letters", "schedules", "api", ["api_health"])


KEYS = ("api_health", "fetch_daily", "rank", "mail_events")


def test_the_alarm_on_the_fetch_finds_what_the_fetch_publishes(
    station_module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    station_module.station(fetch, SessionRange)({}, Context())
    printed = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    (emitted,) = (one for one in printed if "_aws" in one)
    (described,) = emitted["_aws"]["CloudWatchMetrics"]
    (spec,) = (one for one in alarms(watched()) if one.name == "fetch-success")
    (metric,) = spec.metrics.values()
    assert (described["Namespace"], emitted[metric.name]) == (metric.namespace, [99.5])
    assert [sorted(names) for names in described["Dimensions"]] == [sorted(metric.dimensions)]
    assert {name: emitted[name] for name in metric.dimensions} == metric.dimensions
    units = {one["Name"]: one["Unit"] for one in described["Metrics"]}
    assert units[metric.name] == "Percent"


def test_every_promise_of_a_station_has_its_name_in_the_domain() -> None:
    from trading.month.kpis import MAIL_EVENTS

    known = {"FetchSuccess", "ScoringSeconds", *(f"Mail{kind}" for kind in MAIL_EVENTS)}
    asked: list[Any] = [
        metric
        for spec in alarms(watched())
        for metric in spec.metrics.values()
        if isinstance(metric, Metric) and metric.namespace == METRICS_NAMESPACE
    ]
    assert asked
    assert {metric.name for metric in asked} <= known
