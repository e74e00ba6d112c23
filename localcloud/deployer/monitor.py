"""The resource monitor: what the program talks to in place of the Pulumi engine."""

import threading
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.rpc import deserialize_properties

from localcloud.deployer.engine import Engine, Registration
from localcloud.deployer.errors import DeployError, UnknownResourceError
from localcloud.deployer.invokes import answer
from localcloud.deployer.plain import masked, plain

STACK_TYPE = "pulumi:pulumi:Stack"


class DeployingMonitor(MockMonitor):
    """Answers registrations by deploying them.

    Parameters
    ----------
    engine : what deploys
    stack, project : names, part of every URN

    Attributes
    ----------
    outputs : what the stack exported, secrets masked
    failure : the first error of the deployment, if any
    """

    def __init__(self, engine: Engine, stack: str, project: str) -> None:
        super().__init__(_Provisioning(self))
        self.engine = engine
        self.outputs: dict[str, Any] = {}
        self.failure: Exception | None = None
        self._names = (stack, project)
        # Requests arrive in several threads; the SDK passes only a part of one to the mocks.
        self._request = threading.local()

    @property
    def request(self) -> Any:
        """The request that this thread answers."""
        return self._request.current

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return a URN as the engine forms it: parents' types in front, but the stack's."""
        chain = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if chain == STACK_TYPE else f"{chain}${type_}"
        return "urn:pulumi:" + "::".join((*self._names, qualified, name))

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Deploy a resource."""
        self._request.current = request
        return self._recorded(super().RegisterResource, request)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        """Look up a resource that exists outside the program."""
        self._request.current = request
        return self._recorded(super().ReadResource, request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        """Answer a question to AWS."""
        return self._recorded(super().Invoke, request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Keep the outputs of the stack."""
        if request.urn.split("::")[2] == STACK_TYPE:
            self.outputs = masked(deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def _recorded(self, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except Exception as error:
            self.failure = self.failure or error
            raise


class _Provisioning(Mocks):
    """Hands what the SDK unpacked on to the engine."""

    def __init__(self, monitor: DeployingMonitor) -> None:
        self._monitor = monitor

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Deploy or look up a resource."""
        monitor, request = self._monitor, self._monitor.request
        urn = monitor.make_urn(request.parent, args.typ, args.name)
        inputs = plain(args.inputs)
        if args.typ == "pulumi:pulumi:StackReference":
            raise UnknownResourceError(f"{urn} refers to another stack; there is none here")
        if args.custom is False and not args.resource_id:
            return "", inputs
        if args.resource_id:
            return args.resource_id, monitor.engine.look_up(args.typ, urn, args.resource_id)
        return monitor.engine.register(
            Registration(
                urn=urn,
                type=args.typ,
                name=args.name,
                inputs=inputs,
                shown=masked(args.inputs),
                dependencies=_dependencies(request),
                protect=request.protect,
                retain=request.retainOnDelete,
                ignored=tuple(request.ignoreChanges),
            )
        )

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer a question to AWS."""
        return answer(args.token, plain(args.args), self._monitor.engine.cloud), []


def _dependencies(request: Any) -> tuple[str, ...]:
    found = [urn for urn in (*request.dependencies, request.parent) if urn]
    return tuple(dict.fromkeys(found))


def cause_of(monitor: DeployingMonitor, error: BaseException) -> DeployError:
    """Return the one sentence that says why a program failed."""
    first = monitor.failure or error
    if isinstance(first, DeployError):
        return first
    text = " ".join(str(first).split()) or type(first).__name__
    return DeployError(f"the program failed: {text}")
