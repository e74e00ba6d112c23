"""Invoke, over HTTP, functions that run in processes of AWS's runtime interface client."""

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from log_lines import await_line
from small_cloud import (
    FORKED,
    call,
    create_function,
    gone,
    small_cloud,
    write_handlers,
    zip_of,
)

from localcloud import lambdas
from localcloud.context import CloudContext
from localcloud.lambdas import LambdaService, Limits

HANDLERS = """
    import json, os, sys, time
    from trading_errors import DataError

    started = time.time()

    def echo(event, context):
        print("heard", json.dumps(event))
        print("aside", file=sys.stderr)
        return {
            "event": event,
            "pid": os.getpid(),
            "started": started,
            "request": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(),
            "client": context.client_context.custom if context.client_context else None,
            "variables": dict(os.environ),
            "folder": os.getcwd(),
        }

    def refuse(event, context):
        raise DataError("no bars of 2026-11-20")

    def sleep(event, context):
        print("going to sleep", flush=True)
        time.sleep(event.get("seconds", 30))
        return os.getpid()

    def eat(event, context):
        held = bytearray(event["megabytes"] << 20)
        time.sleep(event.get("seconds", 20))
        return len(held)

    def leave(event, context):
        os._exit(event["status"])

    def long(event, context):
        return "x" * event["length"]
"""
ERRORS = """
    class DataError(Exception):
        pass
"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FORKED, id="forked"),
        pytest.param((), id="fresh interpreter", marks=pytest.mark.slow),
    ],
)
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudContext]:
    limits = Limits(environments=6, per_function=3)
    with small_cloud(tmp_path_factory.mktemp("lambda")) as context:
        context.service = lambdas.install(context, limits=limits, preloaded=request.param)
        write_handlers(context, "handlers", HANDLERS)
        write_handlers(context, "trading_errors", ERRORS)
        for name in ("echo", "refuse", "sleep", "eat", "leave", "long"):
            create_function(context, name, f"handlers.{name}")
        yield context


def running(context: CloudContext) -> LambdaService:
    return context.service  # type: ignore[attr-defined]


@pytest.mark.slow
def test_an_environment_stays_warm_between_invocations(cloud: CloudContext) -> None:
    _, first = call(cloud, "echo", {"a": 1})
    _, second = call(cloud, "echo", {"a": 2})

    assert (first["event"], second["event"]) == ({"a": 1}, {"a": 2})
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["request"] != second["request"]
    assert 9_000 < second["left"] <= 10_000


def test_the_handler_sees_lambda_and_nothing_of_the_operator(
    cloud: CloudContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR_SECRET", "hidden")
    create_function(
        cloud, "seen", "handlers.echo", Environment={"Variables": {"OWN": "1", "_HANDLER": "no"}}
    )
    _, found = call(cloud, "seen")
    variables = found["variables"]

    assert "OPERATOR_SECRET" not in variables
    assert variables["OWN"] == "1"
    assert variables["_HANDLER"] == "handlers.echo", "a reserved name is not overridden"
    assert variables["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert variables["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "seen"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/seen"
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert found["folder"] == str(cloud.repository)


def test_an_exception_is_answered_as_aws_does(cloud: CloudContext) -> None:
    failure, error = call(cloud, "refuse")

    assert failure == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("DataError", "no bars of 2026-11-20")
    assert "handlers.py" in error["stackTrace"][0]
    assert call(cloud, "refuse")[0] == "Unhandled", "the environment lives on"


def test_a_timeout_kills_the_environment(cloud: CloudContext) -> None:
    create_function(cloud, "late", "handlers.sleep", Timeout=1)
    began = time.monotonic()
    failure, error = call(cloud, "late")

    assert failure == "Unhandled"
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert time.monotonic() - began < 5
    assert call(cloud, "late", {"seconds": 0})[0] is None, "the next one gets a fresh environment"


@pytest.mark.parametrize("seconds", [20, 0], ids=["while it runs", "in a short burst"])
def test_too_much_memory_kills_the_environment(cloud: CloudContext, seconds: int) -> None:
    failure, error = call(cloud, "eat", {"megabytes": 400, "seconds": seconds})

    assert failure == "Unhandled"
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")


def test_memory_within_the_limit_is_left_alone(cloud: CloudContext) -> None:
    assert call(cloud, "eat", {"megabytes": 150, "seconds": 0}) == (None, 150 << 20)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (3, "Runtime exited with error: exit status 3"),
        (0, "Runtime exited without providing a reason"),
    ],
)
def test_a_process_that_ends_is_an_exit_error(
    cloud: CloudContext, status: int, reason: str
) -> None:
    _, error = call(cloud, "leave", {"status": status})

    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(reason)


def test_a_kill_during_an_invocation_is_an_exit_error(cloud: CloudContext) -> None:
    _, pid = call(cloud, "sleep", {"seconds": 0})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, cloud, "sleep", {"seconds": 20})
        log = cloud.log_directory / "lambda" / "sleep.log"
        await_line(log, "going to sleep", times=2)
        os.kill(pid, signal.SIGKILL)
        _, error = answer.result(timeout=60)

    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("signal: killed")


def test_a_kill_of_an_idle_environment_is_not_noticed(cloud: CloudContext) -> None:
    _, before = call(cloud, "echo")
    os.kill(before["pid"], signal.SIGKILL)
    assert gone(before["pid"])
    failure, after = call(cloud, "echo")

    assert failure is None
    assert after["pid"] != before["pid"]


@pytest.mark.parametrize(
    ("handler", "error_type", "text"),
    [
        ("absent.handler", "Runtime.ImportModuleError", "No module named 'absent'"),
        ("handlers.absent", "Runtime.HandlerNotFound", "Handler 'absent' missing"),
        ("handlers", "Runtime.MalformedHandlerName", "Bad handler 'handlers'"),
    ],
)
def test_a_handler_that_cannot_be_loaded(
    cloud: CloudContext, handler: str, error_type: str, text: str
) -> None:
    name = f"broken-{error_type.rpartition('.')[2]}"
    create_function(cloud, name, handler)
    failure, error = call(cloud, name)

    assert failure == "Unhandled"
    assert error["errorType"] == error_type
    assert text in error["errorMessage"]


def test_what_is_printed_goes_to_the_file_and_to_cloudwatch(cloud: CloudContext) -> None:
    create_function(cloud, "spoken", "handlers.echo")
    _, found = call(cloud, "spoken", {"word": "bars"})

    log = cloud.log_directory / "lambda" / "spoken.log"
    await_line(log, "REPORT RequestId")
    lines = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert lines[0] == f"START RequestId: {found['request']} Version: $LATEST"
    assert sorted(lines[1:3]) == ["aside", 'heard {"word": "bars"}']
    assert lines[3] == f"END RequestId: {found['request']}"
    assert "Memory Size: 256 MB\tMax Memory Used: " in lines[4]

    logs = cloud.client("logs")
    deadline = time.monotonic() + 60
    events: list[str] = []
    while len(events) < 5 and time.monotonic() < deadline:
        stream = found["variables"]["AWS_LAMBDA_LOG_STREAM_NAME"]
        try:
            answer = logs.get_log_events(logGroupName="/aws/lambda/spoken", logStreamName=stream)
        except logs.exceptions.ResourceNotFoundException:
            continue
        events = [event["message"] for event in answer["events"]]
    assert events == lines
    asked = {action for action, resource in cloud.identity.asked if "spoken" in resource}  # type: ignore[attr-defined]
    assert asked == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_the_log_tail_and_client_context(cloud: CloudContext) -> None:
    context = base64.b64encode(json.dumps({"custom": {"by": "test"}}).encode()).decode()
    answer = cloud.client("lambda").invoke(
        FunctionName="echo", Payload=b'{"n": 1}', LogType="Tail", ClientContext=context
    )

    assert b'heard {"n": 1}' in base64.b64decode(answer["LogResult"])
    assert answer["ExecutedVersion"] == "$LATEST"
    assert json.load(answer["Payload"])["client"] == {"by": "test"}


def test_a_dry_run_runs_nothing(cloud: CloudContext) -> None:
    answer = cloud.client("lambda").invoke(FunctionName="refuse", InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_quotas_of_request_and_response(cloud: CloudContext) -> None:
    client = cloud.client("lambda")
    fits = json.dumps("x" * (6_291_456 - 2)).encode()
    assert client.invoke(FunctionName="echo", InvocationType="DryRun", Payload=fits)
    with pytest.raises(ClientError, match="6291456 bytes") as refused:
        client.invoke(FunctionName="echo", Payload=fits + b" ")
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413

    failure, error = call(cloud, "long", {"length": 6_291_556})
    assert (failure, error["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert call(cloud, "long", {"length": 6_000_000})[0] is None


def test_requests_that_lambda_refuses(cloud: CloudContext) -> None:
    client = cloud.client("lambda")
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="echo", Payload=b"{not json")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nobody"):
        client.invoke(FunctionName="nobody", Payload=b"{}")
    with pytest.raises(ClientError, match="no event services"):
        client.invoke(FunctionName="echo", Payload=b"{}", InvocationType="Event")


def test_reserved_concurrency_throttles(cloud: CloudContext) -> None:
    create_function(cloud, "single", "handlers.sleep")
    client = cloud.client("lambda")
    client.put_function_concurrency(FunctionName="single", ReservedConcurrentExecutions=1)
    log = cloud.log_directory / "lambda" / "single.log"
    with ThreadPoolExecutor(1) as pool:
        running_one = pool.submit(call, cloud, "single", {"seconds": 1})
        await_line(log, "going to sleep")
        impatient = cloud.client("lambda")
        impatient.meta.events.register("needs-retry.lambda.Invoke", lambda **_: False)
        with pytest.raises(impatient.exceptions.TooManyRequestsException) as refused:
            impatient.invoke(FunctionName="single", Payload=b"{}")
        assert running_one.result()[0] is None
    reason = refused.value.response["Reason"]
    assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_concurrent_invocations_share_a_bounded_number_of_environments(
    cloud: CloudContext,
) -> None:
    create_function(cloud, "many", "handlers.sleep")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(cloud, "many", {"seconds": 0.1}), range(8)))

    assert {failure for failure, _ in answers} == {None}
    assert 1 < len({pid for _, pid in answers}) <= 3
    assert running(cloud).pool.live() <= 6


def test_a_changed_configuration_needs_a_new_environment(cloud: CloudContext) -> None:
    create_function(cloud, "changing", "handlers.echo")
    _, before = call(cloud, "changing")
    cloud.client("lambda").update_function_configuration(
        FunctionName="changing",
        Environment={"Variables": {"VERSION": "2"}},
        ImageConfig={"Command": ["handlers.refuse"]},
    )
    failure, after = call(cloud, "changing")

    assert (failure, after["errorType"]) == ("Unhandled", "DataError")
    assert gone(before["pid"])


def test_a_zip_function_names_its_handler(cloud: CloudContext) -> None:
    create_function(
        cloud,
        "zipped",
        "",
        PackageType="Zip",
        Runtime="python3.11",
        Handler="handlers.refuse",
        ImageConfig={},
        Code={"ZipFile": zip_of("")},
    )
    assert call(cloud, "zipped")[1]["errorType"] == "DataError"
