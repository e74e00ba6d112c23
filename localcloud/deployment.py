"""Run the deployer, which provisions what the Pulumi program registers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from localcloud.context import CloudContext
from localcloud.errors import CloudError

TIMEOUT_SECONDS = 180


def deploy(context: CloudContext, config: str) -> Mapping[str, Any]:
    """Provision the stack on the running cloud and return its outputs.

    Raises `CloudError` with the deployer's own sentence when it fails.
    """
    command = [
        *(sys.executable, "-m", "localcloud.deployer", "up"),
        *("--endpoint", context.endpoint),
        *("--state", str(context.home / "deployment.json")),
        *("--stack", context.stack, "--config", config),
    ]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    path = [str(context.repository), str(context.repository / "src")]
    environment = {
        **inherited,
        **context.environment_for(context.operator),
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = context.log_directory / "deployer.log"
    with log.open("ab") as stderr:
        child = context.spawn(
            command,
            environment=environment,
            directory=context.repository,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            output = child.communicate(timeout=TIMEOUT_SECONDS)[0].decode()
        except subprocess.TimeoutExpired as error:
            raise CloudError(
                f"the deployer did not finish within {TIMEOUT_SECONDS} s; see {log}"
            ) from error
        finally:
            context.spawner.forget(child)
    return _read_result(output, child.returncode, str(log))


def _read_result(output: str, status: int, log: str) -> Mapping[str, Any]:
    lines = output.strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        result = None
    if status != 0:
        said = result.get("error") if isinstance(result, dict) else (lines[-1] if lines else None)
        raise CloudError(said or f"the deployer ended with status {status}; see {log}")
    if not isinstance(result, dict) or not isinstance(result.get("outputs"), dict):
        raise CloudError(f"the deployer's last line is not its JSON result; see {log}")
    return result
