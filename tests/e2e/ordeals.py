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
"""Shares of the runs whose providers are in trouble, and that train anew; of those that must fail,
whose alert has to come from the machine itself; of those that train, that lose their instance; of
the rest, whose conditional writes find another writer there."""


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
    plan = random_plan(seed, audits[FAILING if trouble in FATAL else variant], faults=1 + seed % 3)
    train = drawn.random() < TRAINING or any(_concerns_training(one) for one in plan.faults)
    more = _faults_of_alerts(drawn) if trouble in FATAL else _rare_faults(drawn, train=train)
    return Ordeal(seed, variant, train, trouble, FaultPlan((*plan.faults, *more), seed))


def _concerns_training(fault: Fault) -> bool:
    """Tell whether a fault can only strike a run that trains; most runs reuse what was trained."""
    return fault.kind is Kind.SPOT_INTERRUPTION or fault.action.startswith("sagemaker:")


def _rare_faults(drawn: random.Random, *, train: bool) -> list[Fault]:
    """Return faults that a draw among all calls seldom finds, some of the time."""
    found: list[Fault] = []
    if train and drawn.random() < INTERRUPTED:
        found.append(Fault(Kind.SPOT_INTERRUPTION, seconds=round(drawn.uniform(0.0, 3.0), 1)))
    if drawn.random() < FORESTALLED:
        action = drawn.choice(("dynamodb:*", "s3:PutObject"))
        skip, times = drawn.randrange(10), drawn.randint(1, 2)
        found.append(Fault(Kind.CONDITION, action, skip=skip, times=times))
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
