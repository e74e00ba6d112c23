"""Peak memory of this command and all its processes: proportional set size (PSS), summed."""

import os
import threading
from pathlib import Path

PROC = Path("/proc")


def _children(processes: dict[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pid, parent in processes.items():
        found.setdefault(parent, []).append(pid)
    return found


def _parents() -> dict[int, int]:
    """Return the parent of every process, from /proc."""
    parents: dict[int, int] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    return parents


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def tree_pss_mb(root: int) -> float | None:
    """Return the PSS of a process and its descendants in MiB; None where /proc is missing."""
    if not (PROC / "self" / "smaps_rollup").exists():
        return None
    children = _children(_parents())
    pending, total = [root], 0
    while pending:
        pid = pending.pop()
        total += _pss_kb(pid)
        pending += children.get(pid, [])
    return total / 1024


class PeakMemory:
    """Samples the process tree while the block runs; `peak_mb` is None where it cannot be read."""

    def __init__(self, interval_seconds: float = 0.5) -> None:
        self.peak_mb: float | None = None
        self._interval = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            now = tree_pss_mb(os.getpid())
            if now is not None:
                self.peak_mb = max(now, self.peak_mb or 0.0)
            if self._stop.wait(self._interval):
                return
