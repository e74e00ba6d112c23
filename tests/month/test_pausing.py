"""The kill switch: what it turns off, what it stops, and what comes back."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import boto3
import pytest

from trading.month.ledger import RunRecord
from trading.month.pausing import pause_everything, resume_everything
from trading.month.payloads import ChampionRef, MonthRun, StartRequest
from trading.month.resources import Resources
from trading.month.standing import PausedError, StaleRunError, require_standing
from trading.month.start import start_month

WAIT = '{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":300,"End":true}}}'
ROLE = "arn:aws:iam::123456789012:role/machine"
AS_OF = date(2019, 12, 2)
GROUP = "trading-dev-schedules"


@pytest.fixture
def deployed(make_resources: Callable[..., Resources]) -> Resources:
    states, scheduler = boto3.client("stepfunctions"), boto3.client("scheduler")
    machine = states.create_state_machine(
        name="trading-dev-monthly", definition=WAIT, roleArn=ROLE
    )["stateMachineArn"]
    states.create_state_machine(name="trading-dev-daily", definition=WAIT, roleArn=ROLE)
    scheduler.create_schedule_group(Name=GROUP)
    for name, state in (("fetch-daily", "ENABLED"), ("start-month", "ENABLED"), ("x", "DISABLED")):
        scheduler.create_schedule(
            Name=name,
            GroupName=GROUP,
            ScheduleExpression="cron(0 7 1-5 * ? *)",
            ScheduleExpressionTimezone="America/New_York",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target={"Arn": machine, "RoleArn": ROLE, "Input": '{"kept": 1}'},
        )
    return make_resources(TRADING_STATE_MACHINE=machine)


def schedules() -> dict[str, str]:
    listed = boto3.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"]
    return {schedule["Name"]: schedule["State"] for schedule in listed}


def month_run(run: int = 1) -> MonthRun:
    return MonthRun(
        month="2019-12",
        as_of=AS_OF,
        run=run,
        execution=f"monthly-2019-12-r{run}",
        correlation_id="",
    )


def test_a_pause_turns_off_what_was_on_and_resuming_turns_on_just_that(
    deployed: Resources,
) -> None:
    paused = pause_everything("operator", "strange prices", deployed)
    assert paused.pause.schedules == ("fetch-daily", "start-month")
    assert set(schedules().values()) == {"DISABLED"}
    whole = boto3.client("scheduler").get_schedule(Name="start-month", GroupName=GROUP)
    assert whole["ScheduleExpressionTimezone"] == "America/New_York"
    assert json.loads(whole["Target"]["Input"]) == {"kept": 1}
    again = pause_everything("operator", "still strange", deployed)
    assert again.pause.schedules == paused.pause.schedules
    ended = resume_everything(deployed)
    assert ended is not None
    assert ended.reason == "still strange"
    assert schedules() == {"fetch-daily": "ENABLED", "start-month": "ENABLED", "x": "DISABLED"}
    assert resume_everything(deployed) is None


def test_no_month_starts_in_a_pause(deployed: Resources) -> None:
    pause_everything("operator", "strange prices", deployed)
    answer = start_month(StartRequest(as_of=AS_OF), deployed)
    assert (answer.started, answer.outcome) == (False, "paused")
    assert "strange prices" in answer.reason
    assert deployed.ledger.run_of("2019-12") is None
    resume_everything(deployed)
    assert start_month(StartRequest(as_of=AS_OF), deployed).started


def test_a_month_that_runs_stops_at_the_next_station_that_writes(deployed: Resources) -> None:
    assert start_month(StartRequest(as_of=AS_OF), deployed).started
    require_standing(month_run(), deployed)
    pause_everything("operator", "strange prices", deployed)
    with pytest.raises(PausedError, match="strange prices"):
        require_standing(month_run(), deployed)


def test_with_stop_it_ends_at_once_and_the_ledger_says_so(deployed: Resources) -> None:
    started = start_month(StartRequest(as_of=AS_OF), deployed)
    paused = pause_everything("operator", "strange prices", deployed, stop=True)
    assert paused.stopped == ("monthly-2019-12-r1",)
    ended = boto3.client("stepfunctions").describe_execution(executionArn=started.execution_arn)
    assert ended["status"] == "ABORTED"
    record = deployed.ledger.run_of("2019-12")
    assert record is not None
    assert (record.status, record.reason) == ("FAILED", "stopped by operator: strange prices")
    resume_everything(deployed)
    assert start_month(StartRequest(as_of=AS_OF), deployed).run == 2


def test_a_month_that_succeeds_just_before_its_stop_stays_done(
    deployed: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last station writes after the ledger was read for the stop; its champion stays too."""
    start_month(StartRequest(as_of=AS_OF), deployed)
    made = ChampionRef(version="v", kind="ensemble", prefix="p", month="2019-12")
    deployed.ledger.promote(made, "monthly-2019-12-r1")

    def ended(client: Any, record: RunRecord) -> bool:
        deployed.ledger.update_run(record, record.model_copy(update={"status": "SUCCEEDED"}))
        return False

    monkeypatch.setattr("trading.month.pausing.is_running", ended)
    pause_everything("operator", "strange prices", deployed, stop=True)
    record, champion = deployed.ledger.run_of("2019-12"), deployed.ledger.champion()
    assert record is not None
    assert champion is not None
    assert (record.status, champion.ref()) == ("SUCCEEDED", made)


def test_where_nothing_is_deployed_the_switch_holds_all_the_same(
    make_resources: Callable[..., Resources],
) -> None:
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:trading-dev-monthly"
    resources = make_resources(TRADING_STATE_MACHINE=gone)
    paused = pause_everything("operator", "no cloud", resources, stop=True)
    assert (paused.pause.schedules, paused.stopped) == ((), ())
    assert resources.ledger.switch.read() == paused.pause


def test_an_older_run_a_finished_one_and_an_unknown_one_write_nothing(deployed: Resources) -> None:
    with pytest.raises(StaleRunError, match="not in the ledger; .*trading-dev-start-month"):
        require_standing(month_run(), deployed)
    start_month(StartRequest(as_of=AS_OF), deployed)
    record = deployed.ledger.run_of("2019-12")
    assert record is not None
    deployed.ledger.claim_run(record.model_copy(update={"run": 2}))
    with pytest.raises(StaleRunError, match="latest run is 2"):
        require_standing(month_run(1), deployed)
    require_standing(month_run(2), deployed)
    second = record.model_copy(update={"run": 2})
    deployed.ledger.update_run(second, second.model_copy(update={"status": "FAILED"}))
    with pytest.raises(StaleRunError, match="trading redrive 2019-12"):
        require_standing(month_run(2), deployed)


def test_two_months_at_once_are_refused(deployed: Resources) -> None:
    start_month(StartRequest(as_of=AS_OF), deployed)
    with pytest.raises(Exception, match="one month at a time"):
        start_month(StartRequest(as_of=date(2020, 1, 2)), deployed)


def test_names_that_executions_have_used_are_passed_over(deployed: Resources) -> None:
    """As after a restore of the ledger from a backup."""
    machine = deployed.name("TRADING_STATE_MACHINE")
    states = boto3.client("stepfunctions")
    for run in (1, 2):
        states.start_execution(
            stateMachineArn=machine,
            name=f"monthly-2019-12-r{run}",
            input='{"correlation_id": "of another life"}',
        )
    answer = start_month(StartRequest(as_of=AS_OF), deployed)
    assert (answer.outcome, answer.run) == ("started", 3)
    record = deployed.ledger.run_of("2019-12")
    assert record is not None
    assert record.execution_arn == answer.execution_arn
