"""Start a month: one at a time, none that is done, and none while everything is paused."""

import json
import uuid
from datetime import date
from typing import Any

import boto3
from botocore.exceptions import ClientError

from trading.errors import ConflictError, MonthError
from trading.market.calendar import is_month_start, month_of, today
from trading.month.ledger import RunRecord
from trading.month.payloads import Started, StartRequest
from trading.month.resources import Resources

USED_NAMES = 20


def start_month(request: StartRequest, resources: Resources) -> Started:
    """Start the execution `monthly-YYYY-MM-rN` unless the month is done or running.

    Without `as_of` (the schedule) a month starts only on its first session. Raises `MonthError` for
    a month before one that is done (its champion would have seen the future), while another month
    runs, and where training is to be skipped and there is no champion.
    """
    settings = resources.settings
    as_of = request.as_of or today(settings.schedule.timezone)
    if request.as_of is None and not is_month_start(as_of, settings.data.exchange):
        return Started(
            started=False,
            outcome="not_a_month_start",
            reason=f"{as_of} is not the first session of a month",
        )
    pause = resources.ledger.switch.read()
    if pause is not None:
        return Started(
            started=False,
            outcome="paused",
            reason=f"everything is paused since {pause.at:%Y-%m-%d %H:%M} UTC by {pause.by}:"
            f" {pause.reason}; `trading resume` ends it",
            month=month_of(as_of),
        )
    month = month_of(as_of)
    client = boto3.client("stepfunctions")
    records = resources.ledger.runs()
    _refuse_the_past(month, records)
    latest = next((record for record in records if record.month == month), None)
    if latest is not None and latest.status == "SUCCEEDED":
        return _answer(
            "already_done", f"{month} is done; nothing is stored or mailed twice", latest
        )
    if latest is not None and is_running(client, latest):
        return _answer("already_running", f"{month} is running", latest)
    _refuse_beside_another(month, records, client)
    if request.overrides.skip_training and resources.ledger.champion_before(month) is None:
        raise MonthError(
            f"{month} has no champion to score with: its training cannot be skipped; start it"
            " without --skip-training"
        )
    return _start(request, resources, client, as_of, latest)


def _start(
    request: StartRequest,
    resources: Resources,
    client: Any,
    as_of: date,
    latest: RunRecord | None,
) -> Started:
    """Claim the next run in the ledger and start it.

    A run whose execution's name was used before (the ledger is that of a backup) is passed over.
    """
    machine = resources.name("TRADING_STATE_MACHINE")
    asked = RunRecord(
        month=month_of(as_of),
        as_of=as_of,
        run=0 if latest is None else latest.run,
        status="RUNNING",
        correlation_id=request.correlation_id or str(uuid.uuid4()),
        exclude=request.exclude,
        overrides=request.overrides,
    )
    for run in range(asked.run + 1, asked.run + 1 + USED_NAMES):
        record = asked.model_copy(update={"run": run})
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{record.execution}"
        record = record.model_copy(update={"execution_arn": arn})
        try:
            resources.ledger.claim_run(record)
        except ConflictError:
            reason = f"{record.month} is being started by another process"
            return _answer("already_running", reason, record)
        if _start_execution(client, machine, record):
            return _answer("started", f"started {record.execution}", record)
    raise MonthError(
        f"{record.execution} and the {USED_NAMES - 1} names before it are used by executions that"
        " the ledger does not know; has another deployment's state machine this name?"
    )


def _start_execution(client: Any, machine: str, record: RunRecord) -> bool:
    """Start the run's execution; False when an execution of that name is another run's."""
    payload = {
        "month": record.month,
        "as_of": record.as_of.isoformat(),
        "run": record.run,
        "correlation_id": record.correlation_id,
        "exclude": list(record.exclude),
        "overrides": record.overrides.to_json(),
    }
    try:
        client.start_execution(
            stateMachineArn=machine, name=record.execution, input=json.dumps(payload)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
        # boto3 repeats a call whose answer was lost: the execution may be the one just asked for.
        there = client.describe_execution(executionArn=record.execution_arn)
        return bool(json.loads(there["input"]).get("correlation_id") == record.correlation_id)
    return True


def _answer(outcome: Any, reason: str, record: RunRecord) -> Started:
    return Started(
        started=outcome == "started",
        outcome=outcome,
        reason=reason,
        month=record.month,
        run=record.run,
        execution_arn=record.execution_arn,
    )


def _refuse_the_past(month: str, records: list[RunRecord]) -> None:
    done = [record.month for record in records if record.status == "SUCCEEDED"]
    later = [other for other in done if other > month]
    if later and month not in done:
        raise MonthError(
            f"{month} lies before {max(later)}, which is done: its champion has seen what came"
            " after. Run months in order, or start afresh with another TRADING_HOME."
        )


def _refuse_beside_another(month: str, records: list[RunRecord], client: Any) -> None:
    other = next((r for r in records if r.month != month and is_running(client, r)), None)
    if other is not None:
        raise MonthError(
            f"{other.execution} runs: one month at a time, since each begins with the champion and"
            " the portfolio that the one before it leaves; wait for its end"
        )


def is_running(client: Any, record: RunRecord) -> bool:
    """Ask Step Functions: an execution that is gone or ended does not run."""
    if record.status != "RUNNING" or record.execution_arn is None:
        return False
    try:
        found = client.describe_execution(executionArn=record.execution_arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return False
        raise
    return bool(found["status"] == "RUNNING")
