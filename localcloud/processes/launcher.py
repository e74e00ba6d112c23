"""Run a command that the kernel kills when the cloud dies; started as a bare script.

`python -I -S launcher.py <pid of the cloud> <command> ...` asks Linux for SIGKILL at the parent's
death, checks that the parent is still there, and becomes the command. Elsewhere it only becomes
the command: the reaper kills the process group instead.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command, tied to the life of the parent."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("the cloud that started this process is gone")
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
