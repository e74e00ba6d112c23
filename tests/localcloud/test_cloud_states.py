"""State machines: the role, retries, catches, timeouts, maps, quotas, history and names."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from whole_cloud import allow, make_role, whole_cloud

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.patches.definitions import find_mistakes

STATES = "states.amazonaws.com"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/claims"
QUOTA = 256 * 1024


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with whole_cloud(tmp_path_factory.mktemp("states")) as context:
        context.client("dynamodb").create_table(
            TableName="claims",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        writing = allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], TABLE)
        make_role(context, "machine", STATES, writing)
        yield context


def machine(cloud: CloudContext, definition: dict[str, Any], **more: Any) -> str:
    made = cloud.client("stepfunctions").create_state_machine(
        name=f"m-{time.monotonic_ns()}",
        definition=json.dumps(definition),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine",
        **more,
    )
    return str(made["stateMachineArn"])


def one_state(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"End": True, **state}, **more}}


def run(
    cloud: CloudContext, definition: dict[str, Any], given: Any = None, **more: Any
) -> dict[str, Any]:
    """Run a fresh machine to its end; return what DescribeExecution says."""
    client = cloud.client("stepfunctions")
    arn = client.start_execution(
        stateMachineArn=machine(cloud, definition, **more), input=json.dumps(given or {})
    )["executionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.02)
    raise AssertionError("the execution is still running")


def event_types(cloud: CloudContext, arn: str) -> list[str]:
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history")
    return [one["type"] for page in pages.paginate(executionArn=arn) for one in page["events"]]


def put(table: str = "claims", **more: Any) -> dict[str, Any]:
    """Return a state that claims a key, once."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {
            "TableName": table,
            "Item": {"pk": {"S.$": "$.key"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        },
        "ResultPath": None,
        **more,
    }


def test_a_task_runs_with_the_role_of_its_machine(cloud: CloudContext) -> None:
    assert run(cloud, one_state(put()), {"key": "role"})["status"] == "SUCCEEDED"
    refused = run(cloud, one_state(put("other")), {"key": "role"})
    assert refused["status"] == "FAILED"
    assert (
        "assumed-role/machine/StepFunctions is not authorized to perform: dynamodb:PutItem"
        in (refused["cause"])
    )


def test_logging_and_tracing_are_accepted(cloud: CloudContext) -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/machine:*"
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": group}}
    found = run(
        cloud,
        one_state({"Type": "Pass"}),
        loggingConfiguration={"level": "ALL", "destinations": [destination]},
        tracingConfiguration={"enabled": True},
    )
    assert found["status"] == "SUCCEEDED"


def test_a_retry_is_made_as_often_as_it_says(cloud: CloudContext) -> None:
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}
    task = put(
        Retry=[{**retry, "BackoffRate": 1.0, "MaxDelaySeconds": 2, "JitterStrategy": "FULL"}]
    )
    run(cloud, one_state(put()), {"key": "retried"})
    found = run(cloud, one_state(task), {"key": "retried"})
    assert found["error"] == "DynamoDB.ConditionalCheckFailedException"
    assert event_types(cloud, found["executionArn"]).count("TaskScheduled") == 3


def test_an_error_that_is_caught_goes_on_with_its_cause(cloud: CloudContext) -> None:
    run(cloud, one_state(put()), {"key": "caught"})
    catch = {
        "ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"],
        "ResultPath": "$.failure",
        "Next": "Done",
    }
    found = run(cloud, one_state(put(Catch=[catch]), Done={"Type": "Succeed"}), {"key": "caught"})
    assert found["status"] == "SUCCEEDED"
    output = json.loads(found["output"])
    assert output["key"] == "caught"
    assert output["failure"]["Error"] == "DynamoDB.ConditionalCheckFailedException"


def test_an_error_that_nobody_names_is_not_caught(cloud: CloudContext) -> None:
    run(cloud, one_state(put()), {"key": "uncaught"})
    catch = {"ErrorEquals": ["Other"], "Next": "Done"}
    definition = one_state(put(Catch=[catch]), Done={"Type": "Succeed"})
    assert run(cloud, definition, {"key": "uncaught"})["status"] == "FAILED"


def test_the_timeout_of_a_machine_ends_it(cloud: CloudContext) -> None:
    definition = {**one_state({"Type": "Wait", "Seconds": 30}), "TimeoutSeconds": 1}
    assert run(cloud, definition)["status"] == "TIMED_OUT"


def test_a_map_keeps_the_order_of_its_items(cloud: CloudContext) -> None:
    inner = one_state({"Type": "Pass", "Parameters": {"v.$": "$.v"}})
    state = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "MaxConcurrency": 3,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
    }
    found = run(cloud, one_state(state), {"items": list(range(9))})
    assert json.loads(found["output"]) == [{"v": number} for number in range(9)]


