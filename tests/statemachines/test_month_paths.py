"""Every way through the month's state machine, with stations that answer as they are told."""

from collections.abc import Iterator

import pytest
from month_stations import WHOLE, MonthMachine, month_machine

pytestmark = pytest.mark.slow
NOTHING_BY_HAND = {"skip_training": False, "keep_champion": False}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonthMachine]:
    with month_machine(tmp_path_factory.mktemp("cloud")) as machine:
        yield machine


@pytest.fixture
def machine(served: MonthMachine) -> MonthMachine:
    served.told()
    served.alerts()
    return served


def test_a_challenger_that_passes_is_deployed(machine: MonthMachine) -> None:
    assert machine.run()["status"] == "SUCCEEDED"
    (deployed,) = machine.calls("deploy")
    assert deployed["decision"] == {"by": "gate", "approved": True, "reason": ""}
    assert deployed["month"]["overrides"] == NOTHING_BY_HAND
    assert deployed["month"]["exclude"] == []
    assert len(machine.calls("score_batch")) == 2
    assert not machine.calls("keep_champion")
    assert not machine.calls("alert")


def test_one_that_does_not_pass_is_not(machine: MonthMachine) -> None:
    machine.told(validate={"passed": False})
    assert machine.run()["status"] == "SUCCEEDED"
    (kept,) = machine.calls("keep_champion")
    assert kept["decision"]["by"] == "gate"
    assert not machine.calls("deploy")


def test_the_operator_may_keep_the_champion(machine: MonthMachine) -> None:
    assert machine.run(overrides=NOTHING_BY_HAND | {"keep_champion": True})["status"] == "SUCCEEDED"
    (kept,) = machine.calls("keep_champion")
    assert (kept["decision"]["by"], kept["decision"]["approved"]) == ("operator", False)
    assert not machine.calls("deploy")


def test_the_operator_may_skip_the_training(machine: MonthMachine) -> None:
    overrides = NOTHING_BY_HAND | {"skip_training": True}
    assert machine.run(overrides=overrides, exclude=["AAA"])["status"] == "SUCCEEDED"
    assert not machine.calls("validate")
    (kept,) = machine.calls("keep_champion")
    assert kept["month"]["exclude"] == ["AAA"]
    assert kept["validated"]["challenger_prefix"] == ""
    assert machine.calls("finish")


@pytest.mark.parametrize(("approved", "then"), [(True, "deploy"), (False, "keep_champion")])
def test_a_person_decides_where_approval_is_asked_for(
    machine: MonthMachine, approved: bool, then: str
) -> None:
    machine.told(validate={"passed": True, "approval_seconds": 600})
    arn = machine.start()
    machine.decide(by="operator", approved=approved, reason="looked at it")
    assert machine.ended(arn)["status"] == "SUCCEEDED"
    (called,) = machine.calls(then)
    assert called["decision"]["reason"] == "looked at it"
    assert len(machine.calls("deploy")) + len(machine.calls("keep_champion")) == 1


def test_silence_keeps_the_champion(machine: MonthMachine) -> None:
    machine.told(validate={"passed": True, "approval_seconds": 1})
    assert machine.run()["status"] == "SUCCEEDED"
    (kept,) = machine.calls("keep_champion")
    assert kept["decision"]["by"] == "nobody"


def test_nobody_is_asked_of_a_challenger_that_failed(machine: MonthMachine) -> None:
    machine.told(validate={"passed": False, "approval_seconds": 600})
    assert machine.run()["status"] == "SUCCEEDED"
    assert not machine.calls("ask_approval")


def test_a_paused_environment_runs_nothing_and_says_so(machine: MonthMachine) -> None:
    machine.pause("strange prices")
    try:
        ended = machine.run()
    finally:
        machine.resume()
    assert ended["status"] == "FAILED"
    assert not machine.calls("resolve")
    (told,) = machine.calls("alert")
    assert told["failure"]["Error"] == "PausedError"
    assert "strange prices" in told["failure"]["Cause"]


@pytest.mark.parametrize("lacking", sorted(WHOLE))
def test_an_execution_without_its_month_is_refused_aloud(
    machine: MonthMachine, lacking: str
) -> None:
    ended = machine.ended(machine.start({k: v for k, v in WHOLE.items() if k != lacking}))
    assert (ended["status"], ended["error"]) == ("FAILED", "InputRefused")
    (told,) = machine.alerts()
    assert "was started without month" in told


@pytest.mark.parametrize("error", ["TransientError", "ConflictError"])
def test_what_may_pass_is_tried_again(machine: MonthMachine, error: str) -> None:
    every = ("resolve", "prepare", "validate", "deploy", "market_context", "rank", "store_signals")
    machine.told(**dict.fromkeys((*every, "score_shadow", "measure", "finish"), (error, 1)))
    assert machine.run()["status"] == "SUCCEEDED"
    assert [len(machine.calls(name)) for name in every] == [2] * len(every)


def test_mail_has_a_patience_of_its_own(machine: MonthMachine) -> None:
    machine.told(notify=("MailUnavailableError", 3))
    assert machine.run()["status"] == "SUCCEEDED"
    assert len(machine.calls("notify")) == 4


@pytest.mark.parametrize("station", ["resolve", "validate", "deploy", "store_signals", "notify"])
def test_what_will_not_pass_fails_at_once_and_is_rolled_back(
    machine: MonthMachine, station: str
) -> None:
    machine.told(**{station: ("DataError", 9)})
    ended = machine.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "MonthFailed")
    assert len(machine.calls(station)) == 1
    assert len(machine.calls("rollback")) == 1
    (told,) = machine.calls("alert")
    assert told["failure"]["Error"] == "DataError"
    assert told["rolled_back"] == {"safe": True, "reason": ""}


def test_a_rollback_that_fails_is_told(machine: MonthMachine) -> None:
    machine.told(store_signals=("DataError", 9), rollback=("ModelError", 99))
    assert machine.run()["status"] == "FAILED"
    (told,) = machine.calls("alert")
    assert told["rolled_back"]["safe"] is False
    assert "ModelError" in told["rolled_back"]["reason"]


def test_where_the_alert_fails_the_machine_tells_itself(machine: MonthMachine) -> None:
    machine.told(rank=("DataError", 9), alert=("ConfigurationError", 99))
    ended = machine.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "MonthFailed")
    (told,) = machine.alerts()
    assert "DataError" in told
    assert "ConfigurationError" in told
    assert "trading redrive 2025-02" in told


@pytest.mark.parametrize("watched", ["score_shadow", "check_drift"])
def test_what_only_watches_stops_nothing(machine: MonthMachine, watched: str) -> None:
    machine.told(**{watched: ("DataError", 9)})
    assert machine.run()["status"] == "SUCCEEDED"
    (measured,) = machine.calls("measure")
    key = "shadow" if watched == "score_shadow" else "drift"
    assert measured[key] == {"outcome": "failed", "reason": "DataError", "uri": ""}
