"""Kill what is left of the cloud's process groups once the cloud is gone; started as a bare script.

It reads `+<group>` and `-<group>` lines from its standard input. The end of the input is the death
of the cloud, by whatever cause: every group still on the list is killed. This reaches what the
kernel's parent-death signal does not: grandchildren, and every child on macOS.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Follow the list until the cloud is gone, then kill the groups on it."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        (groups.add if change == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
