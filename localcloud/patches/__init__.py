"""Everything that is changed in moto, in one place; each module says what and why."""

from localcloud.context import CloudContext


def install(context: CloudContext) -> None:
    """Put every change in; raises `PatchError` when one does not fit or does not work."""
    from localcloud.patches import lean_imports

    lean_imports.install()
    from localcloud.patches import (
        bucket_policies,
        executions,
        key_ids,
        quotas,
        role_clients,
        sagemaker_jobs,
        sagemaker_tasks,
        secret_rotation,
    )
    from localcloud.patches.replacements import Replacements
    from localcloud.patches.self_test import check_behaviour, check_symbols
    from localcloud.training.runner import TrainingRunner

    check_symbols()
    runner = TrainingRunner(context)
    replacements = Replacements()
    context.on_shutdown(replacements.undo)
    bucket_policies.install(replacements)
    sagemaker_tasks.install(replacements, context, runner)
    sagemaker_jobs.install(replacements, runner)
    executions.install(replacements)
    key_ids.install(replacements)
    quotas.install(replacements)
    secret_rotation.install(replacements, context)
    role_clients.install(replacements, context)
    check_behaviour(context)
