"""Name what goes wrong in calling a function as Step Functions does.

moto 5.2.5 calls every refused Invoke of a task whose resource is a function ARN `Exception`, so
that a Retry on `Lambda.TooManyRequestsException` never applies. Step Functions names it
`Lambda.<exception>`, and `Lambda.SdkClientException` when Lambda could not be reached.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.errors import PatchError


def name_task_errors() -> None:
    """Replace the naming of errors in moto's function tasks.

    Raises `PatchError` when moto has moved it.
    """
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
        StateTaskLambda,
    )

    owner: Any = StateTaskLambda
    if not callable(getattr(owner, "_from_error", None)):
        raise PatchError(
            "moto's StateTaskLambda has no _from_error: pin moto 5.2.5, or mend "
            "localcloud/lambdas/task_errors.py"
        )
    name = owner._from_error.__dict__.get("original", owner._from_error)

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            answer = ex.response["Error"]
            return _failure(env, f"Lambda.{answer['Code']}", answer["Message"])
        if isinstance(ex, BotoCoreError):
            return _failure(env, "Lambda.SdkClientException", str(ex))
        return name(self, env, ex)

    from_error.__dict__["original"] = name
    owner._from_error = from_error


def _failure(env: Any, error: str, cause: str) -> Any:
    from moto.stepfunctions.parser.api import HistoryEventType, LambdaFunctionFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
        CustomErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
    )

    failed = LambdaFunctionFailedEventDetails(error=error, cause=cause)
    details: Any = {"lambdaFunctionFailedEventDetails": failed}
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.LambdaFunctionFailed,
        event_details=details,
    )
