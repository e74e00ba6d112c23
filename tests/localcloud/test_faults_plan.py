"""Fault plans: what they say, which calls they strike, and how one is drawn."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from localcloud.errors import CloudError
from localcloud.faults import (
    DELIVERY,
    Fault,
    FaultPlan,
    Injector,
    Kind,
    clear_plan,
    random_plan,
    struck,
    write_plan,
)
from localcloud.faults.plan import FaultPlanError, read_plan
from localcloud.faults.random_plan import OUTAGE
from localcloud.identity.policy import Requirement

STORE = "arn:aws:sts::123456789012:assumed-role/trading-dev-store/trading-dev-store"
MACHINE = "arn:aws:sts::123456789012:assumed-role/trading-dev-month/StepFunctions"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/signals"
PUT = [Requirement("dynamodb:PutItem", TABLE)]


def test_a_plan_comes_back_as_it_was_written() -> None:
    plan = FaultPlan((Fault(Kind.DELAY, "s3:*", seconds=0.5), Fault(Kind.CRASH, after=True)), 7)
    assert read_plan(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "an object with a list"),
        ('{"faults": [{}]}', "must have a kind, one of throttle"),
        ('{"faults": [{"kind": "gremlin"}]}', "must have a kind"),
        ('{"faults": [{"kind": "delay", "second": 1}]}', "unknown field 'second'"),
        ('{"faults": [{"kind": "delay", "seconds": NaN}]}', "seconds must be at least 0"),
        ('{"faults": [{"kind": "delay", "seconds": 1e999}]}', "seconds must be at least 0"),
        ('{"faults": [{"kind": "delay", "times": "2"}]}', "times cannot be '2'"),
        ('{"faults": [{"kind": "delay", "times": true}]}', "times cannot be True"),
        ('{"faults": [{"kind": "delay", "skip": -1}]}', "skip must be at least 0"),
        ('{"faults": [{"kind": "delay", "action": null}]}', "action cannot be None"),
    ],
)
def test_a_plan_that_is_none_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FaultPlanError, match=sentence):
        read_plan(text)


def test_without_a_plan_nothing_is_struck(tmp_path: Path) -> None:
    assert Injector(tmp_path).strike(STORE, PUT) is None
    assert struck(tmp_path) == []


def test_calls_are_skipped_and_struck_as_often_as_the_plan_says(tmp_path: Path) -> None:
    injector = Injector(tmp_path)
    write_plan(tmp_path, FaultPlan((Fault(Kind.THROTTLE, "dynamodb:Put*", skip=2, times=2),)))
    hits = [injector.strike(STORE, PUT) is not None for _ in range(6)]
    assert hits == [False, False, True, True, False, False]
    assert [(one["action"], one["resource"]) for one in struck(tmp_path)] == [
        ("dynamodb:PutItem", TABLE)
    ] * 2
    write_plan(tmp_path, FaultPlan((Fault(Kind.THROTTLE),)))
    assert injector.strike(STORE, PUT) is not None
    assert len(struck(tmp_path)) == 1
    clear_plan(tmp_path)
    assert injector.strike(STORE, PUT) is None


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fault(Kind.THROTTLE), True),
        (Fault(Kind.THROTTLE, "DynamoDB:putitem"), True),
        (Fault(Kind.THROTTLE, "s3:*"), False),
        (Fault(Kind.THROTTLE, resource="*/signals"), True),
        (Fault(Kind.THROTTLE, resource="*/SIGNALS"), False),
        (Fault(Kind.THROTTLE, principal="*:assumed-role/trading-dev-store/*"), True),
        (Fault(Kind.THROTTLE, principal=MACHINE), False),
        (Fault(Kind.REPEAT, DELIVERY), False),
        (Fault(Kind.SPOT_INTERRUPTION), False),
    ],
)
def test_a_fault_strikes_the_calls_that_its_patterns_name(
    tmp_path: Path, fault: Fault, strikes: bool
) -> None:
    write_plan(tmp_path, FaultPlan((fault,)))
    assert (Injector(tmp_path).strike(STORE, PUT) is not None) == strikes


def test_deliveries_are_struck_by_their_own_action_only(tmp_path: Path) -> None:
    injector = Injector(tmp_path)
    write_plan(tmp_path, FaultPlan((Fault(Kind.REPEAT),)))
    assert injector.strike_delivery("events.amazonaws.com", TABLE) is None
    write_plan(tmp_path, FaultPlan((Fault(Kind.REPEAT, DELIVERY, "*signals"),)))
    assert injector.strike_delivery("events.amazonaws.com", "arn:other") is None
    assert injector.strike_delivery("events.amazonaws.com", TABLE) is not None


def test_a_job_is_interrupted_once_and_not_before_its_time(tmp_path: Path) -> None:
    injector = Injector(tmp_path)
    lost = Fault(Kind.SPOT_INTERRUPTION, resource="*/ppo", seconds=5.0)
    write_plan(tmp_path, FaultPlan((lost,)))
    assert not injector.interrupts("arn:job/ppo", "role", 4.9)
    assert not injector.interrupts("arn:job/sac", "role", 60.0)
    assert injector.interrupts("arn:job/ppo", "role", 5.0)
    assert not injector.interrupts("arn:job/ppo", "role", 60.0)


def test_a_malformed_plan_is_reported_at_every_call(tmp_path: Path) -> None:
    injector = Injector(tmp_path)
    (tmp_path / "faults.json").write_text('{"faults": [{"kind": "gremlin"}]}')
    for _ in range(2):
        with pytest.raises(FaultPlanError):
            injector.strike(STORE, PUT)


AUDIT: list[dict[str, Any]] = [
    {"principal": STORE, "action": "dynamodb:PutItem", "decision": "allowed"},
    {"principal": STORE, "action": "dynamodb:BatchWriteItem", "decision": "allowed"},
    {"principal": STORE, "action": "logs:PutLogEvents", "decision": "allowed"},
    {"principal": STORE, "action": "s3:GetObject", "decision": "denied"},
    {"principal": MACHINE, "action": "lambda:InvokeFunction", "decision": "allowed"},
    {"principal": MACHINE, "action": "sagemaker:CreateTrainingJob", "decision": "allowed"},
    {
        "principal": "arn:aws:iam::123456789012:user/operator",
        "action": "s3:PutObject",
        "decision": "allowed",
    },
]


def test_a_drawn_plan_is_the_same_for_the_same_seed() -> None:
    plans = [random_plan(seed, AUDIT, faults=3) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert plans[0].seed == 1
    assert len(plans[0].faults) == 3


def test_draws_reach_every_place_and_kind_and_no_call_that_did_not_happen() -> None:
    drawn = [random_plan(seed, AUDIT).faults[0] for seed in range(2000)]
    assert {one.action for one in drawn} == {
        *("*", DELIVERY, "dynamodb:PutItem", "dynamodb:BatchWriteItem"),
        *("lambda:InvokeFunction", "sagemaker:CreateTrainingJob"),
    }
    assert {one.kind for one in drawn} == set(Kind)
    ended = [one for one in drawn if one.kind in {Kind.CRASH, Kind.TIMEOUT}]
    assert {one.principal for one in ended} == {"*:assumed-role/trading-dev-store/*"}
    by_services = [one for one in drawn if "trading-dev-month/" in one.principal]
    assert by_services
    assert all(one.kind is not Kind.SKEWED and one.times < OUTAGE for one in by_services)
    batches = {one.action for one in drawn if one.kind is Kind.PARTIAL_BATCH}
    assert batches == {"dynamodb:BatchWriteItem"}


def test_a_drawn_fault_always_finds_a_call(tmp_path: Path) -> None:
    missed: Counter[Kind] = Counter()
    for seed in range(100):
        plan = random_plan(seed, AUDIT)
        fault = plan.faults[0]
        if fault.kind is Kind.SPOT_INTERRUPTION or fault.action == DELIVERY:
            continue
        home = tmp_path / str(seed)
        write_plan(home, plan)
        injector = Injector(home)
        hits = [
            injector.strike(one["principal"], [Requirement(one["action"], "*")], conditional=True)
            for one in AUDIT
            if one["decision"] == "allowed"
        ]
        missed[fault.kind] += fault not in hits
    assert not +missed


def test_a_condition_fails_for_conditional_writes_only(tmp_path: Path) -> None:
    write_plan(tmp_path, FaultPlan((Fault(Kind.CONDITION),)))
    injector = Injector(tmp_path)
    assert injector.strike(STORE, PUT) is None
    assert injector.strike(STORE, PUT, conditional=True) is not None


def test_at_most_one_fault_of_a_plan_is_an_outage() -> None:
    plans = [random_plan(seed, AUDIT, faults=3) for seed in range(300)]
    outages = [sum(one.times == OUTAGE for one in plan.faults) for plan in plans]
    assert set(outages) == {0, 1}


def test_nothing_can_be_drawn_from_an_empty_audit() -> None:
    with pytest.raises(CloudError, match="run once without faults"):
        random_plan(1, [])


def test_a_plan_in_the_home_is_plain_json(tmp_path: Path) -> None:
    write_plan(tmp_path, FaultPlan((Fault(Kind.DELAY),), 3))
    loaded = json.loads((tmp_path / "faults.json").read_text())
    assert (loaded["seed"], loaded["faults"][0]["kind"]) == (3, "delay")
