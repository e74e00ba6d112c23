"""The Invoke API of Lambda: quotas, invocation types, throttling."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.errors import CloudError
from localcloud.lambdas.function import Function
from localcloud.lambdas.outcome import MAX_ASYNC_PAYLOAD, MAX_PAYLOAD, Outcome
from localcloud.lambdas.pool import EnvironmentPool, ThrottledError
from localcloud.lambdas.runtime import LambdaRuntime


class InvokeError(CloudError):
    """The Invoke API refuses a request before the function runs.

    Attributes
    ----------
    status
        HTTP status.
    code
        Name of Lambda's exception.
    details
        Further members of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = dict(details or {})


@dataclass(frozen=True)
class Answer:
    """The HTTP answer of an Invoke call.

    Attributes
    ----------
    status
        200, 202 (accepted for later) or 204 (dry run).
    payload
        Body.
    headers
        Lambda's `X-Amz-...` headers.
    """

    status: int
    payload: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class LambdaService:
    """Answers Invoke calls.

    Parameters
    ----------
    runtime
        Runs the functions.

    Attributes
    ----------
    accept_later
        Takes an asynchronous invocation, `(function ARN, event as JSON text)`, and returns when it
        is safely kept. The event services set it; without them such a call is refused.
    """

    def __init__(self, runtime: LambdaRuntime) -> None:
        self._runtime = runtime
        self.accept_later: Callable[[str, str], None] | None = None

    @property
    def pool(self) -> EnvironmentPool:
        """The execution environments."""
        return self._runtime.pool

    def invoke(self, function: Function, event: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer an Invoke call; `headers` are the request's, names in lower case.

        Raises `InvokeError` when the event is too large or not JSON, at a concurrency limit, and
        when the execution role cannot be assumed.
        """
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        event = event or b"{}"
        _check(event, MAX_ASYNC_PAYLOAD if kind == "Event" else MAX_PAYLOAD)
        if kind == "DryRun":
            return Answer(204)
        if kind == "Event":
            return self._accept(function, event)
        if kind != "RequestResponse":
            raise InvokeError(
                400,
                "InvalidParameterValueException",
                f"InvocationType must be RequestResponse, Event or DryRun, not {kind}",
            )
        outcome = self.run(function, event, _client_context(headers))
        found = {"X-Amz-Executed-Version": function.version}
        if outcome.failed:
            found["X-Amz-Function-Error"] = "Unhandled"
        if headers.get("x-amz-log-type") == "Tail":
            found["X-Amz-Log-Result"] = base64.b64encode(outcome.log_tail).decode()
        return Answer(200, outcome.payload, found)

    def _accept(self, function: Function, event: bytes) -> Answer:
        if self.accept_later is None:
            raise InvokeError(
                500, "ServiceException", "this cloud has no event services to invoke it later"
            )
        self.accept_later(function.arn, event.decode())
        return Answer(202)

    def run(self, function: Function, event: bytes, client_context: str | None = None) -> Outcome:
        """Run a function now; raises `InvokeError` when it cannot be run at all."""
        try:
            return self._runtime.invoke(function, event, client_context)
        except ThrottledError as error:
            raise InvokeError(
                429, "TooManyRequestsException", str(error), {"Reason": error.reason}
            ) from error
        except CloudError as error:
            raise InvokeError(
                500,
                "ServiceException",
                f"{function.name} cannot be run: {error}",
            ) from error

    def close(self) -> None:
        """End the runtime."""
        self._runtime.close()


def _check(event: bytes, quota: int) -> None:
    if len(event) > quota:
        raise InvokeError(
            413,
            "RequestTooLargeException",
            f"Request must be smaller than {quota} bytes for the InvokeFunction operation",
        )
    try:
        json.loads(event)
    except ValueError as error:
        raise InvokeError(
            400,
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from error


def _client_context(headers: Mapping[str, Any]) -> str | None:
    encoded = headers.get("x-amz-client-context")
    if not encoded:
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except ValueError as error:
        raise InvokeError(
            400,
            "InvalidRequestContentException",
            f"ClientContext must be base64 of JSON: {error}",
        ) from error
