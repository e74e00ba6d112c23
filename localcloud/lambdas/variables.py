"""The process environment of a Lambda function: AWS's reserved variables and its own.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from localcloud.context import CloudContext
from localcloud.identity.credentials import Credentials
from localcloud.lambdas.cloudwatch import StreamName
from localcloud.lambdas.function import Function

FROM_THE_MACHINE = ("PATH", "TMPDIR", "SYSTEMROOT")
ONE_THREAD = {
    # A function of at most 1,769 MB has less than one core of Lambda.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
}


def process_variables(
    context: CloudContext,
    function: Function,
    credentials: Credentials,
    stream: StreamName,
    task_root: Path,
) -> Mapping[str, str]:
    """Return the whole environment of a runtime process, but for `AWS_LAMBDA_RUNTIME_API`.

    Nothing of the operator's environment is inherited but what finds programs and temporary
    folders. A function's own variables win over defaults, never over reserved names.
    """
    inherited = {name: os.environ[name] for name in FROM_THE_MACHINE if name in os.environ}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    defaults = {
        **ONE_THREAD,
        "HOME": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - Lambda's only writable folder
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": f"{task_root / 'src'}{os.pathsep}{task_root}",
        "PYTHONDONTWRITEBYTECODE": "1",
        # No X-Ray daemon listens here; with the SDK on, every segment would be built for nothing.
        "AWS_XRAY_SDK_ENABLED": "false",
    }
    reserved = {
        **context.environment_for(credentials),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": stream.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream.stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(task_root),
    }
    return {**inherited, **defaults, **function.environment, **reserved}
