"""Run the Pulumi program under a monitor that records what it registers, and print it as JSON.

As a program: `python stack_recorder.py STACK [OVERRIDES]`, in a process of its own since the SDK
keeps state. As a module: the recorded registrations, for the tests.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLACE = "us-east-1:123456789012"
ARNS = {
    "aws:cloudwatch/eventRule:EventRule": f"arn:aws:events:{PLACE}:rule/{{name}}",
    "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{PLACE}:log-group:{{name}}",
    "aws:dynamodb/table:Table": f"arn:aws:dynamodb:{PLACE}:table/{{name}}",
    "aws:ecr/repository:Repository": f"arn:aws:ecr:{PLACE}:repository/{{name}}",
    "aws:iam/role:Role": "arn:aws:iam::123456789012:role/{name}",
    "aws:kms/key:Key": f"arn:aws:kms:{PLACE}:key/11111111-2222-3333-4444-555555555555",
    "aws:lambda/function:Function": f"arn:aws:lambda:{PLACE}:function:{{name}}",
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{bucket}",
    "aws:secretsmanager/secret:Secret": f"arn:aws:secretsmanager:{PLACE}:secret:{{name}}-AbCdEf",
    "aws:sesv2/configurationSet:ConfigurationSet": (
        f"arn:aws:ses:{PLACE}:configuration-set/{{configurationSetName}}"
    ),
    "aws:sesv2/emailIdentity:EmailIdentity": f"arn:aws:ses:{PLACE}:identity/{{emailIdentity}}",
    "aws:sfn/stateMachine:StateMachine": f"arn:aws:states:{PLACE}:stateMachine:{{name}}",
    "aws:sns/topic:Topic": f"arn:aws:sns:{PLACE}:{{name}}",
    "aws:sqs/queue:Queue": f"arn:aws:sqs:{PLACE}:{{name}}",
}


@dataclass(frozen=True)
class Recorded:
    """One registered resource."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    protect: bool


@dataclass(frozen=True)
class Recording:
    """All that a run of the program registered and exported."""

    resources: tuple[Recorded, ...]
    outputs: Mapping[str, Any]

    def of(self, type_: str) -> list[Recorded]:
        return [one for one in self.resources if one.type == type_]


def record(stack: str, **overrides: Any) -> Recording:
    """Record a stack in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    finished = subprocess.run(
        [sys.executable, __file__, stack, json.dumps(overrides)],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        check=False,
    )
    if finished.returncode:
        raise AssertionError(finished.stderr)
    loaded = json.loads(finished.stdout)
    resources = tuple(Recorded(**one) for one in loaded["resources"])
    return Recording(resources, loaded["outputs"])


def _main(stack: str, overrides: str) -> None:
    from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
    from pulumi.runtime.mocks import MockMonitor
    from pulumi.runtime.rpc import deserialize_properties

    from localcloud.deployer.plain import plain
    from localcloud.deployer.program import run_program
    from localcloud.deployer.stack_file import stack_configuration

    class Answers(Mocks):
        def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
            inputs = plain(args.inputs)
            outputs = dict(inputs)
            if args.typ in ARNS:
                outputs["arn"] = ARNS[args.typ].format(**inputs)
            name = inputs.get("name", args.name)
            outputs["repositoryUrl"] = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}"
            outputs["registryId"] = "123456789012"
            outputs["url"] = f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"
            outputs["keyId"] = "11111111-2222-3333-4444-555555555555"
            outputs["ref"] = (inputs.get("tags") or [""])[0] if "push" in inputs else ""
            return args.name, outputs

        def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
            answers = {"accountId": "123456789012", "region": "us-east-1", "partition": "aws"}
            return answers | {"userName": "AWS", "password": "token"}, []

    class Recorder(MockMonitor):
        def __init__(self) -> None:
            super().__init__(Answers())
            self.recorded: list[dict[str, Any]] = []
            self.outputs: Any = {}

        def RegisterResource(self, request: Any) -> Any:  # noqa: N802
            answer = super().RegisterResource(request)
            self.recorded.append(
                {
                    "urn": answer.urn,
                    "type": request.type,
                    "name": request.name,
                    "custom": request.custom,
                    "inputs": plain(deserialize_properties(request.object)),
                    "protect": request.protect,
                }
            )
            return answer

        def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
            if "pulumi:pulumi:Stack" in request.urn:
                self.outputs = plain(deserialize_properties(request.outputs))
            return super().RegisterResourceOutputs(request)

    recorder = Recorder()
    run_program(
        ROOT,
        monitor=recorder,
        project="trading",
        stack=stack,
        configuration=stack_configuration(ROOT, stack, "trading", json.loads(overrides)),
        preview=False,
    )
    json.dump({"resources": recorder.recorded, "outputs": recorder.outputs}, sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
