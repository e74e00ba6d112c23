"""`python -m localcloud.deployer up|preview|destroy`: one JSON line, or one line of error."""

import argparse
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localcloud.deployer import resources  # noqa: F401  registers the handlers
from localcloud.deployer.cloud import Cloud
from localcloud.deployer.engine import Action, Engine
from localcloud.deployer.errors import StackFileError
from localcloud.deployer.stack_file import project_name, stack_configuration
from localcloud.deployer.state import State
from localcloud.errors import CloudError

DEFAULT_REGION = "us-east-1"
ROOT = Path(__file__).parents[2]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="localcloud.deployer", description=__doc__)
    parser.add_argument("command", choices=("up", "preview", "destroy"))
    parser.add_argument("--endpoint", required=True, help="URL of the embedded cloud")
    parser.add_argument("--state", required=True, type=Path, help="state file")
    parser.add_argument("--stack", default="dev", help="Pulumi.<stack>.yaml is its configuration")
    parser.add_argument("--config", default="{}", help="JSON object that wins over the file")
    parser.add_argument("--program", default=ROOT, type=Path, help="folder of the Pulumi program")
    parser.add_argument("--timeout", default=300.0, type=float, help="seconds")
    return parser.parse_args(arguments)


def deploy(options: argparse.Namespace) -> dict[str, Any]:
    """Run a command and return its result; raises `CloudError` with what went wrong."""
    started = time.monotonic()
    project = project_name(options.program)
    configuration = stack_configuration(
        options.program, options.stack, project, _overrides(options.config)
    )
    cloud = Cloud(options.endpoint, configuration.get("aws:region", DEFAULT_REGION))
    engine = Engine(cloud, State.load(options.state), preview=options.command == "preview")
    outputs: dict[str, Any] = {}
    if options.command == "destroy":
        engine.destroy()
    else:
        outputs = _run(engine, options, project, configuration)
    return {
        "command": options.command,
        "stack": options.stack,
        "seconds": round(time.monotonic() - started, 3),
        **engine.counts(),
        "changes": [
            c.to_dict() for c in engine.changes if c.action not in (Action.UNCHANGED, Action.INERT)
        ]
        if engine.preview
        else [],
        "inert_resources": [c.to_dict() for c in engine.changes if c.action is Action.INERT],
        "outputs": outputs,
    }


def _run(
    engine: Engine, options: argparse.Namespace, project: str, configuration: dict[str, str]
) -> dict[str, Any]:
    from localcloud.deployer.monitor import DeployingMonitor, cause_of
    from localcloud.deployer.program import run_program

    monitor = DeployingMonitor(engine, options.stack, project)
    try:
        run_program(
            options.program.resolve(),
            monitor=monitor,
            project=project,
            stack=options.stack,
            configuration=configuration,
            preview=engine.preview,
        )
    except Exception as error:
        raise cause_of(monitor, error) from error
    engine.prune()
    return monitor.outputs


def _overrides(text: str) -> dict[str, Any]:
    try:
        loaded = json.loads(text)
    except json.JSONDecodeError as error:
        raise StackFileError(f"--config is not valid JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise StackFileError(f"--config must be a JSON object, not {type(loaded).__name__}")
    return loaded


def _give_up(seconds: float) -> None:
    _print({"error": f"the deployment took longer than {seconds:g} s and was given up"})
    os._exit(1)


def _print(result: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the command line and end the process.

    The process ends at once: threads of a program that failed may wait for ever.
    """
    options = parse(sys.argv[1:])
    logging.disable(logging.CRITICAL)
    watchdog = threading.Timer(options.timeout, _give_up, [options.timeout])
    watchdog.daemon = True
    watchdog.start()
    # Pulumi's AWS package is large: compiling it anew takes longer than all the rest.
    sys.dont_write_bytecode = False
    code = 0
    try:
        _print(deploy(options))
    except CloudError as error:
        _print({"error": " ".join(str(error).split())})
        code = 1
    except Exception as error:  # noqa: BLE001  whatever it is, the caller reads one line
        text = " ".join(str(error).split())
        _print({"error": f"the deployment failed: {type(error).__name__}: {text}"})
        code = 1
    os._exit(code)


if __name__ == "__main__":
    main()
