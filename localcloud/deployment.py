"""Run the deployer, which provisions what the Pulumi program registers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localcloud.context import NO_PROFILES, CloudContext
from localcloud.errors import CloudError
from localcloud.home import RunningCloud

TIMEOUT_SECONDS = 330
STATE = "deployment.json"


def deploy(context: CloudContext, config: str, command: str = "up") -> Mapping[str, Any]:
    """Have the deployer work on the cloud of this process; return its result.

    `command` is `up`, `preview` or `destroy`. Raises `CloudError` with the deployer's own sentence
    when it fails.
    """
    line = _command_line(command, context.endpoint, context.home, context.stack, config)
    log = context.log_directory / "deployer.log"
    with log.open("ab") as stderr:
        child = context.spawn(
            line,
            environment=_environment(context.repository)
            | context.environment_for(context.operator),
            directory=context.repository,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            return _result(child, log)
        finally:
            context.spawner.forget(child)


def deploy_to(
    running: RunningCloud, home: Path, repository: Path, *, stack: str, config: str, command: str
) -> Mapping[str, Any]:
    """Have the deployer work on a cloud that another process runs; like `deploy`."""
    keys = running.credentials.environment()
    log = home / "logs" / "deployer.log"
    with log.open("ab") as stderr:
        child = subprocess.Popen(  # noqa: S603 - our own program, no shell
            _command_line(command, running.endpoint, home, stack, config),
            env=_environment(repository) | keys,
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            return _result(child, log)
        finally:
            child.kill()
            child.wait()


def _command_line(
    command: str, endpoint: str, home: Path, stack: str, config: str
) -> Sequence[str]:
    return [
        *(sys.executable, "-m", "localcloud.deployer", command),
        *("--endpoint", endpoint),
        *("--state", str(home / STATE)),
        *("--stack", stack, "--config", config),
    ]


def _environment(repository: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    path = [str(repository), str(repository / "src")]
    return {
        **inherited,
        **NO_PROFILES,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _result(child: "subprocess.Popen[bytes]", log: Path) -> Mapping[str, Any]:
    try:
        output = child.communicate(timeout=TIMEOUT_SECONDS)[0].decode()
    except subprocess.TimeoutExpired as error:
        raise CloudError(
            f"the deployer did not finish within {TIMEOUT_SECONDS} s; see {log}"
        ) from error
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
