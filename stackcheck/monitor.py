"""Run the program and print what it registers.

`python -m stackcheck.monitor STACK OVERRIDES PROGRAM`; a process of its own, since Pulumi's SDK
keeps state.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.rpc import deserialize_properties

from localcloud.deployer.plain import SECRET, SIGNATURE, plain
from localcloud.deployer.program import run_program
from localcloud.deployer.stack_file import project_name, stack_configuration
from stackcheck.placeholders import ACCOUNT, REGION, identifier, outputs
from trading.errors import TradingError

ANSWERS = {
    "accountId": ACCOUNT,
    "id": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:user/operator",
    "region": REGION,
    "name": REGION,
    "partition": "aws",
    "dnsSuffix": "amazonaws.com",
    "names": [f"{REGION}{zone}" for zone in "abc"],
    "zoneIds": [f"use1-az{number}" for number in (1, 2, 3)],
    "userName": "AWS",
    "password": "of-no-registry",
    "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
}
STACK = "pulumi:pulumi:Stack"
ANSWERED = frozenset(
    {
        "aws:ecr/getAuthorizationToken:getAuthorizationToken",
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        "aws:index/getCallerIdentity:getCallerIdentity",
        "aws:index/getPartition:getPartition",
        "aws:index/getRegion:getRegion",
    }
)
# Lists that AWS itself keeps, and the program looks up by name.
LISTS = frozenset(
    {
        "aws:ec2/getManagedPrefixList:getManagedPrefixList",
        "aws:ec2/getPrefixList:getPrefixList",
    }
)
POLICIES = {
    "aws:cloudfront/getCachePolicy:getCachePolicy": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    "aws:cloudfront/getOriginRequestPolicy:getOriginRequestPolicy": (
        "216adef6-5c7f-47e4-b989-5492eafa07d3"
    ),
    "aws:cloudfront/getResponseHeadersPolicy:getResponseHeadersPolicy": (
        "67f7725c-6f97-4210-82d7-5512b31e9d03"
    ),
}


class Answers(Mocks):
    """Answers registrations and questions without asking anyone."""

    def __init__(self, monitor: "RecordingMonitor") -> None:
        self._monitor = monitor

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Return the id and the attributes that a resource would have."""
        inputs = plain(args.inputs)
        urn = self._monitor.urn_of(args.typ, args.name)
        if not args.custom:
            return "", inputs
        return identifier(args.typ, args.name, urn, inputs), outputs(
            args.typ, args.name, urn, inputs
        )

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
        """Return what a data source would answer."""
        if args.token in ANSWERED:
            return dict(ANSWERS), []
        if args.token in LISTS:
            return {"id": "pl-3b927c52", "name": args.args.get("name", "")}, []
        if args.token in POLICIES:
            return {"id": POLICIES[args.token], "name": args.args.get("name", "")}, []
        raise KeyError(f"nothing answers {args.token}: add it in stackcheck/monitor.py")


class RecordingMonitor(MockMonitor):
    """Keeps every registration, in order, and the outputs of the stack."""

    def __init__(self, stack: str, project: str) -> None:
        super().__init__(Answers(self))
        self.recorded: list[dict[str, Any]] = []
        self.outputs: Any = {}
        self._names = (stack, project)
        self._request: Any = None

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return a URN as the engine forms it: parents' types in front, but the stack's."""
        chain = parent.split("::")[2] if parent else STACK
        qualified = type_ if chain == STACK else f"{chain}${type_}"
        return "urn:pulumi:" + "::".join((*self._names, qualified, name))

    def urn_of(self, type_: str, name: str) -> str:
        """Return the URN of the registration that is being answered."""
        return self.make_urn(self._request.parent, type_, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Answer and keep a registration."""
        self._request = request
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        kept = self.resources.get(answer.urn)
        inputs = deserialize_properties(request.object)
        self.recorded.append(
            {
                "urn": answer.urn,
                "type": request.type,
                "name": request.name,
                "custom": request.custom,
                "inputs": plain(inputs),
                "protect": request.protect,
                "parent": request.parent,
                "id": answer.id,
                "outputs": plain(kept.state) if kept and request.custom else {},
                "provider": request.provider,
                "depends_on": sorted(request.dependencies),
                "property_depends_on": {
                    key: sorted(found.urns)
                    for key, found in sorted(request.propertyDependencies.items())
                    if found.urns
                },
                "secret": sorted(key for key, value in inputs.items() if _holds_secret(value)),
            }
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Keep the outputs of the stack."""
        if request.urn.split("::")[2] == STACK:
            self.outputs = plain(deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get(SIGNATURE) == SECRET or any(map(_holds_secret, value.values()))
    return isinstance(value, list) and any(map(_holds_secret, value))


def main() -> None:
    """Record a stack and print it as JSON; an error is one line on stderr, and exit status 1."""
    stack, overrides, program = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
    code = 0
    try:
        project = project_name(program)
        monitor = RecordingMonitor(stack, project)
        run_program(
            program,
            monitor=monitor,
            project=project,
            stack=stack,
            configuration=stack_configuration(program, stack, project, overrides),
            preview=False,
        )
        json.dump({"resources": monitor.recorded, "outputs": monitor.outputs}, sys.stdout)
    except TradingError as error:
        sys.stderr.write(f"{error}\n")
        code = 1
    except Exception as error:  # noqa: BLE001  whatever it is, the caller reads one line
        text = " ".join(str(error).split())
        sys.stderr.write(f"{type(error).__name__}: {text}\n")
        code = 1
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
