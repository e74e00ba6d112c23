"""What knows how to provision a resource type, and how it is found."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from localcloud.deployer.cloud import Cloud
from localcloud.deployer.errors import UnknownResourceError

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]
HandlerT = type["Handler"]


@dataclass(frozen=True)
class Live:
    """A resource as it is in the cloud.

    Attributes
    ----------
    id : its identity for the provider
    outputs : what it has beside its inputs, such as its ARN
    drifted : whether it is no longer as its inputs say
    """

    id: str
    outputs: Outputs = field(default_factory=dict)
    drifted: bool = False


class Handler(ABC):
    """Provisions one resource type.

    Inputs are the program's, with Pulumi's names, whole numbers as `int` and secrets unwrapped.

    Attributes
    ----------
    token : the Pulumi type, `aws:s3/bucket:Bucket`
    replace_on : inputs that cannot be changed: another value is another resource
    """

    token: ClassVar[str]
    replace_on: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @abstractmethod
    def identify(self, inputs: Inputs) -> str | None:
        """Return the id that a resource of these inputs has; None where only the cloud knows."""

    @abstractmethod
    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Return the resource as it is, or None when it is gone; `inputs` may be empty."""

    @abstractmethod
    def create(self, inputs: Inputs) -> Live:
        """Create the resource; one that exists already raises the service's own error."""

    def restore(self, identity: str, inputs: Inputs) -> Live:  # noqa: ARG002
        """Create a resource again that the cloud has lost; it keeps its id where ids are random."""
        return self.create(inputs)

    @abstractmethod
    def update(self, identity: str, inputs: Inputs) -> None:
        """Bring an existing resource to its inputs."""

    @abstractmethod
    def delete(self, identity: str) -> None:
        """Delete the resource; one that is gone is fine."""


class SettingHandler(Handler):
    """Provisions what is put and put again: a setting of another resource."""

    @abstractmethod
    def put(self, inputs: Inputs) -> Outputs | None:
        """Write the setting, and return what it has beside its inputs."""

    def create(self, inputs: Inputs) -> Live:
        """Write the setting."""
        identity = self.identify(inputs)
        if identity is None:
            raise UnknownResourceError(f"{self.token} gives its resources no id")
        return Live(identity, self.put(inputs) or {})

    def update(self, identity: str, inputs: Inputs) -> None:  # noqa: ARG002
        """Write the setting again."""
        self.put(inputs)


_HANDLERS: dict[str, HandlerT] = {}


def handles(token: str) -> Callable[[HandlerT], HandlerT]:
    """Register a handler class for a Pulumi type."""

    def register(handler: HandlerT) -> HandlerT:
        handler.token = token
        _HANDLERS[token] = handler
        return handler

    return register


def handler_for(token: str, urn: str, cloud: Cloud) -> Handler:
    """Return the handler of a type; an unknown one raises `UnknownResourceError`."""
    if token not in _HANDLERS:
        raise UnknownResourceError(
            f"{urn} is of type {token}, which the embedded cloud does not provision:"
            " add a handler in localcloud/deployer/resources"
        )
    return _HANDLERS[token](cloud)


def known_types() -> frozenset[str]:
    """Return the types that have a handler."""
    return frozenset(_HANDLERS)


MISSING = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NotFound",
        "NotFoundException",
        "OwnershipControlsNotFoundError",
        "LifecyclePolicyNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "RepositoryNotFoundException",
        "RepositoryPolicyNotFoundException",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "StateMachineDoesNotExist",
    }
)

EXISTING = frozenset(
    {
        "BucketAlreadyOwnedByYou",
        "ConflictException",
        "QueueNameExists",
        "ResourceConflictException",
        "ResourceExistsException",
        "ResourceInUseException",
    }
)


def is_existing(error: ClientError) -> bool:
    """Tell whether an error says that the thing is there already."""
    code = error.response["Error"]["Code"]
    return code in EXISTING or "AlreadyExists" in code


def is_missing(error: ClientError) -> bool:
    """Tell whether an error says that the thing is not there."""
    return error.response["Error"]["Code"] in MISSING


def found(call: Callable[..., Any], **arguments: Any) -> dict[str, Any] | None:
    """Return what a call answers, or None when the thing is not there."""
    try:
        answer: dict[str, Any] = call(**arguments)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def gone(call: Callable[..., Any], **arguments: Any) -> None:
    """Delete: what is not there is fine."""
    with suppress_missing():
        call(**arguments)


class suppress_missing(suppress):  # noqa: N801  a context manager reads as a verb
    """Let pass the errors that say that the thing is not there."""

    def __init__(self) -> None:
        super().__init__(ClientError)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Suppress a missing thing only."""
        return isinstance(error, ClientError) and is_missing(error)


def tag_list(inputs: Inputs, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Return the tags as AWS's list of pairs."""
    return [{key: name, value: text} for name, text in (inputs.get("tags") or {}).items()]


def given(inputs: Inputs, **names: str) -> dict[str, Any]:
    """Return call arguments for those inputs that are given: `given(i, Timeout="timeout")`."""
    return {
        argument: inputs[name] for argument, name in names.items() if inputs.get(name) is not None
    }
