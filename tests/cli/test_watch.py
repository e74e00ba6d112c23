"""Watching an execution on a moto state machine, the memory of a process tree, and the summary."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from trading.cli import summary
from trading.cli.memory import PeakMemory, tree_pss_mb
from trading.cli.summary import Outcome, print_summary, summary_json
from trading.cli.watch import ExecutionWatch, training_progress
from trading.config import load_settings
from trading.month.ledger import RunRecord
from trading.month.payloads import Started
from trading.month.resources import Resources
from trading.signals.model import SuccessRate
from trading.signals.report import (
    CostAssumptions,
    DataSummary,
    GateVerdict,
    ModelSummary,
    MonthReport,
    PortfolioSummary,
)

ROLE = "arn:aws:iam::123456789012:role/machine"
PASSES = {
    "StartAt": "Begin",
    "States": {
        "Begin": {"Type": "Pass", "Next": "Train"},
        "Train": {
            "Type": "Map",
            "ItemsPath": "$.jobs",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "TrainModel",
                "States": {"TrainModel": {"Type": "Pass", "End": True}},
            },
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}
FAILS = {
    "StartAt": "Begin",
    "States": {
        "Begin": {"Type": "Pass", "Next": "Failed"},
        "Failed": {
            "Type": "Fail",
            "Error": "DataError",
            "Cause": json.dumps(
                {"errorMessage": "bars end on 2019-11-27", "errorType": "DataError"}
            ),
        },
    },
}
Start = Callable[[object], ExecutionWatch]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield


@pytest.fixture
def start(aws: None) -> Start:
    def made(definition: object) -> ExecutionWatch:
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(
            name="month", definition=json.dumps(definition), roleArn=ROLE
        )
        execution = client.start_execution(
            stateMachineArn=machine["stateMachineArn"], name="e", input='{"jobs": [1, 2]}'
        )
        watch = ExecutionWatch(execution["executionArn"])
        deadline = time.monotonic() + 60
        while not watch.ended and time.monotonic() < deadline:
            watch.poll()
            time.sleep(0.05)
        return watch

    return made


def test_a_watch_tells_top_level_states_in_order_and_how_long(start: Start) -> None:
    watch = start(PASSES)
    assert watch.status == "SUCCEEDED"
    assert list(watch.states) == ["Begin", "Train", "Done"]
    assert all(run.exited is not None for run in watch.states.values())
    assert all(seconds >= 0 for seconds in watch.timings().values())
    seen = dict(watch.states)
    watch.poll()
    assert watch.states == seen


def failed_outcome(watch: ExecutionWatch, folder: Path) -> Outcome:
    names = {"TRADING_LEDGER_TABLE": "ledger", "TRADING_RUNS_STORE": str(folder / "runs")}
    resources = Resources(load_settings(environ={}), names)
    resources.ledger.claim_run(
        RunRecord(month="2019-12", as_of=date(2019, 12, 2), run=1, status="FAILED")
    )
    started = Started(
        started=True,
        outcome="started",
        reason="started e",
        month="2019-12",
        run=1,
        execution_arn=watch.arn,
    )
    return Outcome.read(started, watch, resources, folder)


def test_a_failed_execution_is_summed_up_in_its_own_sentence(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = start(FAILS)
    assert watch.status == "FAILED"
    outcome = failed_outcome(watch, tmp_path)
    shown = summary_json(outcome, None)
    assert shown["status"] == "FAILED"
    assert shown["reason"] == "DataError: bars end on 2019-11-27"
    assert "signals" not in shown
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    told = record(monkeypatch)
    print_summary(outcome, None)
    assert "2019-12 failed: DataError: bars end on 2019-11-27" in told()
    assert "Run the same command again" in told()


def record(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Let the summary print into memory, 80 columns wide; answer what was printed."""
    console = Console(record=True, width=80, file=io.StringIO())
    monkeypatch.setattr(summary, "console", console)
    monkeypatch.setattr(summary, "result", console)
    return lambda: console.export_text(clear=False)


