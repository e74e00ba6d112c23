"""Running the Pulumi program in this process."""

import asyncio
import logging
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from pulumi.runtime import run_in_stack, set_all_config
from pulumi.runtime.mocks import MockEngine, MockMonitor, MockSettings
from pulumi.runtime.settings import configure

from localcloud.deployer.errors import StackFileError


def run_program(
    folder: Path,
    *,
    monitor: MockMonitor,
    project: str,
    stack: str,
    configuration: Mapping[str, str],
    preview: bool,
) -> None:
    """Run `__main__.py` of a project under a monitor, once a process.

    A second run in the same process can hang on what a failed one left behind.

    Raises
    ------
    StackFileError
        When there is no program.
    """
    program = folder / "__main__.py"
    if not program.exists():
        raise StackFileError(f"there is no Pulumi program {program}")
    logger = logging.getLogger("localcloud.deployer.program")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    set_all_config(dict(configuration))
    features = set(monitor.GetDeploymentInfo(None).supportedFeatures)  # type: ignore[no-untyped-call]
    configure(
        MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=features,
            engine=MockEngine(logger),
            project=project,
            stack=stack,
            dry_run=preview,
            organization=None,
            callbacks=None,
        )
    )
    asyncio.run(run_in_stack(lambda: _run(program)))


def _run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")
