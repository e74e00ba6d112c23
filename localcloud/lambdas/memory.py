"""How much memory a process has used, and how much it may write."""

import resource
from contextlib import suppress
from pathlib import Path

import psutil

_MEBIBYTE = 1024 * 1024


def peak_memory_mb(pid: int) -> float:
    """Return the largest resident size of a process so far, MB; 0.0 when it is gone.

    Linux keeps the peak (`VmHWM`), so a burst between two looks is seen too; elsewhere it is the
    size at this moment.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _current_memory_mb(pid)
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _current_memory_mb(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MEBIBYTE
    except psutil.Error:
        return 0.0


def limit_files(pid: int, megabytes: int) -> None:
    """Let a process write no file beyond this size, where the system can say so.

    Lambda limits `/tmp` as a whole; here each file of a function is limited by that size.
    """
    limit = getattr(resource, "prlimit", None)
    if limit is not None:
        with suppress(ProcessLookupError, PermissionError):
            size = megabytes * _MEBIBYTE
            limit(pid, resource.RLIMIT_FSIZE, (size, size))
