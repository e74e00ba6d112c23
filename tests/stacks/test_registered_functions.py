"""What every function has: a role, a log group, an alarm, limits, and a way for its failures."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from policy_documents import statements_with

from stackcheck.recording import ROOT, Recording
from stacks.configuration import RETENTION_DAYS
from stacks.functions_catalogue import FUNCTIONS

FUNCTION = "aws:lambda/function:Function"
# Modules of the folder that are no handlers.
NO_HANDLERS = {"__init__", "station", "transient"}


def test_functions_are_those_of_the_catalogue_and_of_the_folder(dev: Recording) -> None:
    files = {path.stem for path in (ROOT / "functions").glob("*.py")} - NO_HANDLERS
    assert {one.name for one in dev.of(FUNCTION)} == set(FUNCTIONS) == files


def test_every_function_has_its_own_role_log_group_and_limits(recording: Recording) -> None:
    functions = recording.of(FUNCTION)
    groups = {one.inputs["name"] for one in recording.of("aws:cloudwatch/logGroup:LogGroup")}
    roles = Counter(one.inputs["role"] for one in functions)
    assert set(roles.values()) == {1}
    for one in functions:
        inputs = one.inputs
        assert inputs["loggingConfig"]["logGroup"] == f"/aws/lambda/{inputs['name']}"
        assert inputs["loggingConfig"]["logGroup"] in groups
        assert 1 <= inputs["timeout"] <= 900
        assert 128 <= inputs["memorySize"] <= 10240
        assert inputs["packageType"] == "Image"
        assert inputs["imageConfig"]["commands"] == [f"functions.{one.name}.handler"]
        assert inputs["tracingConfig"]["mode"] == "Active"
        assert len(inputs["name"]) <= 64


def test_every_failure_of_a_function_goes_somewhere(dev: Recording) -> None:
    """An event's call keeps what failed; a state machine, the API and Secrets Manager see it."""
    kept = {
        one.inputs["functionName"]: one.inputs["destinationConfig"]["onFailure"]["destination"]
        for one in dev.of("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
    }
    machines = "".join(
        one.inputs["definition"] for one in dev.of("aws:sfn/stateMachine:StateMachine")
    )
    waited_for = {
        one.inputs["function"]
        for one in dev.of("aws:lambda/permission:Permission")
        if one.inputs["principal"] in ("apigateway.amazonaws.com", "secretsmanager.amazonaws.com")
    }
    (queue,) = dev.of("aws:sqs/queue:Queue")
    for one in dev.of(FUNCTION):
        name = one.inputs["name"]
        if name in kept:
            assert kept[name] == queue.outputs["arn"]
        else:
            assert f'function:{name}"' in machines or name in waited_for, name


def test_environment_names_everything_the_contract_names(dev: Recording) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text[text.index("### The month (`trading.month`") : text.index("Tables (on-demand")]
    contract = set(re.findall(r"TRADING_[A-Z_]+", section))
    assert {"TRADING_LEDGER_TABLE", "TRADING_WARNING_TOPIC"} <= contract
    for one in dev.of(FUNCTION):
        variables = one.inputs["environment"]["variables"]
        assert contract <= set(variables)
        assert all(variables.values())
        assert variables["POWERTOOLS_SERVICE_NAME"] == one.name
        assert sum(len(k) + len(v) for k, v in variables.items()) <= 4096


def test_log_groups_are_encrypted_and_kept_as_long_as_cloudwatch_can_be_told(
    recording: Recording,
) -> None:
    groups = recording.of("aws:cloudwatch/logGroup:LogGroup")
    assert len(groups) > len(FUNCTIONS)
    assert {one.inputs["retentionInDays"] for one in groups} == {365} <= RETENTION_DAYS
    key = next(one for one in recording.of("aws:kms/key:Key") if one.name == "data")
    assert {one.inputs["kmsKeyId"] for one in groups} == {key.outputs["arn"]}


def test_executions_are_reserved_where_the_account_has_them(
    dev: Recording, prod: Recording
) -> None:
    """A new account has ten executions in all, of which none can be reserved."""
    assert not any(one.inputs.get("reservedConcurrentExecutions") for one in dev.of(FUNCTION))
    reserved = {one.name: one.inputs["reservedConcurrentExecutions"] for one in prod.of(FUNCTION)}
    assert all(count >= 1 for count in reserved.values())
    assert sum(reserved.values()) <= 900
    wanted = {}
    for machine in prod.of("aws:sfn/stateMachine:StateMachine"):
        for loop in maps(json.loads(machine.inputs["definition"])):
            called = re.findall(r":function:trading-prod-([a-z-]+)", json.dumps(loop))
            # A number that the execution is told is that of the training jobs.
            wanted |= dict.fromkeys(called, loop.get("MaxConcurrency", 0))
    assert {"score-batch", "notify"} <= set(wanted)
    for name, at_once in wanted.items():
        assert reserved[name.replace("-", "_")] >= at_once >= 1, name


def maps(node: Any) -> Iterator[dict[str, Any]]:
    """Return the Map states of a definition, at any depth."""
    if isinstance(node, dict):
        if node.get("Type") == "Map":
            yield node
        for child in node.values():
            yield from maps(child)


@pytest.mark.parametrize("machine", ["monthly", "daily"])
def test_a_machine_calls_exactly_the_functions_its_definition_names(
    dev: Recording, machine: str
) -> None:
    machines = {one.name: one for one in dev.of("aws:sfn/stateMachine:StateMachine")}
    assert set(machines) == {"monthly", "daily"}
    definition = machines[machine].inputs["definition"]
    called = set(re.findall(r'"(arn:aws:lambda:[^"]+)"', definition))
    granted = statements_with(dev, "lambda:InvokeFunction")[machine]
    assert set(granted["Resource"]) == called
    assert "${" not in definition
