"""Asynchronous invocations of functions: tried again, then given to the dead letters.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import json
import time
from datetime import UTC, datetime
from typing import Any

from localcloud.context import CloudContext
from localcloud.events.dispatcher import Again, Dead, Done, Result
from localcloud.events.outbox import Delivery, Pending
from localcloud.events.targets import target
from localcloud.lambdas.function import Function, function_from_moto
from localcloud.lambdas.outcome import Outcome
from localcloud.lambdas.service import InvokeError, LambdaService

RETRY_DELAYS = (60.0, 120.0)
MAX_AGE_SECONDS = 6 * 3600.0
THROTTLED_DELAY = 2.0
LAMBDA_SERVICE = "lambda.amazonaws.com"


class AsynchronousInvocations:
    """Delivers events to functions whose caller does not wait.

    A handler that fails is tried twice more, after one and after two minutes, as on AWS; a throttle
    is tried again for six hours. What fails for good goes to the function's failure destination
    and dead-letter queue.

    Parameters
    ----------
    context
        The running cloud.
    service
        Runs the functions.
    retry_delays
        Seconds before the second and the third try.
    """

    def __init__(
        self,
        context: CloudContext,
        service: LambdaService,
        retry_delays: tuple[float, ...] = RETRY_DELAYS,
    ) -> None:
        self._context = context
        self._service = service
        self._retry_delays = retry_delays

    def deliver(self, pending: Pending) -> Result:
        """Invoke the function once."""
        body = pending.delivery.body
        function = self._find(body["function"])
        if function is None:
            return Dead(f"there is no function {body['function']}")
        event = str(body["event"])
        try:
            outcome = self._service.run(function, event.encode())
        except InvokeError as error:
            if time.time() - pending.created > MAX_AGE_SECONDS:
                return Dead(str(error), self._failures(function, event, None, str(error)))
            return Again(str(error), delay=THROTTLED_DELAY, counted=False)
        if not outcome.failed:
            return Done(self._successes(function, event, outcome))
        reason = outcome.payload.decode(errors="replace")
        tries = min(function.retries, len(self._retry_delays))
        if pending.attempts < tries:
            return Again(reason, delay=self._retry_delays[pending.attempts])
        return Dead(reason, self._failures(function, event, outcome, "RetriesExhausted"))

    def _find(self, arn: str) -> Function | None:
        from moto.awslambda.exceptions import UnknownFunctionException
        from moto.awslambda.utils import get_backend

        backend = get_backend(self._context.account, self._context.region)
        try:
            return function_from_moto(backend.get_function(arn, None))
        except UnknownFunctionException:
            return None

    def _successes(self, function: Function, event: str, outcome: Outcome) -> tuple[Delivery, ...]:
        if not function.on_success:
            return ()
        return (self._to(function, function.on_success, event, outcome, "Success"),)

    def _failures(
        self, function: Function, event: str, outcome: Outcome | None, condition: str
    ) -> tuple[Delivery, ...]:
        found = []
        if function.on_failure:
            found.append(self._to(function, function.on_failure, event, outcome, condition))
        if function.dead_letters:
            found.append(_from(function, function.dead_letters, event))
        return tuple(found)

    def _to(
        self, function: Function, arn: str, event: str, outcome: Outcome | None, condition: str
    ) -> Delivery:
        response: Any = None if outcome is None else json.loads(outcome.payload or b"null")
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "requestContext": {
                "functionArn": f"{function.arn}:{function.version}",
                "condition": condition,
            },
            "requestPayload": json.loads(event),
            "responseContext": {
                "statusCode": 200,
                "executedVersion": function.version,
                "functionError": "Unhandled" if outcome is not None and outcome.failed else None,
            },
            "responsePayload": response,
        }
        return _from(function, arn, json.dumps(record))


def _from(function: Function, arn: str, payload: str) -> Delivery:
    """Return a delivery that the function's own role makes, as Lambda does."""
    return target(arn, payload, service=LAMBDA_SERVICE, source=function.arn, role=function.role)
