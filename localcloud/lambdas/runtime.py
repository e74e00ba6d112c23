"""Run Lambda functions: from an event to its outcome."""

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from localcloud.context import CloudContext
from localcloud.lambdas.cloudwatch import LogShipper, StreamName
from localcloud.lambdas.environment import Blueprint, ExecutionEnvironment, new_invocation
from localcloud.lambdas.function import Function
from localcloud.lambdas.outcome import Outcome, service_error
from localcloud.lambdas.pool import EnvironmentPool, Limits
from localcloud.lambdas.process import Launcher
from localcloud.lambdas.variables import process_variables

LAMBDA_SERVICE = "lambda.amazonaws.com"


class LambdaRuntime:
    """Runs functions in execution environments of their own.

    Parameters
    ----------
    context
        The running cloud.
    launcher
        How runtimes are started.
    task_root
        Folder of the functions' code; the checkout, which stands for image and archive alike.
    limits
        How many environments there may be.
    """

    def __init__(
        self,
        context: CloudContext,
        launcher: Launcher,
        *,
        task_root: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._context = context
        self._launcher = launcher
        self._given_root = task_root
        self._shipper = LogShipper(context)
        self._logs = context.log_directory / "lambda"
        self._logs.mkdir(parents=True, exist_ok=True)
        self.pool = EnvironmentPool(self._start, limits)

    def invoke(
        self, function: Function, event: bytes, client_context: str | None = None
    ) -> Outcome:
        """Run the function on a JSON event and return how it ended.

        Raises `ThrottledError` at a concurrency limit and `CloudError` when its role cannot be
        assumed. What goes wrong inside the function is an outcome, not an exception.
        """
        if not function.handler:
            return service_error(
                "Runtime.InvalidEntrypoint",
                f"{function.name} names no handler: expected an image command, or a handler",
            )
        while True:
            environment = self.pool.acquire(function)
            invocation = new_invocation(event, client_context)
            was_warm = environment.warm
            try:
                outcome = environment.invoke(invocation)
            finally:
                self.pool.release(environment)
            if was_warm and not invocation.started and not self._context.stopping.is_set():
                continue  # It died while it lay idle, so the event never reached the handler.
            return outcome

    @property
    def _task_root(self) -> Path:
        return self._given_root or self._context.repository

    def close(self) -> None:
        """End every environment and ship the last logs."""
        self.pool.close()
        self._launcher.close()
        self._shipper.close()

    def _start(self, function: Function) -> ExecutionEnvironment:
        credentials = self._context.credentials_for_role(
            function.role, function.name, service=LAMBDA_SERVICE
        )
        today = datetime.now(UTC).strftime("%Y/%m/%d")
        stream = StreamName(
            function.name,
            function.role,
            f"/aws/lambda/{function.name}",
            f"{today}/[{function.version}]{uuid.uuid4().hex}",
        )
        expires = credentials.expires.timestamp() if credentials.expires else time.time() + 3600
        blueprint = Blueprint(
            function=function,
            variables=process_variables(
                self._context, function, credentials, stream, self._task_root
            ),
            directory=self._task_root,
            log_path=self._logs / f"{function.name}.log",
            ship=lambda events: self._shipper.ship(stream, events),
            expires=expires,
            access_key_id=credentials.access_key_id,
        )
        return ExecutionEnvironment(blueprint, self._launcher)
