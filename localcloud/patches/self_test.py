"""Fail at the start, loudly, when moto is not what the adapters stand on, or one did not take."""

import inspect
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from localcloud.context import CloudContext
from localcloud.errors import PatchError
from localcloud.patches.role_clients import RoleClients
from localcloud.patches.sagemaker_tasks import SageMakerTask

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


def check_behaviour(context: CloudContext) -> None:
    """Raise `PatchError` naming every adapter that does not do what it should, once installed."""
    checks = (
        ("state machines are not interpreted", _interprets(context)),
        ("a SageMaker state is not run by SageMakerTask", _runs_sagemaker()),
        ("a state does not call with the role of its machine", _calls_with_roles()),
        ("StopTrainingJob is not answered", _stops_jobs()),
        ("an object is not read from its file", _reads_files(context)),
    )
    wrong = [sentence for sentence, works in checks if not works]
    if wrong:
        raise PatchError(f"the adapters of moto do not work: {'; '.join(wrong)}")


def _interprets(context: CloudContext) -> bool:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import get_backend

    return isinstance(get_backend(context.account, context.region), StepFunctionsParserBackend)


def _runs_sagemaker() -> bool:
    factory: Any = import_module(f"{_TASK}.state_task_factory")
    return isinstance(factory.state_task_service_for("sagemaker"), SageMakerTask)


def _calls_with_roles() -> bool:
    modules = (f"{_TASK}.lambda_eval_utils", "moto.stepfunctions.parser.asl.utils.boto_client")
    found = [vars(import_module(module))["boto_client_for"] for module in modules]
    return all(isinstance(getattr(one, "__self__", None), RoleClients) for one in found)


def _stops_jobs() -> bool:
    from moto.core.utils import method_names_from_class
    from moto.sagemaker.responses import SageMakerResponse

    return "stop_training_job" in method_names_from_class(SageMakerResponse)


def _reads_files(context: CloudContext) -> bool:
    from moto.s3.models import FakeKey

    from localcloud.persistence.objects import serve_from

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body"
        path.write_bytes(b"of the file")
        key = FakeKey("k", b"", account_id=context.account, region_name=context.region, etag="e")
        serve_from(key, path)
        works = (key.value, key.contentsize, key.etag) == (b"of the file", 11, '"e"')
        key.dispose()
    return works
