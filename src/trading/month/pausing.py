"""Pause everything, and go on: the kill switch, the schedules, and what runs just now.

The order makes a crash between two steps harmless: the switch is thrown first, with the names of
the schedules that were on, so that `resume` turns on exactly those, however often it is called.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from trading.errors import ConflictError
from trading.month.failure import roll_back
from trading.month.failure_requests import Failure, FailureRequest
from trading.month.payloads import MonthRun
from trading.month.resources import Resources
from trading.month.start import is_running
from trading.month.switch import Pause

KEPT = (
    *("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "Description"),
    *("FlexibleTimeWindow", "Target", "State", "StartDate", "EndDate", "KmsKeyArn"),
    "ActionAfterCompletion",
)
"""What a schedule is made of; `UpdateSchedule` wants all of it again."""


@dataclass(frozen=True)
class Paused:
    """What a pause did: the pause in force, and the executions that were stopped."""

    pause: Pause
    stopped: tuple[str, ...]


def pause_everything(by: str, reason: str, resources: Resources, *, stop: bool = False) -> Paused:
    """Throw the kill switch and turn the schedules off.

    With `stop` the executions that run are stopped as well: a month's champion goes back to the one
    before it, and its ledger entry says so. Without, they end at the next station that would write.
    """
    switch = resources.ledger.switch
    before = switch.read()
    known = set(before.schedules if before else ())
    enabled = {s["Name"] for s in _schedules(resources) if s["State"] == "ENABLED"}
    pause = switch.pause(by, reason, tuple(sorted(known | enabled)))
    _turn(pause.schedules, "DISABLED", resources)
    stopped = tuple(_stop_all(by, reason, resources)) if stop else ()
    return Paused(pause, stopped)


def resume_everything(resources: Resources) -> Pause | None:
    """Turn on the schedules that the pause turned off, then take the switch back; None if none."""
    pause = resources.ledger.switch.read()
    if pause is None:
        return None
    _turn(pause.schedules, "ENABLED", resources)
    resources.ledger.switch.resume()
    return pause


def _schedules(resources: Resources) -> list[dict[str, Any]]:
    group = f"trading-{resources.settings.environment}-schedules"
    pages = boto3.client("scheduler").get_paginator("list_schedules").paginate(GroupName=group)
    try:
        return [schedule for page in pages for schedule in page["Schedules"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return []  # nothing is deployed here now, so that nothing fires


def _turn(names: tuple[str, ...], state: str, resources: Resources) -> None:
    client, there = boto3.client("scheduler"), {s["Name"]: s for s in _schedules(resources)}
    for name in names:
        if name not in there or there[name]["State"] == state:
            continue
        whole = client.get_schedule(Name=name, GroupName=there[name]["GroupName"])
        kept = {key: whole[key] for key in KEPT if key in whole}
        client.update_schedule(**kept | {"State": state})


def _stop_all(by: str, reason: str, resources: Resources) -> Iterator[str]:
    client = boto3.client("stepfunctions")
    monthly = resources.name("TRADING_STATE_MACHINE")
    for machine in (monthly, monthly.removesuffix("-monthly") + "-daily"):
        for arn in _running(client, machine):
            client.stop_execution(executionArn=arn, error="Stopped", cause=f"{by}: {reason}")
            yield arn.rpartition(":")[2]
    for record in resources.ledger.runs():
        if record.status != "RUNNING" or is_running(client, record):
            continue
        told = {"status": "FAILED", "reason": f"stopped by {by}: {reason}"}
        try:
            resources.ledger.update_run(record, record.model_copy(update=told))
        except ConflictError:
            continue  # it ended by itself meanwhile: its champion is its own
        failure = Failure(Error="Stopped", Cause=f"{by}: {reason}")
        month = MonthRun(
            month=record.month,
            as_of=record.as_of,
            run=record.run,
            execution=record.execution,
            correlation_id=record.correlation_id,
        )
        roll_back(FailureRequest(month=month, failure=failure), resources)


def _running(client: Any, machine: str) -> list[str]:
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="RUNNING"
    )
    try:
        return [str(one["executionArn"]) for page in pages for one in page["executions"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != "StateMachineDoesNotExist":
            raise
        return []