@pytest.mark.slow
def test_a_map_runs_no_more_than_its_concurrency(cloud: CloudContext) -> None:
    inner = one_state({"Type": "Wait", "Seconds": 1})
    state = {
        "Type": "Map",
        "MaxConcurrency": 2,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
    }
    done = run(cloud, one_state(state), [1, 2, 3, 4])
    assert done["status"] == "SUCCEEDED"
    running, seen = 0, []
    for event in event_types(cloud, done["executionArn"]):
        running += {"WaitStateEntered": 1, "WaitStateExited": -1}.get(event, 0)
        seen.append(running)
    assert max(seen) == 2


def test_one_failed_item_fails_a_map(cloud: CloudContext) -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}],
        "Default": "Good",
    }
    inner = {
        "StartAt": "Which",
        "States": {
            "Which": choice,
            "Bad": {"Type": "Fail", "Error": "BadItem", "Cause": "two"},
            "Good": {"Type": "Succeed"},
        },
    }
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **inner}
    found = run(cloud, one_state({"Type": "Map", "ItemProcessor": processor}), [1, 2, 3])
    assert (found["status"], found["error"]) == ("FAILED", "BadItem")


def test_the_quota_holds_for_inputs_and_outputs(cloud: CloudContext) -> None:
    client = cloud.client("stepfunctions")
    arn = machine(cloud, one_state({"Type": "Pass"}))
    with pytest.raises(ClientError, match="pass a pointer to S3"):
        client.start_execution(stateMachineArn=arn, input=json.dumps("x" * QUOTA))
    grows = {"Type": "Pass", "Parameters": {"a.$": "$.a", "b.$": "$.a"}}
    found = run(cloud, one_state(grows), {"a": "x" * (QUOTA // 2 + 10)})
    assert (found["status"], found["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_the_quota_holds_for_the_parameters_of_a_task(cloud: CloudContext) -> None:
    task = put()
    task["Parameters"] = {
        "TableName": "claims",
        "Item": {"pk": {"S": "big"}, "a": {"S.$": "$.a"}, "b": {"S.$": "$.a"}},
    }
    found = run(cloud, one_state(task), {"a": "x" * (QUOTA // 2 + 10)})
    assert (found["status"], found["error"]) == ("FAILED", "States.DataLimitExceeded")
    item = cloud.client("dynamodb").get_item(TableName="claims", Key={"pk": {"S": "big"}})
    assert "Item" not in item


def test_history_comes_in_pages_and_backwards(cloud: CloudContext) -> None:
    client = cloud.client("stepfunctions")
    arn = run(cloud, one_state({"Type": "Pass"}))["executionArn"]
    everything = client.get_execution_history(executionArn=arn)["events"]
    kinds = [one["type"] for one in everything]
    assert kinds == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["events"]) for page in pages] == [3, 1]
    last = client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)
    assert last["events"][0]["type"] == "ExecutionSucceeded"


def test_a_name_starts_one_execution(cloud: CloudContext) -> None:
    client = cloud.client("stepfunctions")
    arn = machine(cloud, one_state({"Type": "Wait", "Seconds": 20}))
    start = {"stateMachineArn": arn, "name": "monthly-2026-11-r1"}
    first = client.start_execution(**start, input='{"a": 1}')["executionArn"]
    assert client.start_execution(**start, input='{"a": 1}')["executionArn"] == first
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(**start, input='{"a": 2}')
    client.stop_execution(executionArn=first)
    assert client.describe_execution(executionArn=first)["status"] == "ABORTED"
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(**start, input='{"a": 1}')


@pytest.mark.parametrize(
    ("definition", "mistake"),
    [
        ({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}, "StartAt names no state: 'B'"),
        (one_state({"Type": "Pass"}, B={"Type": "Succeed"}), "unreachable: /States/B"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}, "neither Next nor End"),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "C"}}},
            "Next names no state: 'C'",
        ),
        (
            one_state(put(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "C"}])),
            "Catch.Next names no state: 'C'",
        ),
        (
            one_state(
                {
                    "Type": "Map",
                    "ItemProcessor": {"StartAt": "X", "States": {"Y": {"Type": "Succeed"}}},
                }
            ),
            "at /States/A/ItemProcessor/StartAt",
        ),
    ],
)
def test_a_definition_that_aws_refuses_is_refused(
    cloud: CloudContext, definition: dict[str, Any], mistake: str
) -> None:
    with pytest.raises(ClientError) as caught:
        machine(cloud, definition)
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert mistake in caught.value.response["Error"]["Message"]


@given(st.integers(1, 8))
def test_a_chain_of_states_has_no_mistakes(length: int) -> None:
    names = [f"S{number}" for number in range(length)]
    states: dict[str, Any] = {
        name: {"Type": "Pass", "Next": following} for name, following in pairwise(names)
    }
    states[names[-1]] = {"Type": "Succeed"}
    assert find_mistakes({"StartAt": "S0", "States": states}) == []
