"""Start child processes that cannot outlive the cloud, not even its `kill -9`."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, TypeVar

from localcloud.errors import CloudError

T = TypeVar("T")
Stream = int | IO[bytes] | None
_HERE = Path(__file__).parent
_BARE_PYTHON = [sys.executable, "-I", "-S"]


class Spawner:
    """Starts every child of the cloud.

    Linux sends the parent-death signal when the *thread* that forked ends, so one thread, which
    lives as long as the cloud, does all the forking. Each child leads its own process group, and a
    small reaper process kills the groups that are left when the cloud's end of its pipe closes.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
        self._thread.start()
        self._reaper = self._fork(
            lambda: subprocess.Popen(  # noqa: S603
                [*_BARE_PYTHON, str(_HERE / "reaper.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `command` with exactly this environment as the leader of a new process group.

        The caller waits for the process and then calls `forget`. Raises `CloudError` when the
        cloud is stopping.
        """
        full = [*_BARE_PYTHON, str(_HERE / "launcher.py"), str(os.getpid()), *command]

        def start() -> subprocess.Popen[bytes]:
            child = subprocess.Popen(  # noqa: S603
                full,
                env=dict(environment),
                cwd=directory,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                start_new_session=True,
            )
            with self._lock:
                self._children[child.pid] = child
                self._tell("+", child.pid)
            return child

        return self._fork(start)

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """Kill what is left of an ended child's process group and take it off the list."""
        _kill_group(child.pid)
        with self._lock:
            if self._children.pop(child.pid, None) is not None:
                self._tell("-", child.pid)

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """Kill a child and its process group now."""
        _kill_group(child.pid)

    def close(self) -> None:
        """Kill every child that is left and end the reaper; starts nothing afterwards."""
        with self._gate:
            if self._closed:
                return
            closing = self._ask(self._close_children)
            self._closed = True
            self._requests.put(None)
        closing.result()
        self._thread.join(timeout=5)

    def _close_children(self) -> None:
        with self._lock:
            children = list(self._children.values())
            self._children.clear()
        for child in children:
            _kill_group(child.pid)
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)
        pipe = self._reaper.stdin
        if pipe is not None and not pipe.closed:
            pipe.close()
            self._reaper.wait(timeout=5)

    def _tell(self, change: str, group: int) -> None:
        pipe = self._reaper.stdin
        if pipe is not None and not pipe.closed:
            pipe.write(f"{change}{group}\n".encode())
            pipe.flush()

    def _fork(self, start: Callable[[], T]) -> T:
        with self._gate:
            if self._closed:
                raise CloudError("the cloud is stopping, so it starts no further process")
            answer = self._ask(start)
        return answer.result()

    def _ask(self, work: Callable[[], T]) -> Future[T]:
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
                answer.set_exception(error)

        self._requests.put(run)
        return answer

    def _serve(self) -> None:
        while (run := self._requests.get()) is not None:
            run()


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
