"""What a struck month has to go through, drawn from a seed."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faulty_market import FATAL, Trouble

from localcloud.faults import Fault, FaultPlan, Kind, random_plan
from localcloud.faults.random_plan import OUTAGE
from trading.month.payloads import Overrides

VARIANTS: Mapping[str, Overrides] = {
    "deploy": Overrides(),
    "keep": Overrides(keep_champion=True),
    "skip": Overrides(skip_training=True),
}
FAILING = "failing"
"""The audit of a month that fails: what it calls on its way to the alert."""
TROUBLED, TRAINING, UNALERTED, INTERRUPTED, FORESTALLED = 0.4, 0.1, 0.3, 0.7, 0.2
HALF_DONE, ANY_FUNCTION = 0.1, 0.4
"""Shares of the runs whose providers are in trouble, and that train anew; of those that must fail,
whose alert has to come from the machine itself; of those that train, that lose their instance; of
the rest, whose conditional writes find another writer there, or whose batches are half done; and
of all, that are struck in some function, each as likely as any other."""


@dataclass(frozen=True)
class Ordeal:
    """What a run of the month has to go through, all of it drawn from the seed."""

    seed: int
    variant: str
    train: bool
    trouble: Trouble | None
    plan: FaultPlan

    def __str__(self) -> str:
        trained = "training" if self.train else "with the models trained before"
        told = self.trouble or "no trouble"
        return f"seed {self.seed}: {self.variant}, {trained}, {told}, {self.plan.to_json()}"


def draw_ordeal(seed: int, audits: Mapping[str, Iterable[Mapping[str, Any]]]) -> Ordeal:
    """Draw a variant, perhaps a trouble of the providers, and faults.

    One to three of them strike calls that `audits` shows of the variant (of the failing month,
    where the trouble is fatal), each as likely as any other; some more are of kinds that such a
    draw seldom finds.
    """
    drawn = random.Random(seed)
    variant = drawn.choice(sorted(VARIANTS))
    trouble = drawn.choice(sorted(Trouble)) if drawn.random() < TROUBLED else None
    audit = list(audits[FAILING if trouble in FATAL else variant])
    plan = random_plan(seed, audit, faults=1 + seed % 3)
    train = drawn.random() < TRAINING or any(_concerns_training(one) for one in plan.faults)
    more = _faults_of_alerts(drawn) if trouble in FATAL else _rare_faults(drawn, train=train)
    if drawn.random() < ANY_FUNCTION:
        more = (*more, _fault_of_any_function(drawn, audit))
    return Ordeal(seed, variant, train, trouble, FaultPlan((*plan.faults, *more), seed))


def _concerns_training(fault: Fault) -> bool:
    """Tell whether a fault can only strike a run that trains; most runs reuse what was trained."""
    return fault.kind is Kind.SPOT_INTERRUPTION or fault.action.startswith("sagemaker:")


def _fault_of_any_function(drawn: random.Random, audit: Iterable[Mapping[str, Any]]) -> Fault:
    """Return a fault of an early call of a function, each as likely as any other."""
    sessions = (str(one["principal"]).partition(":assumed-role/")[2] for one in audit)
    roles = {
        role for role, _, name in (one.partition("/") for one in sessions) if role and role == name
    }
    principal = f"*:assumed-role/{drawn.choice(sorted(roles))}/*"
    kind = drawn.choice((Kind.THROTTLE, Kind.UNAVAILABLE, Kind.LOST_RESPONSE, Kind.CRASH))
    return Fault(kind, principal=principal, skip=drawn.randrange(2))


def _rare_faults(drawn: random.Random, *, train: bool) -> list[Fault]:
    """Return faults that a draw among all calls seldom finds, some of the time."""
    found: list[Fault] = []
    if train and drawn.random() < INTERRUPTED:
        found.append(Fault(Kind.SPOT_INTERRUPTION, seconds=round(drawn.uniform(0.0, 3.0), 1)))
    if drawn.random() < FORESTALLED:
        action = drawn.choice(("dynamodb:*", "s3:PutObject"))
        skip, times = drawn.randrange(10), drawn.randint(1, 2)
        found.append(Fault(Kind.CONDITION, action, skip=skip, times=times))
    elif drawn.random() < HALF_DONE:
        found.append(Fault(Kind.PARTIAL_BATCH, "dynamodb:Batch*", times=drawn.randint(1, 3)))
    return found


def _faults_of_alerts(drawn: random.Random) -> Sequence[Fault]:
    """Return, some of the time, an outage of the alert's function and a fault of its stand-in."""
    if drawn.random() >= UNALERTED:
        return ()
    role = "*:assumed-role/trading-dev-{}/*"
    kind = drawn.choice((Kind.THROTTLE, Kind.UNAVAILABLE, Kind.LOST_REQUEST, Kind.LOST_RESPONSE))
    return (
        Fault(Kind.UNAVAILABLE, "sns:Publish", principal=role.format("alert"), times=OUTAGE),
        Fault(kind, "sns:Publish", principal=role.format("monthly"), times=drawn.randint(1, 3)),
    )