def report(**changes: object) -> MonthReport:
    figures = {
        "candidate": {"label": "Challenger", "months": 12, "annual_return": 0.123, "sharpe": 1.5},
        "equal_weight": {"label": "Equal weight", "annual_return": 0.1, "excess_return": 0.023,
                         "p_value": 0.04, "max_drawdown": 0.2, "information_coefficient": 0.031},
    }  # fmt: skip
    values: dict[str, object] = {
        "month": "2019-12",
        "as_of": date(2019, 12, 2),
        "last_session": date(2019, 11, 29),
        "environment": "dev",
        "model": ModelSummary(version="0123456789abcdef", kind="ensemble", promoted=True),
        "verdict": GateVerdict(passed=True, figures=figures),
        "signals": (),
        "portfolio": PortfolioSummary(),
        "data": DataSummary(source="files", simulated=False, symbols=60, sessions=500),
        "fill_rule": "orders fill at the close of the session after the decision",
        "costs": CostAssumptions(
            commission_bps=1, slippage_bps=5, impact_coefficient=0.1, capital_usd=1e7
        ),
    }
    return MonthReport.model_validate(values | changes)


def outcome_of(month: MonthReport, **changes: object) -> Outcome:
    started = Started(started=True, outcome="started", reason="r", month="2019-12", run=1)
    values: dict[str, object] = {
        "started": started,
        "status": "SUCCEEDED",
        "error": "",
        "report": month,
        "record": None,
        "mails": (),
        "html_path": None,
        "timings": {"Begin": 0.01, "Train": 12.0, "HasPassed": 0.2, "Done": 0.0},
        "filled": None,
    }
    return Outcome(**(values | changes))  # type: ignore[arg-type]


def test_the_evidence_shows_the_gates_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    told = record(monkeypatch)
    print_summary(outcome_of(report()), 100.0)
    lines = told().splitlines()
    (title,) = [at for at, line in enumerate(lines) if "Out of sample over 12 months" in line]
    header = " ".join(lines[title + 1 : title + 3])
    for word in (
        "annual",
        "return",
        "volatility",
        "Sharpe",
        "drawdown",
        "IC",
        "challenger's",
        "excess",
        "p-value",
    ):
        assert word in header.split()
    (own,) = [line for line in lines if line.startswith("challenger ")]
    (equal,) = [line for line in lines if line.startswith("equal weight")]
    assert "12.3%" in own
    assert "1.50" in own
    assert "0.040" in equal
    assert "2.3%" in equal
    assert "0.031" in equal
    assert "no data" in equal


def test_fast_bookkeeping_is_hidden_from_the_eye_and_kept_in_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = record(monkeypatch)
    outcome = outcome_of(report())
    print_summary(outcome, None)
    assert "Train 12.0 s, HasPassed 0.2 s" in told()
    assert "Begin" not in told()
    assert "Done" not in told()
    assert set(summary_json(outcome, None)["timings"]) == {"Begin", "Train", "HasPassed", "Done"}


def test_success_is_shown_only_where_signals_were_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = record(monkeypatch)
    empty = SuccessRate(label="every signal", months=0, signals=0, successes=0)
    print_summary(outcome_of(report(success=(empty,))), None)
    assert told().count("success") == 1
    assert "success of earlier signals: no data yet" in told()
    measured = SuccessRate(
        label="BUY", months=1, signals=10, successes=6, rate=0.6, low=0.3, high=0.8
    )
    told = record(monkeypatch)
    print_summary(outcome_of(report(success=(empty, measured))), None)
    assert "success, BUY: 60% of 10 signals over 1 months (95 %: 30% to 80%)" in told()
    assert "every signal" not in told()


def test_long_paths_are_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    told = record(monkeypatch)
    path = Path("/a" * 100) / "2019-12.html"
    print_summary(outcome_of(report(), html_path=path), None)
    assert f"the mail as a page: {path}" in told()


def test_training_progress_is_read_from_the_logs(aws: None) -> None:
    assert training_progress("trading-dev-2019-12-r1-") == []


def test_peak_memory_counts_children() -> None:
    if tree_pss_mb(1) is None:
        pytest.skip("no /proc here")
    program = "import time; block = b'x' * 400_000_000; print('up', flush=True); time.sleep(30)"
    with PeakMemory(interval_seconds=0.05) as alone:
        time.sleep(0.2)
    with PeakMemory(interval_seconds=0.05) as memory:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            time.sleep(0.3)
        finally:
            child.kill()
            child.communicate()
    assert alone.peak_mb is not None
    assert memory.peak_mb is not None
    # What this process shares with others that come and go moves its own part.
    assert 250 < memory.peak_mb - alone.peak_mb < 700
