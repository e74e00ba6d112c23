"""Faults drawn at random strike a month: it is whole, or it failed aloud and changed nothing.

A seed draws the variant of the month and one to three faults among all calls that it makes. Set
`TRADING_FAULT_SEEDS` (`17` or `100:300`) to run seeds of your own with the soak test.
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from faulty_month import NEVER_STARTED, RECIPIENTS, VARIANTS, FaultyMonth, faulty_month

from localcloud.faults import Fault, Kind

LOGGER = logging.getLogger(__name__)
# A failure stands: another try would draw other faults.
pytestmark = [pytest.mark.timeout(1800), pytest.mark.flaky(reruns=0)]
ONCE_EACH = Counter(RECIPIENTS)
RANDOM_RUNS, SOAK_SEEDS = 20, range(200)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyMonth]:
    with faulty_month(tmp_path_factory.mktemp("faulty") / "home") as made:
        yield made


def soak_seeds() -> range:
    first, _, end = os.environ.get("TRADING_FAULT_SEEDS", "").partition(":")
    if not first:
        return SOAK_SEEDS
    return range(int(first), int(end) if end else int(first) + 1)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(RANDOM_RUNS))
def test_a_month_struck_at_random(month: FaultyMonth, place: int) -> None:
    """Another seed each time; its number is in the output of a failure."""
    strike(month, random.SystemRandom().randrange(10**6))


@pytest.mark.soak
@pytest.mark.parametrize("seed", soak_seeds())
def test_a_month_struck_by_the_faults_of_a_seed(month: FaultyMonth, seed: int) -> None:
    strike(month, seed)


@pytest.mark.slow
def test_the_variants_are_what_they_say(month: FaultyMonth) -> None:
    undisturbed = month.undisturbed
    assert {left.status for left in undisturbed.values()} == {"SUCCEEDED"}
    assert all(left.mails == ONCE_EACH and left.signals for left in undisturbed.values())
    assert undisturbed["deploy"].champion != month.champion_before
    assert undisturbed["keep"].champion == month.champion_before
    assert undisturbed["skip"].champion == month.champion_before


def concerns_training(fault: Fault) -> bool:
    """Tell whether a fault can only strike a run that trains; most runs reuse what was trained."""
    return fault.kind is Kind.SPOT_INTERRUPTION or fault.action.startswith("sagemaker:")


def strike(month: FaultyMonth, seed: int) -> None:
    """Run a struck month, judge what it left, and bring a failed one to its end."""
    drawn = random.Random(seed)
    variant = drawn.choice(sorted(VARIANTS))
    plan = month.plan(seed, variant)
    train = drawn.random() < 0.2 or any(concerns_training(fault) for fault in plan.faults)
    LOGGER.warning("seed %d: %s, training %s, %s", seed, variant, train, plan.to_json())
    left = month.run(plan, variant, train=train)
    LOGGER.warning("struck: %s; left: %s, %s", month.struck(), left.status, left.alerts)
    wanted = month.undisturbed[variant]
    if left.status == "SUCCEEDED":
        assert left.mails == ONCE_EACH
        assert left.signals == wanted.signals
        assert left.champion == wanted.champion
        return
    if left.status == NEVER_STARTED:  # the schedule's dead letters tell the operator
        assert left.mails == Counter()
    else:
        assert left.status == "FAILED"
        assert left.alerts
    assert left.champion == month.champion_before
    assert left.signals in ((), wanted.signals)
    assert not left.mails - ONCE_EACH
    again = month.run_again(variant)
    assert again.status == "SUCCEEDED"
    assert (again.mails, again.signals, again.champion) == (
        ONCE_EACH,
        wanted.signals,
        wanted.champion,
    )
