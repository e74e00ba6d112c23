"""The deployer as a command, with the real program and with small ones."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from deployer_endpoint import ROOT, endpoint, environment

from stacks.functions_catalogue import FUNCTIONS

SMALL = """
import pulumi
import pulumi_aws as aws

configuration = pulumi.Config("small")
account = aws.get_caller_identity().account_id
queue = aws.sqs.Queue("queue", name=configuration.require("queue"))
pulumi.export("arn", queue.arn)
pulumi.export("account", account)
pulumi.export("key", pulumi.Output.secret("k"))
"""


RESTARTED = """
import json
import pulumi
import pulumi_aws as aws

configuration = pulumi.Config("small")
account = aws.get_caller_identity().account_id
root = {"AWS": f"arn:aws:iam::{account}:root"}
allow = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
key = aws.kms.Key("key", policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
aws.kms.Alias("key", name="alias/key", target_key_id=key.key_id)
aws.cloudwatch.LogGroup("log", name="/log", kms_key_id=key.arn)
aws.secretsmanager.Secret("kept", name="kept", kms_key_id=key.arn)
queue = aws.sqs.Queue(
    "queue", name="queue", visibility_timeout_seconds=configuration.require_int("queue")
)
topic = aws.sns.Topic("topic", name="topic")
own = {"Effect": "Allow", "Principal": root, "Action": "*", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
aws.sqs.QueuePolicy("queue", queue_url=queue.url, policy=policy)
aws.sns.TopicPolicy("topic", arn=topic.arn, policy=policy)
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with endpoint() as served:
        yield served


def run(url: str, state: Path, command: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the deployer; return its exit status and its one line."""
    arguments = ["--endpoint", url, "--state", str(state), *options]
    finished = subprocess.run(
        [sys.executable, "-m", "localcloud.deployer", command, *arguments],
        capture_output=True,
        text=True,
        timeout=360,
        env=dict(environment()),
        cwd=ROOT,
        check=False,
    )
    (line,) = finished.stdout.splitlines()
    return finished.returncode, json.loads(line)


def small_program(folder: Path, program: str = SMALL, queue: str = "one") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(f"config:\n  small:queue: {queue}\n")
    (folder / "__main__.py").write_text(textwrap.dedent(program))
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the program and of what its images are built from: editing cannot change it."""
    folder = tmp_path / "copy"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("config", "containers", "functions", "src", "stacks", "statemachines"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for path in (ROOT / "__main__.py", *ROOT.glob("Pulumi*.yaml")):
        shutil.copy(path, folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_program_comes_up_stays_and_goes(url: str, tmp_path: Path, program: Path) -> None:
    state, options = tmp_path / "state.json", ("--program", str(program))
    alerted = (*options, "--config", '{"alertEmail": "operator@trading.example"}')
    code, first = run(url, state, "up", *alerted)
    assert code == 0, first
    assert first["created"] > 100
    inert = {one["urn"].rpartition("::")[2]: one["reason"] for one in first["inert_resources"]}
    assert {"functions", "training", "dashboard"} <= set(inert)
    assert all(inert.values())
    assert first["outputs"]["functions"] == {
        name: f"trading-dev-{name.replace('_', '-')}" for name in FUNCTIONS
    }
    _assert_functions(client(url, "lambda"))
    code, second = run(url, state, "up", *alerted)
    assert (code, second["unchanged"]) == (0, first["created"])
    assert second["created"] + second["updated"] + second["deleted"] == 0
    assert second["outputs"] == first["outputs"]
    code, third = run(url, state, "up", *options)
    left = first["created"] - third["deleted"]
    assert (code, third["unchanged"]) == (0, left)
    assert third["deleted"] == 2  # a subscription to each topic
    state.unlink()
    code, adopted = run(url, state, "up", *options)
    assert code == 0, adopted
    assert adopted["adopted"] > 50
    assert adopted["adopted"] + adopted["created"] == left
    code, seen = run(url, state, "preview", *options)
    assert (code, seen["unchanged"], seen["changes"]) == (0, left, [])
    code, last = run(url, state, "destroy", *options)
    assert (code, last["deleted"]) == (0, left)
    assert client(url, "lambda").list_functions()["Functions"] == []
    assert client(url, "s3").list_buckets()["Buckets"] == []
    assert client(url, "dynamodb").list_tables()["TableNames"] == []


def client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="operator",
        aws_secret_access_key="secret",
    )


def _assert_functions(functions: Any) -> None:
    """Check what the runtime of functions reads of each."""
    for name, spec in FUNCTIONS.items():
        deployed = f"trading-dev-{name.replace('_', '-')}"
        found: Mapping[str, Any] = functions.get_function_configuration(FunctionName=deployed)
        command = found["ImageConfigResponse"]["ImageConfig"]["Command"]
        assert command == [f"functions.{name}.handler"]
        assert (found["Timeout"], found["MemorySize"]) == (spec.timeout, spec.memory)
        assert found["Role"].endswith(f":role/{deployed}")
        variables = found["Environment"]["Variables"]
        assert variables["TRADING_LEDGER_TABLE"] == "trading-dev-ledger"
        assert json.loads(variables["TRADING_SETTINGS"]) is not None


def test_outputs_are_captured_and_secrets_masked(url: str, tmp_path: Path) -> None:
    program = small_program(tmp_path / "program")
    options = ("--program", str(program))
    code, result = run(url, tmp_path / "state.json", "up", *options)
    assert code == 0, result
    arn = "arn:aws:sqs:us-east-1:123456789012:one"
    assert result["outputs"] == {"arn": arn, "account": "123456789012", "key": "[secret]"}
    code, preview = run(
        url, tmp_path / "state.json", "preview", *options, "--config", '{"queue": "two"}'
    )
    assert (code, preview["replaced"]) == (0, 1)
    assert preview["changes"][0]["keys"] == ["name"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            "import pulumi_aws as aws\naws.glacier.Vault('v')",
            r"aws:glacier/vault:Vault, which the embedded",
        ),
        ("import pulumi_aws as aws\naws.get_ip_ranges(services=['s3'])", r"asks for aws:index/get"),
        ("raise ValueError('of no use')", "the program failed: of no use"),
    ],
)
def test_a_failing_program_says_why_in_one_line(
    url: str, tmp_path: Path, program: str, message: str
) -> None:
    folder = small_program(tmp_path / "program", program)
    code, result = run(url, tmp_path / "state.json", "up", "--program", str(folder))
    assert code == 1
    assert re.search(message, result["error"])
    assert "\n" not in result["error"]


@pytest.mark.slow
def test_a_deployment_that_hangs_is_given_up(url: str, tmp_path: Path) -> None:
    folder = small_program(tmp_path / "program", "import time\ntime.sleep(60)")
    options = ("--program", str(folder), "--timeout", "2")
    code, result = run(url, tmp_path / "state.json", "up", *options)
    assert (code, "longer than 2 s" in result["error"]) == (1, True)


@pytest.mark.parametrize("config", ["{", "[]"])
def test_a_malformed_configuration_is_refused(url: str, tmp_path: Path, config: str) -> None:
    code, result = run(url, tmp_path / "state.json", "up", "--config", config)
    assert code == 1
    assert "--config" in result["error"]


@pytest.mark.slow
def test_a_restarted_cloud_is_restored_and_only_what_changed_is_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    state = home / "deployment.json"
    options = ("--program", str(small_program(tmp_path / "program", RESTARTED, "30")))
    with endpoint(home) as served:
        code, first = run(served, state, "up", *options)
        assert (code, first["created"]) == (0, 8), first
    with endpoint(home) as served:
        code, seen = run(served, state, "preview", *options)
        assert (code, seen["restored"], seen["unchanged"]) == (0, 7, 1), seen
        code, same = run(served, state, "up", *options)
        assert (code, same["restored"], same["unchanged"]) == (0, 7, 1), same
    with endpoint(home) as served:
        changed = ("--program", str(small_program(tmp_path / "program", RESTARTED, "60")))
        code, again = run(served, state, "up", *changed)
        assert (code, again["restored"], again["unchanged"], again["updated"]) == (0, 6, 1, 1)
        queues = client(served, "sqs")
        found = queues.get_queue_attributes(
            QueueUrl=queues.get_queue_url(QueueName="queue")["QueueUrl"],
            AttributeNames=["VisibilityTimeout"],
        )
        assert found["Attributes"] == {"VisibilityTimeout": "60"}
