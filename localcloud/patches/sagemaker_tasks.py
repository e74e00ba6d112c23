"""`arn:aws:states:::sagemaker:createTrainingJob[.sync]` in moto's interpreter.

moto lists SageMaker as unsupported and forwards the request without waiting. Here the job is made
through the API with the state machine's role; `.sync` waits for its end as AWS does, answers with
DescribeTrainingJob, fails with `States.TaskFailed` and the description as its cause, and stops the
job when the state times out or the execution is stopped.

Source: AWS Step Functions Developer Guide, "Create and manage Amazon SageMaker AI jobs".
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from localcloud.context import CloudContext
from localcloud.patches.replacements import Replacements
from localcloud.training.runner import TrainingRunner

# the rule by which AWS learns of a job's end; its role must be able to manage it
_MANAGED_RULE = "StepFunctionsGetEventsForSageMakerTrainingJobsRule"
_RULE_ACTIONS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
_NAMED_ERRORS = frozenset(
    {"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound", "ConflictException"}
)
# waitForTaskToken gives the interpreter the callback end that its wait for a job ends with
_PATTERNS = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
_PARAMETERS = frozenset(
    {
        "AlgorithmSpecification",
        "CheckpointConfig",
        "EnableInterContainerTrafficEncryption",
        "EnableManagedSpotTraining",
        "EnableNetworkIsolation",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "RetryStrategy",
        "RoleArn",
        "StoppingCondition",
        "Tags",
        "TrainingJobName",
        "VpcConfig",
    }
)


_Callback: Any = callback.StateTaskServiceCallback


class SageMakerTask(_Callback):  # type: ignore[misc]
    """A state that creates a training job.

    `context` and `runner` are those of the running cloud.
    """

    context: CloudContext
    runner: TrainingRunner

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns=_PATTERNS)

    def _get_supported_parameters(self) -> frozenset[str] | None:
        return _PARAMETERS if self.resource.api_action.lower() == "createtrainingjob" else None

    def _eval_service_task(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        if self.resource.condition == ResourceCondition.Sync:
            self._require_rule(env, state_credentials.role_arn)
        client = boto_client.boto_client_for(
            resource_runtime_part.region, "sagemaker", state_credentials
        )
        response = client.create_training_job(**normalised_parameters)
        response.pop("ResponseMetadata", None)
        env.stack.append(response)

    def _require_rule(self, env: Any, role: str) -> None:
        rule = f"arn:aws:events:{self.context.region}:{self.context.account}:rule/{_MANAGED_RULE}"
        for action in _RULE_ACTIONS:
            if not self.context.allowed(role, "StepFunctions", action, rule):
                cause = f"{role} is not authorized to create the managed rule: {action} on {rule}"
                raise FailureEventException(self.failed(env, "States.TaskFailed", cause))

    def _build_sync_resolver(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> Callable[[], Any]:
        env.stack.pop()
        name = normalised_parameters["TrainingJobName"]
        client = boto_client.boto_client_for(
            resource_runtime_part.region, "sagemaker", state_credentials
        )
        return _JobWait(self, env, client, self.runner, name)

    def _eval_sync(self, env: Any, sync_resolver: "_JobWait", **_unused: Any) -> Any:
        """Wait for the job while the state runs; stop it when the state ended first.

        The interpreter's own wait listens on the task token, which a retry finds spent. What
        belongs to one wait must not lie on `self`: the items of a Map share it.
        """
        while env.is_running():
            outcome = sync_resolver()
            if outcome is not None:
                return outcome
        sync_resolver.stop()
        return None

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code = ex.response["Error"]["Code"]
        status = ex.response["ResponseMetadata"]["HTTPStatusCode"]
        kind = code.removesuffix("Exception") if code in _NAMED_ERRORS else "AmazonSageMaker"
        message = ex.response["Error"]["Message"]
        cause = (
            f"{message} (Service: AmazonSageMaker; Status Code: {status}; Error Code: {code}; "
            f"Request ID: {ex.response['ResponseMetadata'].get('RequestId', '')}; Proxy: null)"
        )
        return self.failed(env, f"SageMaker.{kind}Exception", cause)

    def failed(self, env: Any, error: str, cause: str) -> Any:
        """Return the interpreter's failure event of this task."""
        is_states = error == StatesErrorNameType.StatesTaskFailed.to_name()
        name = (
            StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
            if is_states
            else CustomErrorName(error)
        )
        details = TaskFailedEventDetails(
            error=error,
            cause=cause,
            resource=self._get_sfn_resource(),
            resourceType=self._get_sfn_resource_type(),
        )
        event: Any = {"taskFailedEventDetails": details}
        return FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=event,
        )


class _JobWait:
    """Waits for one job, in steps of a tenth of a second."""

    def __init__(
        self, task: SageMakerTask, env: Any, client: Any, runner: TrainingRunner, name: str
    ) -> None:
        self._task = task
        self._env = env
        self._client = client
        self._runner = runner
        self._name = name

    def __call__(self) -> Any:
        """Return the description of the job once it is completed, None while it runs."""
        if not self._has_ended():
            return None
        found = self._client.describe_training_job(TrainingJobName=self._name)
        found.pop("ResponseMetadata", None)
        description = _plain(found)
        if found["TrainingJobStatus"] == "Completed":
            return description
        cause = to_json_str(description, separators=(",", ":"))
        raise FailureEventException(self._task.failed(self._env, "States.TaskFailed", cause))

    def stop(self) -> None:
        """Stop the job unless it has ended."""
        if not self._has_ended():
            self._client.stop_training_job(TrainingJobName=self._name)

    def _has_ended(self) -> bool:
        record = self._runner.find(self._name)
        return record is None or record.ended.wait(timeout=0.1)


def install(replacements: Replacements, context: CloudContext, runner: TrainingRunner) -> None:
    """Have the interpreter make a `SageMakerTask` for the service `sagemaker`."""
    SageMakerTask.context = context
    SageMakerTask.runner = runner
    original = vars(state_task_factory)["state_task_service_for"]

    def state_task_service_for(service_name: str) -> Any:
        return SageMakerTask() if service_name == "sagemaker" else original(service_name)

    replacements.replace(state_task_factory, "state_task_service_for", state_task_service_for)


def _plain(value: Any) -> Any:
    """Return a description as Step Functions shows it: times as milliseconds since 1970."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value
