"""Approval by a person: a challenger that passed the gate waits until somebody decides.

Where `approval.required` is set, the state machine hands out a task token and waits. The token is
kept in the ledger beside the month (sk `approval`); `trading approve` and `trading reject` send the
decision back with it. Silence until the time-out keeps the champion.
"""

from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import ClientError

from trading.errors import ConflictError
from trading.month.approval_record import PendingApproval
from trading.month.operator import tell_operator
from trading.month.payloads import Decision, MonthRun, Payload, Validated
from trading.month.resources import Resources

_GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class ApprovalRequest(Payload):
    """Ask for the approval of a challenger; the decision goes back with the task's token."""

    month: MonthRun
    validated: Validated
    token: str


class Asked(Payload):
    """What the operator was asked to approve."""

    version: str


def ask_approval(request: ApprovalRequest, resources: Resources) -> Asked:
    """Keep the token and tell the operator what waits, how long, and how to decide."""
    month, validated = request.month, request.validated
    asked = datetime.now(UTC).replace(microsecond=0)
    pending = PendingApproval(
        month=month.month,
        execution=month.execution,
        version=validated.version,
        asked_at=asked,
        ends_at=asked + timedelta(seconds=validated.approval_seconds),
        token=request.token,
    )
    resources.ledger.approvals.keep(pending)
    tell_operator(
        resources,
        f"Approval needed: challenger of {month.month}",
        [
            f"Challenger {validated.version} of {month.month} passed the gate and waits for a"
            f" decision until {pending.ends_at:%Y-%m-%d %H:%M} UTC; without one the champion"
            " stays.",
            "",
            *(f"- {reason}" for reason in validated.reasons),
            f"- evidence: {validated.verdict_uri}",
            "",
            f"trading approve {month.month} --reason '...'",
            f"trading reject {month.month} --reason '...'",
        ],
        severity="warning",
    )
    return Asked(version=validated.version)


def decide(month: str, *, approved: bool, reason: str, resources: Resources) -> PendingApproval:
    """Send the operator's decision to the execution that waits; return what was decided on.

    Raises `ConflictError` when nothing waits, or waits no more.
    """
    pending = resources.ledger.approvals.read(month)
    if pending is None:
        raise ConflictError(f"nothing of {month} waits for approval")
    decision = Decision(by="operator", approved=approved, reason=reason)
    try:
        boto3.client("stepfunctions").send_task_success(
            taskToken=pending.token, output=decision.model_dump_json()
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        raise ConflictError(
            f"{pending.execution} waits no more: it was decided, timed out at"
            f" {pending.ends_at:%Y-%m-%d %H:%M} UTC, or was stopped"
        ) from error
    resources.ledger.approvals.forget(month)
    return pending
