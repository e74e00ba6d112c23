"""The state machine's definition: it lints, and nothing in it can fail unseen."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks.functions_catalogue import FUNCTIONS, camel_case

ROOT = Path(__file__).parents[2]
PATH = ROOT / "statemachines" / "monthly.asl.json"
TEXT = PATH.read_text(encoding="utf-8")
DEFINITION: dict[str, Any] = json.loads(TEXT)

ELSEWHERE = ("WarnKept", "ScoreShadow", "CheckDrift", "RefuseInput")
FAILURE_PATH = ("RollBack", "Alert", "AlertPlainly")
LAMBDA_PASSES = {
    *("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("Lambda.TooManyRequestsException", "Lambda.Unknown", "Sandbox.Timedout"),
    *("Runtime.ExitError", "TransientError", "ConflictError", "ConditionFailedError"),
}


def machines(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def tasks() -> dict[str, dict[str, Any]]:
    return {
        name: state
        for machine in machines(DEFINITION)
        for name, state in machine["States"].items()
        if state["Type"] == "Task"
    }


def called(task: dict[str, Any]) -> str | None:
    """Return the catalogue's name of the function that a task calls."""
    text = json.dumps([task["Resource"], task.get("Parameters", {}).get("FunctionName")])
    found = re.search(r"\$\{(\w+)FunctionArn\}", text)
    return None if found is None else {camel_case(key): key for key in FUNCTIONS}[found[1]]


def substituted() -> str:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:x"
    return re.sub(r"\$\{(\w+)\}", lambda m: arn if m[1].endswith("Arn") else "x", TEXT)


def test_the_definition_lints(tmp_path: Path) -> None:
    path = tmp_path / "monthly.asl.json"
    path.write_text(substituted(), encoding="utf-8")
    lint = Path(sys.executable).parent / "statelint"
    done = subprocess.run([lint, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_sees_a_broken_definition(tmp_path: Path) -> None:
    path = tmp_path / "broken.asl.json"
    broken = substituted().replace('"Next": "Prepare"', '"Next": "Nowhere"')
    path.write_text(broken, encoding="utf-8")
    lint = Path(sys.executable).parent / "statelint"
    done = subprocess.run([lint, path], capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_every_state_is_reached_and_every_next_exists() -> None:
    for machine in machines(DEFINITION):
        names = set(machine["States"])
        targets = {machine["StartAt"]}
        for state in machine["States"].values():
            targets |= {state[key] for key in ("Next", "Default") if key in state}
            targets |= {rule["Next"] for rule in state.get("Choices", [])}
            targets |= {rule["Next"] for rule in state.get("Catch", [])}
        assert targets == names


@pytest.mark.parametrize("name", sorted(tasks()))
def test_every_task_has_a_timeout_and_retries_with_jitter_and_ceilings(name: str) -> None:
    task = tasks()[name]
    assert task.get("TimeoutSeconds", 1) > 0
    assert ("TimeoutSeconds" in task) != ("TimeoutSecondsPath" in task)
    assert task["Retry"]
    for retry in task["Retry"]:
        assert retry["JitterStrategy"] == "FULL"
        assert 1 <= retry["MaxAttempts"] <= 12
        assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"] <= 900
        assert retry["BackoffRate"] > 1


@pytest.mark.parametrize("name", sorted(name for name, task in tasks().items() if called(task)))
def test_a_function_is_called_again_after_what_may_pass_and_never_after_the_rest(name: str) -> None:
    task = tasks()[name]
    names = [error for retry in task["Retry"] for error in retry["ErrorEquals"]]
    assert len(names) == len(set(names))
    assert set(names) >= LAMBDA_PASSES
    assert not set(names) & {"States.ALL", "States.TaskFailed", "DataError", "MonthError"}


@pytest.mark.parametrize(
    "name",
    sorted(n for n, task in tasks().items() if called(task) and "TimeoutSeconds" in task),
)
def test_a_state_outlasts_the_function_that_it_calls(name: str) -> None:
    """Else Step Functions gives up what Lambda still carries out, and calls it beside itself."""
    task = tasks()[name]
    function = called(task)
    assert function is not None
    assert task["TimeoutSeconds"] > FUNCTIONS[function].timeout


def test_the_machine_outlasts_its_states() -> None:
    """A time-out of the whole machine runs no Catch: nothing would be rolled back or told."""
    fixed = sum(task.get("TimeoutSeconds", 0) for task in tasks().values())
    approval, training_and_waiting = 72 * 3600, 3 * 13 * 3600
    assert DEFINITION["TimeoutSeconds"] > fixed + approval + training_and_waiting


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, state in DEFINITION["States"].items()
        if state["Type"] in ("Task", "Map") and name not in (*ELSEWHERE, *FAILURE_PATH)
    ],
)
def test_every_failure_rolls_back_and_alerts(name: str) -> None:
    assert DEFINITION["States"][name]["Catch"][-1] == {
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.failure",
        "Next": "RollBack",
    }


def test_the_failure_path_ends_in_a_failure_whatever_fails_on_it() -> None:
    states = DEFINITION["States"]
    assert states["RollBack"]["Next"] == "Alert"
    assert states[states["RollBack"]["Catch"][0]["Next"]]["Next"] == "Alert"
    assert states["Alert"]["Next"] == "Failed"
    plain = states[states["Alert"]["Catch"][0]["Next"]]
    ends = {"Failed", plain["Next"], plain["Catch"][0]["Next"]}
    assert {states[end]["Type"] for end in ends} == {"Fail"}


@pytest.mark.parametrize("name", ["ScoreShadow", "CheckDrift"])
def test_what_is_only_watched_stops_no_month(name: str) -> None:
    watched = DEFINITION["States"][name]
    (catcher,) = watched["Catch"]
    fallback = DEFINITION["States"][catcher["Next"]]
    assert fallback["Type"] == "Pass"
    assert fallback["Next"] == watched["Next"]
    assert fallback["ResultPath"] == watched["ResultPath"]
    assert set(fallback["Parameters"]) == {"outcome", "reason.$", "uri"}


def test_every_map_is_limited() -> None:
    for machine in machines(DEFINITION):
        for state in machine["States"].values():
            if state["Type"] == "Map":
                assert "MaxConcurrency" in state or "MaxConcurrencyPath" in state


def test_every_handler_of_the_machine_exists() -> None:
    used = {key for task in tasks().values() if (key := called(task))}
    assert used <= {path.stem for path in (ROOT / "functions").glob("*.py")}
