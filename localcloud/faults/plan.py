"""What goes wrong: a list of faults, each with the calls that it strikes."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from localcloud.errors import CloudError
from localcloud.identity.conditions import pattern

DELIVERY = "localcloud:Deliver"


class Kind(StrEnum):
    """What happens to a call.

    `repeat` is what a client sees whose SDK tries again after a lost response: the call is carried
    out twice, and the second answer is the one that arrives. `condition` strikes conditional writes
    only: another writer came first, and took its write back. `crash` and `timeout` end the function
    that calls. `spot_interruption` takes the instance of a training job away.
    """

    THROTTLE = "throttle"
    UNAVAILABLE = "unavailable"
    SKEWED = "skewed"
    CONFLICT = "conflict"
    CONDITION = "condition"
    LOST_REQUEST = "lost_request"
    LOST_RESPONSE = "lost_response"
    DELAY = "delay"
    REPEAT = "repeat"
    PARTIAL_BATCH = "partial_batch"
    CRASH = "crash"
    TIMEOUT = "timeout"
    SPOT_INTERRUPTION = "spot_interruption"


class FaultPlanError(CloudError):
    """A fault plan is not one."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and when.

    Attributes
    ----------
    kind
        What happens.
    action, resource, principal
        Patterns (`*`, `?`) of the calls that it strikes, in the words of the audit trail: the IAM
        action, the ARN of the resource, the ARN of the caller. The action `localcloud:Deliver`
        stands for the delivery of an event, with the target's ARN as the resource.
    skip
        Matching calls that pass first.
    times
        Calls that are struck, one after the other.
    seconds
        How long a `delay` lasts, or how far a job's training is when its instance is lost.
    after
        For `crash` and `timeout`: whether the call is carried out before its caller ends.
    """

    kind: Kind
    action: str = "*"
    resource: str = "*"
    principal: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 1.0
    after: bool = False

    def matches(self, action: str, resource: str, principal: str) -> bool:
        """Tell whether a call is one of those that the fault is for."""
        return (
            pattern(self.action, ignore_case=True).fullmatch(action) is not None
            and pattern(self.resource).fullmatch(resource) is not None
            and pattern(self.principal).fullmatch(principal) is not None
        )


@dataclass(frozen=True)
class FaultPlan:
    """The faults of a run; `seed` says from which they were drawn, if they were."""

    faults: tuple[Fault, ...]
    seed: int | None = None

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps({"seed": self.seed, "faults": [asdict(one) for one in self.faults]})


def read_plan(text: str) -> FaultPlan:
    """Return the plan of a JSON text; raises `FaultPlanError` naming what is wrong in it."""
    try:
        loaded = json.loads(text)
    except ValueError as error:
        raise FaultPlanError(f"the fault plan is not JSON: {error}") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("faults"), list):
        raise FaultPlanError('a fault plan is an object with a list: {"faults": [...]}')
    faults = tuple(_fault(place, one) for place, one in enumerate(loaded["faults"]))
    return FaultPlan(faults, loaded.get("seed"))


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("action", "resource", "principal"), str),
    **dict.fromkeys(("skip", "times"), int),
    "seconds": (int, float),
    "after": bool,
}


def _fault(place: int, given: Any) -> Fault:
    kinds = ", ".join(Kind)
    if not isinstance(given, dict) or given.get("kind") not in set(Kind):
        raise FaultPlanError(f"fault {place} must have a kind, one of {kinds}")
    unknown = set(given) - {one.name for one in fields(Fault)}
    if unknown:
        known = ", ".join(one.name for one in fields(Fault))
        raise FaultPlanError(
            f"fault {place} has the unknown field {min(unknown)!r}; the fields are {known}"
        )
    for name, kind in _TYPES.items():
        value: Any = given.get(name, getattr(Fault, name))
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits:
            raise FaultPlanError(f"fault {place}: {name} cannot be {value!r}")
        if not isinstance(value, str) and not 0 <= value < math.inf:
            raise FaultPlanError(f"fault {place}: {name} must be at least 0, not {value!r}")
    return Fault(**{**given, "kind": Kind(given["kind"])})
