"""Lambda: functions run by AWS's runtime interface client, each environment a process."""

from pathlib import Path

from localcloud.context import CloudContext
from localcloud.events.outbox import open_outbox
from localcloud.lambdas.adapter import adapt_moto
from localcloud.lambdas.pool import Limits
from localcloud.lambdas.process import ProcessLauncher
from localcloud.lambdas.runtime import LambdaRuntime
from localcloud.lambdas.service import LambdaService

__all__ = ["LambdaService", "Limits", "install"]


def install(
    context: CloudContext, *, task_root: Path | None = None, limits: Limits | None = None
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
    """
    runtime = LambdaRuntime(context, ProcessLauncher(context), task_root=task_root, limits=limits)
    service = LambdaService(runtime, open_outbox(context.journal_path))
    adapt_moto(service)
    context.on_shutdown(service.close)
    return service
