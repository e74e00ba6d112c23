"""The contract of every handler: typed events, one correlation id, logs and metrics as JSON."""

import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(
    path.stem
    for path in (ROOT / "functions").glob("*.py")
    if path.stem not in ("__init__", "station")
)
KEYS = {"ledger": ("pk", "sk"), "idempotency": ("id",)}
WAIT = '{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":300,"End":true}}}'
ROLE = "arn:aws:iam::123456789012:role/machine"
MONTH = {
    "month": "2019-12",
    "as_of": "2019-12-02",
    "run": 1,
    "execution": "monthly-2019-12-r1",
    "correlation_id": "correlation-7",
    "exclude": [],
}
Call = Callable[..., dict[str, Any]]


@dataclass
class Context:
    """What Lambda tells a handler of itself."""

    function_name: str = "trading-dev-finish"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:finish"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
        **{f"TRADING_{name}_STORE": str(tmp_path / name) for name in ("DATA", "MODELS", "RUNS")},
        **{f"TRADING_{name.upper()}_TABLE": name for name in KEYS},
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        for table, keys in KEYS.items():
            dynamodb.create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        machine = boto3.client("stepfunctions").create_state_machine(
            name="m", definition=WAIT, roleArn=ROLE
        )
        monkeypatch.setenv("TRADING_STATE_MACHINE", machine["stateMachineArn"])
        yield


def begin_month() -> None:
    """Enter the month of `MONTH` into the ledger, as the function that starts months does."""
    boto3.resource("dynamodb").Table("ledger").put_item(
        Item={
            "pk": f"month#{MONTH['month']}",
            "sk": "run",
            "month": MONTH["month"],
            "as_of": MONTH["as_of"],
            "run": MONTH["run"],
            "status": "RUNNING",
        }
    )


@pytest.fixture
def call(aws: None) -> Iterator[Call]:
    """Call a handler that was imported into this environment."""
    forget_handlers()

    def made(name: str, event: dict[str, Any]) -> dict[str, Any]:
        if name == "finish":
            begin_month()
        answer: dict[str, Any] = importlib.import_module(f"functions.{name}").handler(
            event, Context()
        )
        return answer

    yield made
    forget_handlers()


def forget_handlers() -> None:
    """Let the next import begin anew, on the standard output and the environment of its test."""
    for name in [name for name in sys.modules if name.split(".")[0] == "functions"]:
        del sys.modules[name]
    logging.Logger.manager.loggerDict.pop("trading", None)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def finish_event(**changes: Any) -> dict[str, Any]:
    uri = "s3://runs/key"
    return {
        "month": MONTH,
        "resolved": {
            "complete": True,
            "last_session": "2019-11-29",
            "source": "files",
            "simulated": False,
        },
        "validated": {
            "passed": True,
            "version": "v1",
            "challenger_prefix": "p",
            "baseline_prefix": "",
            "verdict_uri": uri,
            "reasons": [],
        },
        "champion": {
            "version": "v1",
            "kind": "ensemble",
            "prefix": "p",
            "promoted": True,
            "message": "promoted",
        },
        "ranked": {"signals_uri": uri, "count": 1, "buy": 1, "sell": 0, "hold": 0},
        "measured": {"report_uri": uri, "recipients": [0]},
        "notified": [{"recipient": 0, "state": "SENT", "message_id": "m"}],
        **changes,
    }


