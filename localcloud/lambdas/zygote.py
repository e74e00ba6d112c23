"""Fork execution environments from a process that has imported the heavy libraries already.

Started as a bare script: `python -P zygote.py <control fd> <module>...`. Every request on the
control socket carries a JSON message and two descriptors, for output and for status. The fork gets
exactly the requested environment and becomes AWS's runtime interface client, which is imported only
there. The status descriptor tells its process id, then its exit status. This process has one
thread, so that a fork is safe; when the control socket closes, it kills every fork and ends.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
import traceback

PR_SET_PDEATHSIG = 1
LONGEST_MESSAGE = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Import the modules, then fork on request until the control socket closes."""
    control = socket.socket(fileno=int(arguments[0]))
    for module in arguments[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    Zygote(control).serve()


class Zygote:
    """Serves the control socket and watches the forks.

    Parameters
    ----------
    control
        Socket of the cloud, message by message.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._forks: dict[int, tuple[int, int]] = {}

    def serve(self) -> None:
        """Fork and reap until the cloud closes the control socket."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._accept():
                        self._kill_all()
                        return
                else:
                    self._reap(int(key.fd))

    def _accept(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, LONGEST_MESSAGE, 2)
        if not message:
            return False
        output, status = descriptors
        zygote, request = os.getpid(), json.loads(message)
        pid = os.fork()
        if pid == 0:
            self._selector.close()
            self._control.close()
            for watched, (_, other) in self._forks.items():
                os.close(watched)
                os.close(other)
            os.close(status)
            become_runtime(request, output, zygote)
        os.close(output)
        watched = os.pidfd_open(pid)
        self._forks[watched] = (pid, status)
        self._selector.register(watched, selectors.EVENT_READ)
        _tell(status, f"{pid}\n")
        return True

    def _reap(self, watched: int) -> None:
        pid, status = self._forks.pop(watched)
        self._selector.unregister(watched)
        os.close(watched)
        _, ended = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        _tell(status, f"{os.waitstatus_to_exitcode(ended)}\n")
        os.close(status)

    def _kill_all(self) -> None:
        for pid, _ in self._forks.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def become_runtime(request: dict[str, object], output: int, zygote: int) -> None:
    """Turn this fork into `python -m awslambdaric <handler>`; never returns."""
    code = 1
    try:
        os.setsid()
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != zygote:
            os._exit(1)
        _redirect(output)
        _take_environment(dict(request["environment"]), str(request["directory"]))  # type: ignore[call-overload]
        sys.argv = ["awslambdaric", str(request["handler"])]
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - the fork ends here, whatever happened
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


def _take_environment(environment: dict[str, str], directory: str) -> None:
    """Be in the place and state in which a fresh interpreter would start."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    time.tzset()
    path = [one for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:0] = [directory, *path]
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()  # Python's own generator reseeds itself in a fork, numpy's does not.


def _tell(status: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(status, text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
