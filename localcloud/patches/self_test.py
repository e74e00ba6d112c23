"""Fail at the start, loudly, when a symbol of moto that an adapter stands on has moved."""

import inspect
from importlib import import_module

from localcloud.errors import PatchError

_TASK = "moto.stepfunctions.parser.asl.component.state.exec.state_task"
# module, dotted name in it, and the parameters that the adapters pass or take
_SYMBOLS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("moto.stepfunctions.parser.asl.utils.boto_client", "boto_client_for", ("region", "service")),
    (f"{_TASK}.state_task_factory", "state_task_service_for", ("service_name",)),
    (
        f"{_TASK}.service.state_task_service_callback",
        "StateTaskServiceCallback._eval_sync",
        ("env", "sync_resolver", "timeout_seconds", "callback_endpoint", "heartbeat_endpoint"),
    ),
    (
        f"{_TASK}.service.state_task_service_callback",
        "StateTaskServiceCallback._build_sync_resolver",
        ("env", "resource_runtime_part", "normalised_parameters", "state_credentials"),
    ),
    (f"{_TASK}.service.state_task_service", "StateTaskService._eval_parameters", ("env",)),
    (
        f"{_TASK}.service.state_task_service",
        "StateTaskService._verify_size_quota",
        ("env", "value"),
    ),
    (f"{_TASK}.state_task_lambda", "StateTaskLambda._eval_parameters", ("env",)),
    (f"{_TASK}.state_task_lambda", "StateTaskLambda._verify_size_quota", ("env", "value")),
    (
        "moto.stepfunctions.parser.backend.execution",
        "Execution.stop",
        ("stop_date", "error", "cause"),
    ),
    ("moto.stepfunctions.responses", "StepFunctionResponse.get_execution_history", ()),
    ("moto.stepfunctions.responses", "StepFunctionResponse.stop_execution", ()),
    ("moto.sagemaker.responses", "SageMakerResponse.create_training_job", ()),
    (
        "moto.sagemaker.models",
        "SageMakerModelBackend.create_training_job",
        ("training_job_name", "role_arn", "hyper_parameters", "output_data_config"),
    ),
    ("moto.core.routing", "get_service_router", ("service_name",)),
    ("moto.sts.models", "STSBackend.assume_role", ("role_session_name", "role_arn", "duration")),
    ("moto.s3.models", "FakeKey.__init__", ("name", "value", "account_id", "region_name", "etag")),
    ("moto.s3.utils", "_VersionedKeyStore.setlist", ("key", "list_")),
    ("moto.dynamodb.models.table", "Table.put_item", ("item_attrs", "overwrite")),
    ("moto.ses.models", "RawMessage.__init__", ("message_id", "source", "destinations")),
)


def check_symbols() -> None:
    """Raise `PatchError` naming every symbol that is missing or takes other parameters."""
    wrong = [line for line in (_problem(*symbol) for symbol in _SYMBOLS) if line]
    if wrong:
        raise PatchError(
            "moto is not what the adapters expect: " + "; ".join(wrong) + "; port "
            "localcloud/patches to this release or install the pinned one"
        )


def _problem(module: str, name: str, parameters: tuple[str, ...]) -> str | None:
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return f"{module}.{name} is missing"
    taken = inspect.signature(found).parameters  # type: ignore[arg-type]
    absent = [one for one in parameters if one not in taken]
    return f"{module}.{name} takes no {', '.join(absent)}" if absent else None
