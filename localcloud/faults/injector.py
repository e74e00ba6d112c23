"""Decides which calls are struck, by the plan that lies in the home.

The plan, `DIR/faults.json`, is read anew whenever it changes, so that one warm cloud serves many
runs; counting starts again with each. What was struck is written to `DIR/faults.jsonl`.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.faults.plan import DELIVERY, Fault, FaultPlan, Kind, read_plan
from localcloud.identity.policy import Requirement

PLAN = "faults.json"
RECORD = "faults.jsonl"
_NONE = FaultPlan(())


@dataclass
class _Progress:
    """How far each fault of a plan is: calls that matched it, and calls that it struck."""

    seen: Counter[int]
    struck: Counter[int]


class Injector:
    """Strikes calls according to the plan of one home.

    Parameters
    ----------
    home
        The cloud's folder.
    """

    def __init__(self, home: Path) -> None:
        self._plan_path = home / PLAN
        self._record_path = home / RECORD
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._plan = _NONE
        self._progress = _Progress(Counter(), Counter())

    def strike(
        self, principal: str, needs: Iterable[Requirement], *, conditional: bool = False
    ) -> Fault | None:
        """Return the fault that a call meets, if any; `needs` is what the call requires.

        `conditional` tells whether it is a write that may be refused by a condition of its own.
        Raises `FaultPlanError` while the plan in the home cannot be read.
        """
        with self._lock:
            self._refresh()
            if not self._plan.faults:
                return None
            for need in needs:
                fault = self._first(need, principal, conditional)
                if fault is not None:
                    return fault
        return None

    def strike_delivery(self, service: str, target: str) -> Fault | None:
        """Return the fault that the delivery of an event to a target meets, if any."""
        return self.strike(service, [Requirement(DELIVERY, target)])

    def interrupts(self, job_arn: str, role: str, seconds: float) -> bool:
        """Tell whether a job loses its Spot instance now, `seconds` into its training."""
        with self._lock:
            self._refresh()
            for place, fault in enumerate(self._plan.faults):
                if (
                    fault.kind is Kind.SPOT_INTERRUPTION
                    and fault.seconds <= seconds
                    and self._progress.struck[place] < fault.times
                    and fault.matches("sagemaker:CreateTrainingJob", job_arn, role)
                ):
                    self._strike(place, fault, "sagemaker:CreateTrainingJob", job_arn, role)
                    return True
        return False

    def _first(self, need: Requirement, principal: str, conditional: bool) -> Fault | None:
        action, resource = need.action, need.resource
        for place, fault in enumerate(self._plan.faults):
            if fault.kind is Kind.SPOT_INTERRUPTION or (
                (action == DELIVERY) != (fault.action == DELIVERY)
            ):
                continue
            if fault.kind is Kind.CONDITION and not conditional:
                continue
            if not fault.matches(action, resource, principal):
                continue
            self._progress.seen[place] += 1
            due = self._progress.seen[place] > fault.skip
            if due and self._progress.struck[place] < fault.times:
                self._strike(place, fault, action, resource, principal)
                return fault
        return None

    def _strike(self, place: int, fault: Fault, action: str, resource: str, principal: str) -> None:
        self._progress.struck[place] += 1
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "fault": place,
            "kind": str(fault.kind),
            "action": action,
            "resource": resource,
            "principal": principal,
        }
        with self._record_path.open("a", encoding="utf-8") as record:
            record.write(json.dumps(line) + "\n")

    def _refresh(self) -> None:
        try:
            found = self._plan_path.stat()
        except FileNotFoundError:
            self._version, self._plan = None, _NONE
            return
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        if version != self._version:
            self._plan = read_plan(self._plan_path.read_text(encoding="utf-8"))
            self._progress = _Progress(Counter(), Counter())
            self._version = version


def write_plan(home: Path, plan: FaultPlan) -> None:
    """Have the cloud of a home follow a plan from its next call on; forget what was struck."""
    home.mkdir(parents=True, exist_ok=True)
    (home / RECORD).unlink(missing_ok=True)
    partial = home / f"{PLAN}.partial"
    partial.write_text(plan.to_json() + "\n", encoding="utf-8")
    partial.replace(home / PLAN)


def clear_plan(home: Path) -> None:
    """Let nothing more go wrong in the cloud of a home."""
    (home / PLAN).unlink(missing_ok=True)


def struck(home: Path) -> list[dict[str, Any]]:
    """Return what was struck since the plan was written, oldest first."""
    path = home / RECORD
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
