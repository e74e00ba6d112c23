"""Draw faults at random, among the calls that a run without faults has made."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localcloud.errors import CloudError
from localcloud.faults.plan import DELIVERY, Fault, FaultPlan, Kind

_LOST = (Kind.LOST_REQUEST, Kind.LOST_RESPONSE)
_ANY_CALL = (
    Kind.THROTTLE,
    Kind.UNAVAILABLE,
    Kind.SKEWED,
    *_LOST,
    Kind.DELAY,
    Kind.REPEAT,
)
_BY_FUNCTIONS = (Kind.CRASH, Kind.TIMEOUT)
_CONFLICTING = frozenset(
    {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "s3:PutObject"}
)
_BATCHES = frozenset({"dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"})
_TRAINING = "sagemaker:CreateTrainingJob"
_LONGEST_DELAY = 3.0
_OUTAGES = frozenset(
    {Kind.THROTTLE, Kind.UNAVAILABLE, Kind.SKEWED, Kind.CONFLICT, Kind.CONDITION, *_LOST}
)
OUTAGE = 1000
"""Calls that an outage strikes: all that a run can make at its place."""
# decided on behalf of a service, or beside another action of the same call: no call of their own
_INTERNAL = ("logs:", "ecr:", "events:", "iam:PassRole", "kms:", "sagemaker:AddTags", "xray:")
_SERVICES = ("StepFunctions", "SageMaker", "localcloud-")


def random_plan(seed: int, audit: Iterable[Mapping[str, Any]], *, faults: int = 1) -> FaultPlan:
    """Return a plan of `faults` faults, the same for the same seed and the same calls.

    Parameters
    ----------
    seed
        Seed of the draw; the plan remembers it.
    audit
        Decisions of a run without faults (`read_audit`). Each place of the run - a caller's action
        on a kind of resource - is as likely as any other, however often it was called.
    faults
        How many; at most one of them is an outage, which lasts as long as the run.

    Raises
    ------
    CloudError
        When the audit holds no call that can be struck.
    """
    places = _places(audit)
    if not places:
        raise CloudError("the audit trail holds no call to strike: run once without faults before")
    drawn = random.Random(seed)
    made: list[Fault] = []
    for _ in range(faults):
        one = _draw(drawn, places)
        if one.times == OUTAGE and any(other.times == OUTAGE for other in made):
            one = replace(one, times=1)
        made.append(one)
    return FaultPlan(tuple(made), seed)


@dataclass(frozen=True, order=True)
class _Place:
    """A place of a run where something can go wrong: what a session of a role calls."""

    action: str
    role: str
    is_function: bool


def _places(audit: Iterable[Mapping[str, Any]]) -> list[tuple[_Place, int]]:
    """Return every place with the number of its calls, in an order of its own."""
    counted: Counter[_Place] = Counter()
    for one in audit:
        _, found, session = str(one["principal"]).partition(":assumed-role/")
        action = str(one["action"])
        if found and one["decision"] == "allowed" and not action.startswith(_INTERNAL):
            role, _, name = session.partition("/")
            counted[_Place(action, role, not name.startswith(_SERVICES))] += 1
    return sorted(counted.items())


def _draw(drawn: random.Random, places: list[tuple[_Place, int]]) -> Fault:
    place, calls = drawn.choice(places)
    action = place.action
    kinds = [*_ANY_CALL, *_BY_FUNCTIONS]
    if not place.is_function:
        kinds = [kind for kind in _ANY_CALL if kind is not Kind.SKEWED]
    kinds += [Kind.CONFLICT, Kind.CONDITION] * (action in _CONFLICTING)
    kinds += [Kind.PARTIAL_BATCH] * (action in _BATCHES)
    kinds += [Kind.SPOT_INTERRUPTION] * (action == _TRAINING)
    kind = drawn.choice(kinds)
    # Without Lambda for good, nothing could roll back; the clocks of services are AWS's own.
    lasts = place.is_function and kind in _OUTAGES
    seconds = round(drawn.uniform(0.0, _LONGEST_DELAY), 1)
    if kind is Kind.REPEAT and action == "lambda:InvokeFunction":
        return Fault(kind, DELIVERY, skip=drawn.randrange(3), times=drawn.randint(1, 3))
    if kind is Kind.SPOT_INTERRUPTION:
        return Fault(kind, seconds=seconds)
    return Fault(
        kind,
        action,
        principal=f"*:assumed-role/{place.role}/*",
        skip=drawn.randrange(calls),
        times=drawn.choice((1, 1, 1, 2, 5, *((OUTAGE,) * lasts))),
        seconds=seconds,
        after=drawn.random() < 0.5,
    )
