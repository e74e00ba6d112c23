"""The record of every decision: who asked for what, and which statement answered."""

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.identity.policy import Decision, Requirement

FLUSH_SECONDS = 0.2


class AuditTrail:
    """Appends decisions to a JSON Lines file, buffered, on disk within `FLUSH_SECONDS`.

    Each line holds `time` (UTC), `principal`, `action`, `resource`, `decision` (`allowed` or
    `denied`) and `statement` (`<policy>#<Sid>`; null where no statement allows it).
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1 << 16)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._flush_often, name="audit", daemon=True)
        self._thread.start()

    def record(self, principal: str, requirement: Requirement, decision: Decision) -> None:
        """Append one decision."""
        line = json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "principal": principal,
                "action": requirement.action,
                "resource": requirement.resource,
                "decision": "allowed" if decision.allowed else "denied",
                "statement": decision.statement,
            }
        )
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self._closed.set()
        self._thread.join(timeout=5)
        with self._lock:
            self._file.close()

    def _flush_often(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            with self._lock:
                self._file.flush()


def read_audit(path: Path, *, denied_only: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the decisions of a file, oldest first; a last line cut short by a kill is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            found = None
            with contextlib.suppress(json.JSONDecodeError):
                found = json.loads(line)
            if found is not None and (found["decision"] == "denied" or not denied_only):
                yield found