def test_a_handler_answers_plain_json(call: Call) -> None:
    answer = call("finish", finish_event())
    plain = json.loads(json.dumps(answer))
    assert (plain["month"], plain["status"]) == ("2019-12", "SUCCEEDED")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "not a FinishRequest: month: Field required"),
        (finish_event(month=MONTH | {"month": "December"}), "month.month: String should match"),
        (finish_event(extra=1), "extra: Extra inputs are not permitted"),
        (finish_event(ranked={"count": "many"}), "ranked.signals_uri: Field required"),
    ],
)
def test_a_bad_event_names_the_field(call: Call, event: dict[str, Any], message: str) -> None:
    from trading.errors import MonthError

    with pytest.raises(MonthError) as caught:
        call("finish", event)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_log_line_bears_the_months_correlation_id(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("finish", finish_event())
    logged = [line for line in lines(capsys.readouterr().out) if "message" in line]
    assert [line["message"] for line in logged] == ["station started", "station done"]
    assert {line["correlation_id"] for line in logged} == {"correlation-7"}
    assert {line["execution"] for line in logged} == {"monthly-2019-12-r1"}
    assert {line["function_request_id"] for line in logged} == {"request-1"}
    assert logged[0]["month"] == "2019-12"


def test_the_id_of_one_event_does_not_leak_into_the_next(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("finish", finish_event())
    other = MONTH | {"correlation_id": "correlation-8"}
    call("finish", finish_event(month=other))
    ids = [line.get("correlation_id") for line in lines(capsys.readouterr().out)]
    assert [i for i in ids if i] == ["correlation-7"] * 2 + ["correlation-8"] * 2


@pytest.mark.parametrize(("fails", "metric"), [(False, "StationDone"), (True, "StationFailed")])
def test_the_outcome_is_counted_in_the_embedded_metric_format(
    call: Call, capsys: pytest.CaptureFixture[str], fails: bool, metric: str
) -> None:
    if fails:
        with pytest.raises(Exception, match="extra"):
            call("finish", finish_event(extra=1))
    else:
        call("finish", finish_event())
    emitted = [line for line in lines(capsys.readouterr().out) if "_aws" in line]
    assert len(emitted) == 1
    (described,) = emitted[0]["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "Trading"
    assert [m["Name"] for m in described["Metrics"]] == [metric]
    assert emitted[0][metric] == [1.0]
    assert set(described["Dimensions"][0]) == {"station", "service"}


def test_a_failure_is_logged_with_its_traceback(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exception, match="extra"):
        call("finish", finish_event(extra=1))
    (failed,) = [line for line in lines(capsys.readouterr().out) if line.get("level") == "ERROR"]
    assert failed["message"] == "station failed"
    assert failed["exception_name"] == "MonthError"
    assert failed["correlation_id"] == "correlation-7"


def test_start_month_answers_a_repeated_delivery_with_the_first_answer(call: Call) -> None:
    event = {"as_of": "2019-12-02", "correlation_id": "delivery-1"}
    first = call("start_month", event)
    assert (first["started"], first["run"]) == (True, 1)
    assert call("start_month", event) == first
    other = call("start_month", event | {"correlation_id": "delivery-2"})
    assert other["outcome"] == "already_running"
    machine = os.environ["TRADING_STATE_MACHINE"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=machine)
    assert [e["name"] for e in listed["executions"]] == ["monthly-2019-12-r1"]


@pytest.mark.filterwarnings("ignore:No idempotency key value found")
def test_start_month_without_a_correlation_id_makes_one(call: Call) -> None:
    started = call("start_month", {"as_of": "2019-12-02"})
    assert started["started"]
    described = boto3.client("stepfunctions").describe_execution(
        executionArn=started["execution_arn"]
    )
    asked = json.loads(described["input"])
    assert asked["correlation_id"]
    assert asked["month"] == "2019-12"


def test_start_month_that_failed_may_be_tried_again(call: Call) -> None:
    with pytest.raises(Exception, match="as_of"):
        call("start_month", {"as_of": "soon", "correlation_id": "delivery-3"})
    event = {"as_of": "2019-12-02", "correlation_id": "delivery-3"}
    assert call("start_month", event)["started"]


def test_every_function_of_the_catalogue_has_a_handler() -> None:
    from stacks.functions_catalogue import FUNCTIONS

    assert sorted(FUNCTIONS) == HANDLERS


@pytest.mark.slow
def test_every_handler_is_importable_as_lambda_imports_it(tmp_path: Path) -> None:
    """A fresh process, only what a deployed function is given, and no training libraries."""
    program = (
        "import importlib, sys\n"
        f"for name in {HANDLERS!r}:\n"
        "    assert callable(importlib.import_module('functions.' + name).handler), name\n"
        "heavy = {'torch', 'stable_baselines3', 'finrl', 'gymnasium', 'streamlit'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TRADING_SETTINGS": "{}",
        "TRADING_IDEMPOTENCY_TABLE": "idempotency",
        "POWERTOOLS_SERVICE_NAME": "finish",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
