"""Start the runtime of an execution environment as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localcloud.context import CloudContext


class RuntimeProcess(Protocol):
    """A running runtime: AWS's runtime interface client with one handler."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def output(self) -> int:
        """File descriptor that reads what the process prints."""

    def wait(self) -> int:
        """Wait for its end; return the exit status, or minus the signal that killed it."""

    def kill(self) -> None:
        """Kill it and what it started; harmless after its end."""


class Launcher(Protocol):
    """Starts runtimes."""

    def launch(
        self, handler: str, environment: Mapping[str, str], directory: Path
    ) -> RuntimeProcess:
        """Start a runtime with exactly this environment in `directory`."""

    def close(self) -> None:
        """Release what the launcher holds."""


@dataclass
class _SpawnedRuntime:
    context: CloudContext
    child: subprocess.Popen[bytes]
    output: int

    @property
    def pid(self) -> int:
        return self.child.pid

    def wait(self) -> int:
        status = self.child.wait()
        self.context.spawner.forget(self.child)
        return status

    def kill(self) -> None:
        if self.child.poll() is None:
            self.context.spawner.kill(self.child)


class ProcessLauncher:
    """Starts each runtime as a fresh interpreter: `python -m awslambdaric <handler>`."""

    def __init__(self, context: CloudContext) -> None:
        self._context = context

    def launch(
        self, handler: str, environment: Mapping[str, str], directory: Path
    ) -> RuntimeProcess:
        """Start a runtime with exactly this environment in `directory`."""
        reading, writing = os.pipe()
        try:
            child = self._context.spawn(
                [sys.executable, "-m", "awslambdaric", handler],
                environment=environment,
                directory=directory,
                stdout=writing,
                stderr=subprocess.STDOUT,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return _SpawnedRuntime(self._context, child, reading)

    def close(self) -> None:
        """Hold nothing: the cloud's spawner ends the processes."""
