"""The state machine of the day: it lints, everything ends, and nothing fails unseen."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stacks.definition import integrations, substitutions
from trading.month.payloads import Fetched, SessionRange

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "statemachines" / "daily.asl.json").read_text(encoding="utf-8")
STATES: dict[str, Any] = json.loads(TEXT)["States"]


def test_the_definition_lints(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:x"
    path = tmp_path / "daily.asl.json"
    path.write_text(re.sub(r"\$\{\w+\}", arn, TEXT), encoding="utf-8")
    lint = Path(sys.executable).parent / "statelint"
    done = subprocess.run([lint, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_calls_its_functions_the_topic_and_the_kill_switch() -> None:
    functions = {"FetchDailyFunctionArn", "DataQualityFunctionArn", "AlertDayFunctionArn"}
    assert substitutions(TEXT) == functions | {"AlertTopicArn", "LedgerTable"}
    assert integrations(TEXT) == {"sns:publish", "dynamodb:getItem"}


@pytest.mark.parametrize("name", [n for n, s in STATES.items() if s["Type"] == "Task"])
def test_every_task_ends_and_every_failure_is_told(name: str) -> None:
    state = STATES[name]
    assert state["TimeoutSeconds"] <= 960
    assert state["Retry"]
    (caught,) = state["Catch"]
    assert caught["ErrorEquals"] == ["States.ALL"]
    after = {"Alert": "AlertPlainly", "AlertPlainly": "Failed"}
    assert caught["Next"] == after.get(name, "Alert")


def test_the_states_speak_of_what_the_messages_hold() -> None:
    told = set(re.findall(r"\$\.fetched\.(\w+)", TEXT))
    assert told <= set(Fetched.model_fields)
    assert set(STATES["Begin"]["Result"]) <= set(Fetched.model_fields)
    for name in ("Fetch", "CheckQuality"):
        asked = {key.removesuffix(".$") for key in STATES[name]["Parameters"]}
        assert asked <= set(SessionRange.model_fields)
