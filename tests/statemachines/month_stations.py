"""The state machine of the month on a small cloud, with stations that answer as they are told."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.core.config import default_user_config

from stacks.definition import render, substitutions

ROOT = Path(__file__).parents[2]
CLOUDS = ROOT / "tests" / "localcloud"
if str(CLOUDS) not in sys.path:
    sys.path.insert(0, str(CLOUDS))

from small_cloud import FORKED, ROLE, create_function, small_cloud, write_handlers  # noqa: E402

from localcloud import lambdas  # noqa: E402
from localcloud.context import CloudContext  # noqa: E402
from stacks.functions_catalogue import FUNCTIONS, camel_case  # noqa: E402

TEMPLATE = (ROOT / "statemachines" / "monthly.asl.json").read_text(encoding="utf-8")
LEDGER = "ledger"
WHOLE = {"month": "2025-02", "as_of": "2025-02-03", "run": 1, "correlation_id": "c-1"}
JOB = {"algorithm": "ppo", "seed": 0, "finished": True, "model_uri": "s3://runs/model"}
ANSWERS: Mapping[str, Any] = {
    "resolve": {"complete": True},
    "prepare": {
        "jobs": [JOB],
        "stopping_condition": {"MaxRuntimeInSeconds": 60},
        "spot": False,
        "max_parallel_jobs": 2,
        "timeout_seconds": 60,
    },
    "validate": {"passed": True, "approval_seconds": 0},
    "deploy": {"message": "deployed"},
    "keep_champion": {"message": "kept"},
    "market_context": {"batches": [0, 1]},
    "measure": {"recipients": [0]},
    "rollback": {"safe": True, "reason": ""},
    "alert": {"reason": "told"},
}
STATION = """
    import json, os, time
    from pathlib import Path

    HERE = Path(__file__).parent

    def station(name):
        def handler(event, context):
            with (HERE / "calls.jsonl").open("a") as log:
                log.write(json.dumps([name, event]) + "\\n")
            told = json.loads((HERE / "behaviour.json").read_text())[name]
            calls = sum(json.loads(l)[0] == name for l in open(HERE / "calls.jsonl"))
            if calls <= told["failures"]:
                raise type(told["error"], (Exception,), {})(name + " was told to fail")
            return told["answer"]
        return handler
"""


class MonthMachine:
    """The machine, its stations and what they were called with."""

    def __init__(self, cloud: CloudContext) -> None:
        self._cloud = cloud
        self._states = cloud.client("stepfunctions")
        self._ledger = cloud.client("dynamodb")
        topic = cloud.client("sns").create_topic(Name="alerts")["TopicArn"]
        queue = cloud.client("sqs").create_queue(QueueName="operator")["QueueUrl"]
        self._queue = queue
        cloud.client("sns").subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{queue.rpartition('/')[2]}",
        )
        values = {name: topic if name.endswith("TopicArn") else "x" for name in NAMES}
        for key in FUNCTIONS:
            if (name := f"{camel_case(key)}FunctionArn") in NAMES:
                values[name] = create_function(cloud, key, f"stations.{key}", Timeout=30)
        values["LedgerTable"] = LEDGER
        made = self._states.create_state_machine(
            name="month", roleArn=ROLE, definition=json.dumps(hurried(render(TEMPLATE, values)))
        )
        self._arn = str(made["stateMachineArn"])
        self._runs = 0

    def told(self, **changes: Any) -> None:
        """Tell the stations how to answer; `rank=("DataError", 2)` fails so often, so named."""
        behaviour = {
            key: {"answer": ANSWERS.get(key, {}), "error": "", "failures": 0} for key in FUNCTIONS
        }
        for name, change in changes.items():
            if isinstance(change, tuple):
                behaviour[name] |= {"error": change[0], "failures": change[1]}
            else:
                behaviour[name]["answer"] = {**ANSWERS.get(name, {}), **change}
        folder = self._cloud.repository
        (folder / "behaviour.json").write_text(json.dumps(behaviour))
        (folder / "calls.jsonl").write_text("")

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Return the events that a station was called with."""
        log = (self._cloud.repository / "calls.jsonl").read_text().splitlines()
        return [event for called, event in map(json.loads, log) if called == name]

    def pause(self, reason: str) -> None:
        """Throw the kill switch."""
        item = {"pk": {"S": "switch"}, "sk": {"S": "pause"}, "reason": {"S": reason}}
        self._ledger.put_item(TableName=LEDGER, Item=item)

    def resume(self) -> None:
        """Take it back."""
        self._ledger.delete_item(
            TableName=LEDGER, Key={"pk": {"S": "switch"}, "sk": {"S": "pause"}}
        )

    def start(self, given: Mapping[str, Any] = WHOLE) -> str:
        """Start an execution."""
        self._runs += 1
        return str(
            self._states.start_execution(
                stateMachineArn=self._arn,
                name=f"monthly-2025-02-r{self._runs}",
                input=json.dumps(given),
            )["executionArn"]
        )

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait for its end; return what DescribeExecution says."""
        deadline = time.monotonic() + 120
        while True:
            found: dict[str, Any] = self._states.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                return found
            assert time.monotonic() < deadline, "the execution did not end"
            time.sleep(0.05)

    def run(self, **given: Any) -> dict[str, Any]:
        """Run a month to its end."""
        return self.ended(self.start({**WHOLE, **given}))

    def decide(self, **decision: Any) -> None:
        """Wait until somebody is asked, and send a decision."""
        deadline = time.monotonic() + 60
        while not (asked := self.calls("ask_approval")):
            assert time.monotonic() < deadline, "nobody was asked"
            time.sleep(0.05)
        self._states.send_task_success(taskToken=asked[0]["token"], output=json.dumps(decision))

    def alerts(self) -> list[str]:
        """Return, and forget, what the operator was sent by the machine itself."""
        sqs, found = self._cloud.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self._queue).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return found


NAMES = substitutions(TEMPLATE)


def hurried(text: str) -> dict[str, Any]:
    """Return the definition with every wait between two tries a second at most."""

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if "IntervalSeconds" in node:
                node |= {"IntervalSeconds": 1, "MaxDelaySeconds": 2}
            for child in node.values():
                visit(child)
        elif isinstance(node, list):
            for child in node:
                visit(child)

    definition: dict[str, Any] = json.loads(text)
    visit(definition)
    return definition


@contextmanager
def month_machine(home: Path) -> Iterator[MonthMachine]:
    """Serve the machine on a small cloud."""
    with pytest.MonkeyPatch.context() as patch, small_cloud(home) as cloud:
        patch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        patch.setenv("MOTO_PORT", cloud.endpoint.rpartition(":")[2])
        cloud.client("dynamodb").create_table(
            TableName=LEDGER,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        lambdas.install(cloud, preloaded=FORKED)
        made = "\n".join(f"    {key} = station({key!r})" for key in FUNCTIONS)
        write_handlers(cloud, "stations", STATION + "\n" + made + "\n")
        yield MonthMachine(cloud)
