"""Start runtimes as forks of a process that has imported the heavy libraries already.

A cold start of a function that works with pandas costs seconds of imports, and a hundred megabytes
that its neighbours hold as well. A fork has both for nothing, and is otherwise what
`ProcessLauncher` starts: a process of its own with its own environment, killed and watched alike.
Linux only; elsewhere, and for a function whose own variables the libraries read at their import,
a fresh interpreter is started.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.context import CloudContext
from localcloud.lambdas.process import Launcher, ProcessLauncher, RuntimeProcess
from localcloud.lambdas.variables import ONE_THREAD

ZYGOTE = Path(__file__).with_name("zygote.py")
PRELOADED = ("boto3", "botocore.client", "numpy", "pandas", "pyarrow.parquet", "pydantic", "yaml")
READ_AT_IMPORT = ("ARROW_", "LD_", "MALLOC_", "MKL_", "NPY_", "NUMEXPR_", "OMP_", "OPENBLAS_")
READ_BY_INTERPRETER = "PYTHON"
GIVEN = frozenset({"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", *ONE_THREAD})


def new_launcher(context: CloudContext, preloaded: Sequence[str] = PRELOADED) -> Launcher:
    """Return the fastest launcher that this machine has; none preloaded, it starts interpreters."""
    if preloaded and sys.platform == "linux" and hasattr(os, "pidfd_open"):
        return ForkLauncher(context, preloaded)
    return ProcessLauncher(context)


@dataclass
class _ForkedRuntime:
    pid: int
    output: int
    status: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: int | None = None

    def wait(self) -> int:
        said = b""
        while chunk := os.read(self.status, 64):
            said += chunk
        with self._lock:
            # Without a status the zygote itself was killed, and its forks with it.
            self._ended = int(said) if said else -signal.SIGKILL
            os.close(self.status)
        return self._ended

    def kill(self) -> None:
        with self._lock:
            if self._ended is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)


class ForkLauncher:
    """Starts each runtime as a fork of one zygote, and of a new one when that has died.

    Parameters
    ----------
    context
        The running cloud.
    preloaded
        Modules that the zygote imports.
    """

    def __init__(self, context: CloudContext, preloaded: Sequence[str]) -> None:
        self._context = context
        self._preloaded = tuple(preloaded)
        self._fresh = ProcessLauncher(context)
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self._start()

    def launch(
        self, handler: str, environment: Mapping[str, str], directory: Path
    ) -> RuntimeProcess:
        """Start a runtime with exactly this environment in `directory`."""
        if not _forkable(environment):
            return self._fresh.launch(handler, environment, directory)
        request = {
            "handler": handler,
            "environment": dict(environment),
            "directory": str(directory),
        }
        message = json.dumps(request).encode()
        with self._lock:
            try:
                return self._fork(message)
            except (OSError, EOFError):
                self._stop()
                self._start()
                return self._fork(message)

    def close(self) -> None:
        """End the zygote, and with it every fork."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **ONE_THREAD,
        }
        log = self._context.log_directory / "lambda-zygote.log"
        with theirs, log.open("ab") as output:
            self._zygote = self._context.spawn(
                [sys.executable, "-P", str(ZYGOTE), str(theirs.fileno()), *self._preloaded],
                environment=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._zygote.wait(timeout=5)
            self._context.spawner.forget(self._zygote)
        self._control = self._zygote = None

    def _fork(self, message: bytes) -> RuntimeProcess:
        if self._control is None:
            raise EOFError
        output, output_end = os.pipe()
        status, status_end = os.pipe()
        try:
            socket.send_fds(self._control, [message], [output_end, status_end])
        except BaseException:
            os.close(output)
            os.close(status)
            raise
        finally:
            os.close(output_end)
            os.close(status_end)
        pid = _read_line(status)
        if not pid:
            os.close(output)
            os.close(status)
            raise EOFError
        return _ForkedRuntime(int(pid), output, status)


def _read_line(descriptor: int) -> bytes:
    """Read up to a newline, byte by byte so that nothing after it is taken."""
    line = b""
    while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += byte
    return line


def _forkable(environment: Mapping[str, str]) -> bool:
    """Tell whether no variable would have been read before the fork."""
    given = {**ONE_THREAD, "PYTHONDONTWRITEBYTECODE": "1"}
    if any(environment.get(name, value) != value for name, value in given.items()):
        return False
    early = (*READ_AT_IMPORT, READ_BY_INTERPRETER)
    return not any(name.startswith(early) and name not in GIVEN for name in environment)
