"""A month that failed: put the champion pointer back, tell the operator, mark the ledger."""

import json

import boto3

from trading.errors import ConflictError
from trading.month.lifecycle import settle
from trading.month.payloads import Failure, FailureRequest, Finished
from trading.month.resources import Resources

SUBJECT_LIMIT = 100


def roll_back(request: FailureRequest, resources: Resources) -> Finished:
    """Put the champion pointer back if a run of this month moved it; safe to repeat.

    The model that it had moved to is a candidate again: the rerun will judge it anew.
    """
    month = request.month
    resources.ledger.undo_promotion(month.month)
    reason = f"{month.month} failed after the promotion"
    settle(month.execution, reason, resources, demoted="CANDIDATE")
    return Finished(month=request.month.month, status="FAILED")


def alert(request: FailureRequest, resources: Resources) -> Finished:
    """Publish the failure to the alert topic and enter it into the ledger."""
    month, reason = request.month, reason_of(request.failure)
    record = resources.ledger.run_of(month.month)
    if record is not None and record.run == month.run:
        try:
            failed = record.model_copy(update={"status": "FAILED", "reason": reason})
            resources.ledger.update_run(failed)
        except ConflictError:
            reason += " (a newer run of the month has begun)"
    boto3.client("sns").publish(
        TopicArn=resources.name("TRADING_ALERT_TOPIC"),
        Subject=f"CRITICAL: trading signals {month.month} failed"[:SUBJECT_LIMIT],
        Message=(
            f"{month.execution} failed: {reason}\n\n"
            f"Environment {resources.settings.environment}, correlation id"
            f" {month.correlation_id}. The champion is the one from before the month; nothing"
            " needs to be cleaned up. Mend the cause and start the month again: finished work is"
            " reused, nothing is stored or mailed twice."
        ),
    )
    return Finished(month=month.month, status="FAILED", reason=reason)


def reason_of(failure: Failure) -> str:
    """Return the sentence in a failure: the cause that a Lambda reports is JSON around it."""
    try:
        cause = json.loads(failure.Cause)
        text = str(cause.get("errorMessage") or cause.get("FailureReason") or failure.Cause)
    except (json.JSONDecodeError, AttributeError):
        text = failure.Cause
    return f"{failure.Error}: {text}"[:2000]
