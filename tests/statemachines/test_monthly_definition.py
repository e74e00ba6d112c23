"""The state machine's definition: it lints, and nothing in it can fail unseen."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATH = ROOT / "statemachines" / "monthly.asl.json"
TEXT = PATH.read_text(encoding="utf-8")
DEFINITION: dict[str, Any] = json.loads(TEXT)

HARMLESS = ("WarnKept", "ScoreShadow", "CheckDrift")


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
def test_every_task_has_a_timeout_and_retries(name: str) -> None:
    task = tasks()[name]
    assert task["TimeoutSeconds"] > 0
    assert task["Retry"]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, state in DEFINITION["States"].items()
        if state["Type"] in ("Task", "Map") and name not in (*HARMLESS, "RollBack", "Alert")
    ],
)
def test_every_failure_rolls_back_and_alerts(name: str) -> None:
    catchers = DEFINITION["States"][name]["Catch"]
    assert catchers[-1] == {
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.failure",
        "Next": "RollBack",
    }
    assert DEFINITION["States"]["RollBack"]["Next"] == "Alert"
    assert DEFINITION["States"]["Alert"]["Next"] == "Failed"


@pytest.mark.parametrize("name", ["ScoreShadow", "CheckDrift"])
def test_what_is_only_watched_stops_no_month(name: str) -> None:
    watched = DEFINITION["States"][name]
    (catcher,) = watched["Catch"]
    fallback = DEFINITION["States"][catcher["Next"]]
    assert fallback["Type"] == "Pass"
    assert fallback["Next"] == watched["Next"]
    assert fallback["ResultPath"] == watched["ResultPath"]
    assert set(fallback["Parameters"]) == {"outcome", "reason.$", "uri"}


def test_every_handler_of_the_machine_exists() -> None:
    used = set(re.findall(r"\$\{(\w+)FunctionArn\}", TEXT))
    handlers = {path.stem for path in (ROOT / "functions").glob("*.py")}
    assert {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in used} <= handlers
