"""What a state machine sees of a function: its answer, or the name of its error."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.config import default_user_config
from small_cloud import FORKED, ROLE, create_function, small_cloud, write_handlers

from localcloud import lambdas
from localcloud.context import CloudContext

HANDLERS = """
    import os, time

    class DataError(Exception):
        pass

    def double(event, context):
        return {"doubled": 2 * event["n"]}

    def refuse(event, context):
        raise DataError("no bars")

    def sleep(event, context):
        time.sleep(20)

    def die(event, context):
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with (
        pytest.MonkeyPatch.context() as patch,
        small_cloud(tmp_path_factory.mktemp("states")) as context,
    ):
        patch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        patch.setenv("MOTO_PORT", context.endpoint.rpartition(":")[2])
        lambdas.install(context, preloaded=FORKED)
        write_handlers(context, "tasks", HANDLERS)
        for name in ("double", "refuse", "sleep", "die"):
            create_function(context, name, f"tasks.{name}", Timeout=1)
        create_function(context, "full", "tasks.double")
        context.client("lambda").put_function_concurrency(
            FunctionName="full", ReservedConcurrentExecutions=0
        )
        yield context


def execute(cloud: CloudContext, task: dict[str, Any]) -> dict[str, Any]:
    states = cloud.client("stepfunctions")
    definition = {"StartAt": "Task", "States": {"Task": {"Type": "Task", "End": True, **task}}}
    machine = states.create_state_machine(
        name=f"machine-{time.time_ns()}", roleArn=ROLE, definition=json.dumps(definition)
    )
    started = states.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"n": 21}')
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = states.describe_execution(executionArn=started["executionArn"])
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the execution did not end")


def tasks(name: str) -> list[dict[str, Any]]:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    optimised = {
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": arn, "Payload.$": "$"},
        "OutputPath": "$.Payload",
    }
    return [{"Resource": arn}, optimised]


@pytest.mark.parametrize("form", [0, 1], ids=["function ARN", "lambda:invoke"])
def test_the_answer_is_the_output(cloud: CloudContext, form: int) -> None:
    found = execute(cloud, tasks("double")[form])

    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"doubled": 42})


@pytest.mark.parametrize("form", [0, 1], ids=["function ARN", "lambda:invoke"])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("refuse", "DataError"),
        ("sleep", "Sandbox.Timedout"),
        ("die", "Runtime.ExitError"),
        ("full", "Lambda.TooManyRequestsException"),
    ],
)
def test_the_error_is_named(cloud: CloudContext, name: str, error: str, form: int) -> None:
    found = execute(cloud, tasks(name)[form])

    assert (found["status"], found["error"]) == ("FAILED", error)
