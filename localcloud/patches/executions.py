"""Executions as AWS has them: stopped at once, history in pages, quotas on every payload.

In moto a stopped execution stays RUNNING until its current task ends and forgets error and cause,
GetExecutionHistory knows neither pages nor order, a start takes an input of any size, and a task
parameters of any size. A start without a name gets the name "None", a definition that does not
parse is an internal error, and a DynamoDB task reports a broken quota as an error of DynamoDB.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import ValidationException
from moto.stepfunctions.parser import api as parser_api
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (  # noqa: E501
    StateTaskServiceDynamoDB,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
    StateTaskLambda,
)
from moto.stepfunctions.parser.quotas import MAX_STATE_SIZE_UTF8_BYTES
from moto.stepfunctions.responses import StepFunctionResponse

from localcloud.patches.definitions import find_mistakes
from localcloud.patches.replacements import Replacements

_start_in_moto = StepFunctionResponse.start_execution
_create_in_moto = StepFunctionResponse.create_state_machine
_update_in_moto = StepFunctionResponse.update_state_machine
_lambda_parameters_in_moto = StateTaskLambda._eval_parameters
_dynamodb_error_in_moto = StateTaskServiceDynamoDB._from_error
_service_parameters_in_moto = StateTaskService._eval_parameters


def install(replacements: Replacements) -> None:
    """Replace the methods."""
    for name, new in (
        ("start_execution", _start),
        ("create_state_machine", _create),
        ("update_state_machine", _update),
        ("stop_execution", _stop),
        ("get_execution_history", _history),
    ):
        replacements.replace(StepFunctionResponse, name, new)
    replacements.replace(StateTaskLambda, "_eval_parameters", _lambda_parameters)
    replacements.replace(StateTaskServiceDynamoDB, "_from_error", _dynamodb_error)
    replacements.replace(StateTaskService, "_eval_parameters", _service_parameters)


def _start(response: Any) -> Any:
    given = response._get_param("input") or "{}"
    if len(given.encode()) > MAX_STATE_SIZE_UTF8_BYTES:
        raise ValidationException(
            f"the input of an execution may have {MAX_STATE_SIZE_UTF8_BYTES} bytes and has "
            f"{len(given.encode())}; pass a pointer to S3 instead",
        )
    if response._get_param("name") is None:
        response.body = json.dumps({**json.loads(response.body), "name": str(uuid4())})
    return _start_in_moto(response)


def _create(response: Any) -> Any:
    _check_definition(response._get_param("definition"))
    return _parsed(_create_in_moto, response)


def _update(response: Any) -> Any:
    definition = response._get_param("definition")
    if definition is not None:
        _check_definition(definition)
    return _parsed(_update_in_moto, response)


def _parsed(call: Callable[[Any], Any], response: Any) -> Any:
    try:
        return call(response)
    except parser_api.InvalidDefinition as error:
        raise InvalidDefinitionError(f"Invalid State Machine Definition: {error}") from error


class InvalidDefinitionError(AWSError):
    """A definition is refused, in a form that moto can answer with."""

    TYPE = "InvalidDefinition"


def _check_definition(definition: str) -> None:
    try:
        mistakes = find_mistakes(json.loads(definition))
    except (ValueError, AttributeError, TypeError) as error:
        mistakes = [f"not a state machine in JSON: {error}"]
    if mistakes:
        raise InvalidDefinitionError(
            f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {'; '.join(mistakes)}'",
        )


def _stop(response: Any) -> Any:
    backend = response.stepfunction_backend
    execution = backend.describe_execution(response._get_param("executionArn"))
    if execution.exec_status == ExecutionStatus.RUNNING:
        now = datetime.now(UTC)
        error, cause = response._get_param("error"), response._get_param("cause")
        execution.stop(stop_date=now, error=error, cause=cause)
        execution.exec_status = ExecutionStatus.ABORTED
        execution.stop_date = now
        execution.error, execution.cause = error, cause
    return ActionResult({"stopDate": execution.stop_date})


def _history(response: Any) -> Any:
    backend = response.stepfunction_backend
    events = backend.get_execution_history(response._get_param("executionArn"))["events"]
    if response._get_param("reverseOrder"):
        events = events[::-1]
    start = int(response._get_param("nextToken") or 0)
    end = start + min(int(response._get_param("maxResults") or 0) or 100, 1000)
    page: dict[str, Any] = {"events": events[start:end]}
    if end < len(events):
        page["nextToken"] = str(end)
    return ActionResult(page)


def _lambda_parameters(state: Any, env: Any) -> Any:
    parameters = _lambda_parameters_in_moto(state, env)
    state._verify_size_quota(env=env, value=parameters["Payload"])
    return parameters


def _service_parameters(state: Any, env: Any) -> Any:
    parameters = _service_parameters_in_moto(state, env)
    state._verify_size_quota(env=env, value=parameters)
    return parameters


def _dynamodb_error(state: Any, env: Any, ex: Exception) -> Any:
    if isinstance(ex, FailureEventException):
        return ex.failure_event
    return _dynamodb_error_in_moto(state, env=env, ex=ex)
