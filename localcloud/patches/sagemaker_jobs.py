"""CreateTrainingJob runs a job and StopTrainingJob stops it.

moto answers Completed at once, drops `Environment`, accepts a name twice and has no
StopTrainingJob.
"""

import re
from typing import Any

from moto.core.responses import EmptyResult
from moto.sagemaker import models, responses
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError

from localcloud.patches.replacements import Replacements
from localcloud.training.record import JobRecord
from localcloud.training.runner import TrainingRunner

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_VALUE_LIMIT = 2500
_COUNT_LIMIT = 100


def install(replacements: Replacements, runner: TrainingRunner) -> None:
    """Put the runner behind the API."""
    backends, answers = models.SageMakerModelBackend, responses.SageMakerResponse
    create_in_moto, respond_in_moto = backends.create_training_job, answers.create_training_job

    def create(backend: Any, **arguments: Any) -> Any:
        name = arguments["training_job_name"]
        if name in backend.training_jobs:
            arn = backend.training_jobs[name].arn
            raise ResourceInUseException(
                "Training job names must be unique within an AWS account and region, and a "
                f"training job with this name already exists ({arn})"
            )
        _validate(name, arguments)
        return create_in_moto(backend, **arguments)

    def respond(response: Any) -> Any:
        answer = respond_in_moto(response)
        job = response.sagemaker_backend.training_jobs[response._get_param("TrainingJobName")]
        runner.submit(JobRecord(job, dict(response._get_param("Environment") or {})))
        return answer

    def stop(response: Any) -> Any:
        name = response._get_param("TrainingJobName")
        response.sagemaker_backend.describe_training_job(name)
        record = runner.find(name)
        if record is None or record.ended.is_set():
            raise ValidationError(
                message=f"The request was rejected because the training job {name} is in status "
                f"{response.sagemaker_backend.training_jobs[name].training_job_status}."
            )
        record.request_stop()
        return EmptyResult()

    replacements.replace(backends, "create_training_job", create)
    replacements.replace(answers, "create_training_job", respond)
    replacements.replace(answers, "stop_training_job", stop)


def _validate(name: str, arguments: dict[str, Any]) -> None:
    """Refuse what SageMaker refuses; raises moto's ValidationError."""
    if not _NAME.fullmatch(name):
        raise ValidationError(
            message=f"the training job's name {name!r} must be 1 to 63 letters, digits and single "
            "dashes inside"
        )
    if not arguments["role_arn"]:
        raise ValidationError(message="RoleArn is required")
    if not (arguments["output_data_config"] or {}).get("S3OutputPath"):
        raise ValidationError(message="OutputDataConfig.S3OutputPath is required")
    if not (arguments["algorithm_specification"] or {}).get("TrainingImage"):
        raise ValidationError(message="AlgorithmSpecification.TrainingImage is required")
    parameters = arguments["hyper_parameters"] or {}
    if len(parameters) > _COUNT_LIMIT:
        raise ValidationError(
            message=f"{len(parameters)} hyperparameters exceed the {_COUNT_LIMIT} that SageMaker "
            "takes"
        )
    for key, value in parameters.items():
        if not isinstance(value, str) or len(value) > _VALUE_LIMIT:
            found = f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
            raise ValidationError(
                message=f"the hyperparameter {key!r} must be a string of at most {_VALUE_LIMIT} "
                f"characters, found {found}"
            )
