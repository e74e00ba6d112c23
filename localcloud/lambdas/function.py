"""What the runtime needs to know of a Lambda function, read from moto's record of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HANDLER_TAG = "localcloud:handler"


@dataclass(frozen=True)
class Function:
    """One version of a Lambda function.

    Attributes
    ----------
    name
        Function name.
    arn
        ARN with which it was found, unqualified for `$LATEST`.
    version
        `$LATEST` or a published number.
    handler
        `module.function`: the image's command, the tag `localcloud:handler`, or the handler of a
        zip package, in this order.
    role
        ARN of the execution role.
    timeout
        Longest invocation, seconds.
    memory
        Memory size, MB.
    storage
        Size of `/tmp`, MB.
    environment
        The function's own environment variables.
    reserved
        Reserved concurrency; None when it has none, 0 when it may not run.
    policy
        Statements of its resource policy.
    on_failure
        ARN that receives the record of an asynchronous invocation that finally failed, or None.
    dead_letters
        ARN of the queue or topic that receives the event of such an invocation, or None.
    on_success
        ARN that receives the result of an asynchronous invocation, or None.
    retries
        Further tries of an asynchronous invocation whose handler failed.
    """

    name: str
    arn: str
    version: str
    handler: str
    role: str
    timeout: float
    memory: int
    environment: Mapping[str, str]
    storage: int = 512
    reserved: int | None = None
    policy: tuple[Mapping[str, Any], ...] = ()
    on_failure: str | None = None
    dead_letters: str | None = None
    on_success: str | None = None
    retries: int = 2

    @property
    def revision(self) -> str:
        """Hash of what an execution environment is made from; another one needs a new start."""
        made_from = [
            self.arn,
            self.version,
            self.handler,
            self.role,
            self.timeout,
            self.memory,
            self.storage,
        ]
        text = json.dumps([*made_from, dict(self.environment)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def function_from_moto(record: Any) -> Function:
    """Return the function that a `moto.awslambda.models.LambdaFunction` describes."""
    command = list(record.image_config.cmd or ())
    handler = record.tags.get(HANDLER_TAG) or record.handler or ""
    if record.package_type == "Image" and command:
        handler = command[0]
    configuration = _event_invoke_configuration(record)
    destinations = configuration.get("DestinationConfig") or {}
    return Function(
        name=record.function_name,
        arn=record.function_arn,
        version=str(record.version),
        handler=handler,
        role=record.role,
        timeout=float(record.timeout),
        memory=int(record.memory_size),
        environment={name: str(value) for name, value in record.environment_vars.items()},
        storage=int(record.ephemeral_storage),
        reserved=None if record.reserved_concurrency is None else int(record.reserved_concurrency),
        policy=tuple(record.policy.statements),
        on_failure=_destination(destinations, "OnFailure"),
        dead_letters=(getattr(record, "dead_letter_config", None) or {}).get("TargetArn"),
        on_success=_destination(destinations, "OnSuccess"),
        retries=int(configuration.get("MaximumRetryAttempts", 2)),
    )


def _event_invoke_configuration(record: Any) -> Mapping[str, Any]:
    return dict(record.event_invoke_config[-1].config) if record.event_invoke_config else {}


def _destination(destinations: Mapping[str, Any], name: str) -> str | None:
    return (destinations.get(name) or {}).get("Destination")
