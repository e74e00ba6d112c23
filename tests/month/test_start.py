from collections.abc import Callable
from datetime import date

import boto3
import pytest

from trading.errors import ConflictError, MonthError
from trading.month import start
from trading.month.ledger import RunRecord
from trading.month.payloads import ChampionRef, Overrides, StartRequest
from trading.month.resources import Resources
from trading.month.withdraw import withdraw_month

WAIT = '{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":300,"End":true}}}'
ROLE = "arn:aws:iam::123456789012:role/machine"
AS_OF = date(2019, 12, 2)


@pytest.fixture
def with_machine(make_resources: Callable[..., Resources]) -> Resources:
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(name="m", definition=WAIT, roleArn=ROLE)
    return make_resources(TRADING_STATE_MACHINE=machine["stateMachineArn"])


def finished(resources: Resources, month: str, as_of: date) -> None:
    resources.ledger.claim_run(
        RunRecord(month=month, as_of=as_of, run=1, status="SUCCEEDED", execution_arn="arn")
    )


def test_a_month_starts_once_while_it_runs(with_machine: Resources) -> None:
    first = start.start_month(StartRequest(as_of=AS_OF), with_machine)
    assert (first.outcome, first.month, first.run) == ("started", "2019-12", 1)
    second = start.start_month(StartRequest(as_of=AS_OF), with_machine)
    assert (second.outcome, second.execution_arn) == ("already_running", first.execution_arn)


def test_a_month_that_is_done_is_not_run_again(with_machine: Resources) -> None:
    finished(with_machine, "2019-12", AS_OF)
    answer = start.start_month(StartRequest(as_of=AS_OF), with_machine)
    assert answer.outcome == "already_done"
    assert "nothing is stored or mailed twice" in answer.reason


def test_an_execution_that_is_gone_is_run_again(with_machine: Resources) -> None:
    gone = with_machine.name("TRADING_STATE_MACHINE").replace("stateMachine", "execution")
    with_machine.ledger.claim_run(
        RunRecord(
            month="2019-12", as_of=AS_OF, run=3, status="RUNNING", execution_arn=f"{gone}:gone"
        )
    )
    answer = start.start_month(StartRequest(as_of=AS_OF), with_machine)
    assert (answer.outcome, answer.run) == ("started", 4)


def test_a_month_before_a_finished_one_is_refused(with_machine: Resources) -> None:
    finished(with_machine, "2019-12", AS_OF)
    with pytest.raises(MonthError, match="2019-11 lies before 2019-12"):
        start.start_month(StartRequest(as_of=date(2019, 11, 1)), with_machine)


@pytest.mark.parametrize(("day", "starts"), [(date(2019, 12, 2), True), (date(2019, 12, 3), False)])
def test_the_schedule_starts_on_first_sessions_only(
    with_machine: Resources, monkeypatch: pytest.MonkeyPatch, day: date, starts: bool
) -> None:
    monkeypatch.setattr(start, "today", lambda _zone: day)
    answer = start.start_month(StartRequest(), with_machine)
    assert answer.started is starts


def test_a_withdrawn_month_starts_again_and_one_that_runs_has_nothing_to_withdraw(
    with_machine: Resources,
) -> None:
    finished(with_machine, "2019-12", AS_OF)
    withdraw_month("2019-12", "wrong bars", "operator", with_machine)
    again = start.start_month(StartRequest(as_of=AS_OF), with_machine)
    assert (again.outcome, again.run) == ("started", 2)
    with pytest.raises(ConflictError, match="nothing to withdraw"):
        withdraw_month("2019-12", "wrong bars", "operator", with_machine)


def test_training_cannot_be_skipped_before_there_is_a_champion(with_machine: Resources) -> None:
    request = StartRequest(as_of=AS_OF, overrides=Overrides(skip_training=True))
    with pytest.raises(MonthError, match="no champion to score with"):
        start.start_month(request, with_machine)
    assert with_machine.ledger.run_of("2019-12") is None
    earlier = ChampionRef(version="v", kind="baseline", prefix="p", month="2019-11")
    with_machine.ledger.promote(earlier, "monthly-2019-11-r1")
    assert start.start_month(request, with_machine).started
    record = with_machine.ledger.run_of("2019-12")
    assert record is not None
    assert record.overrides.skip_training
