"""Lambda: functions run by AWS's runtime interface client, each environment a process."""

from collections.abc import Sequence
from pathlib import Path

from localcloud.context import CloudContext
from localcloud.errors import CloudError
from localcloud.lambdas.adapter import adapt_moto
from localcloud.lambdas.fork_launcher import PRELOADED, new_launcher
from localcloud.lambdas.pool import Limits
from localcloud.lambdas.runtime import LambdaRuntime
from localcloud.lambdas.service import LambdaService
from localcloud.lambdas.task_errors import name_task_errors

__all__ = ["LambdaService", "Limits", "install", "service_of"]

_SERVICES: dict[str, LambdaService] = {}


def install(
    context: CloudContext,
    *,
    task_root: Path | None = None,
    limits: Limits | None = None,
    preloaded: Sequence[str] = PRELOADED,
) -> LambdaService:
    """Make the cloud run Lambda functions; they end with it.

    Parameters
    ----------
    context
        The running cloud.
    task_root
        Folder of the functions' code; the checkout unless given.
    limits
        How many execution environments there may be.
    preloaded
        Modules that environments find imported; none starts each as a fresh interpreter.
    """
    runtime = LambdaRuntime(
        context, new_launcher(context, preloaded), task_root=task_root, limits=limits
    )
    service = LambdaService(runtime)
    adapt_moto(service)
    name_task_errors()
    _SERVICES[context.endpoint] = service
    context.on_shutdown(service.close)
    return service


def service_of(context: CloudContext) -> LambdaService:
    """Return the Lambda service of a cloud; raises `CloudError` when it was not installed."""
    if context.endpoint not in _SERVICES:
        raise CloudError("events need functions: install localcloud.lambdas first")
    return _SERVICES[context.endpoint]
