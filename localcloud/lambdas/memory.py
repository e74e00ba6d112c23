"""How much memory a process has used."""

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
