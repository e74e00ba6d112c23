"""Faults drawn at random strike a month: it is whole, or it failed aloud and changed nothing.

A seed draws the variant of the month, perhaps a trouble of the providers (a poisoned session among
them), and one to three faults among all calls that it makes. Set `TRADING_FAULT_SEEDS` (`17`,
`3,8,100:300`) to run seeds of your own with the soak test.
"""

import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from fault_tally import FaultTally, task_states
from faulty_market import FATAL, Trouble
from faulty_month import NEVER_STARTED, RECIPIENTS, UNMARKED, FaultyMonth, faulty_month
from ordeals import FAILING, VARIANTS

from localcloud.faults import Fault, FaultPlan, Kind

LOGGER = logging.getLogger(__name__)
# A failure stands: another try would draw other faults.
pytestmark = [pytest.mark.timeout(1800), pytest.mark.flaky(reruns=0)]
ONCE_EACH = Counter(RECIPIENTS)
RANDOM_RUNS, SOAK_SEEDS = 20, range(200)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyMonth]:
    with faulty_month(tmp_path_factory.mktemp("faulty") / "home") as made:
        check_undisturbed(made)
        yield made
        assert made.refusals() == []


@pytest.fixture(scope="module")
def tally() -> FaultTally:
    return FaultTally()


def soak_seeds() -> list[int]:
    chosen = os.environ.get("TRADING_FAULT_SEEDS")
    if not chosen:
        return list(SOAK_SEEDS)
    parts = (part.partition(":") for part in chosen.split(","))
    ranges = (range(int(first), int(end or int(first) + 1)) for first, _, end in parts)
    return [seed for one in ranges for seed in one]


@pytest.mark.slow
def test_months_struck_at_random(month: FaultyMonth, tally: FaultTally) -> None:
    """Other seeds each time, in one test since they share a cloud; a failure prints its seed."""
    for _ in range(RANDOM_RUNS):
        strike(month, tally, random.SystemRandom().randrange(10**6))


@pytest.mark.soak
@pytest.mark.parametrize("seed", soak_seeds())
def test_a_month_struck_by_the_faults_of_a_seed(
    month: FaultyMonth, tally: FaultTally, seed: int
) -> None:
    strike(month, tally, seed)


@pytest.mark.soak
def test_an_execution_without_a_month_is_refused_aloud(
    month: FaultyMonth, tally: FaultTally
) -> None:
    throttled = Fault(Kind.THROTTLE, "sns:Publish", times=4)
    left = month.run_without_a_month(FaultPlan((throttled,)))
    tally.count("REFUSED", [str(hit["kind"]) for hit in month.struck()], month.states_struck())
    assert month.states_struck() == ["RefuseInput"] * 4
    assert left.alerts == ("CRITICAL: an execution of the month has no month",)
    assert (left.status, left.champion) == (NEVER_STARTED, month.champion_before)
    assert (left.mails, left.signals) == (Counter(), ())


@pytest.mark.soak
def test_every_fault_has_struck_and_every_state_was_struck(
    month: FaultyMonth, tally: FaultTally, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write("\n".join(("", *tally.lines(), "")))
    if tally.ended.total() < len(SOAK_SEEDS):
        pytest.skip(f"told of all {len(SOAK_SEEDS)} seeds in one process only")
    assert tally.kinds.keys() == {*map(str, Kind), *map(str, Trouble)}
    assert task_states(month.definition) - tally.states.keys() == set()


def check_undisturbed(month: FaultyMonth) -> None:
    """The variants are what they say: all but the last come whole."""
    undisturbed = {variant: month.undisturbed[variant] for variant in VARIANTS}
    assert {left.status for left in undisturbed.values()} == {"SUCCEEDED"}
    assert all(left.mails == ONCE_EACH and left.signals for left in undisturbed.values())
    assert undisturbed["deploy"].champion != month.champion_before
    assert undisturbed["keep"].champion == month.champion_before
    assert undisturbed["skip"].champion == month.champion_before
    failing = month.undisturbed[FAILING]
    assert (failing.status, failing.champion) == ("FAILED", month.champion_before)
    assert failing.alerts
    assert failing.mails == Counter()


def strike(month: FaultyMonth, tally: FaultTally, seed: int) -> None:
    """Run a struck month, judge what it left, and bring a failed one to its end."""
    ordeal = month.draw(seed)
    LOGGER.warning("%s", ordeal)
    left = month.run(ordeal)
    hits = month.struck()
    trouble = month.struck_at_providers()
    kinds = [str(hit["kind"]) for hit in hits] + [str(ordeal.trouble)] * bool(trouble)
    states = month.states_struck()
    met = Counter(
        f"{hit['kind']} of {hit['action']} in {state}"
        for hit, state in zip(hits, states, strict=True)
    )
    LOGGER.warning(
        "seed %d struck: %s, %s; left: %s, %s", seed, dict(met), trouble, left.status, left.alerts
    )
    tally.count(left.status, kinds, states)
    wanted = month.undisturbed[ordeal.variant]
    if left.status == "SUCCEEDED":
        assert ordeal.trouble not in FATAL
        assert left.mails == ONCE_EACH
        assert left.signals == wanted.signals
        assert left.champion == wanted.champion
        return
    if left.status == NEVER_STARTED:  # the schedule's dead letters tell the operator
        assert left.mails == Counter()
    else:
        assert left.status in {"FAILED", UNMARKED}
        assert left.alerts
    assert left.champion == month.champion_before
    assert left.signals in ((), wanted.signals)
    assert not left.mails - ONCE_EACH
    again = month.run_again(ordeal.variant)
    assert again.status == "SUCCEEDED"
    assert (again.mails, again.signals, again.champion) == (
        ONCE_EACH,
        wanted.signals,
        wanted.champion,
    )
