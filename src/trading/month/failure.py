"""A month that failed: put the champion pointer back, tell the operator, mark the ledger."""

import json

from trading.errors import ConflictError
from trading.month.failure_requests import AlertRequest, Failure, FailureRequest, RolledBack
from trading.month.lifecycle import settle
from trading.month.operator import tell_operator
from trading.month.payloads import Finished
from trading.month.resources import Resources

REASON_LIMIT = 2000


def roll_back(request: FailureRequest, resources: Resources) -> RolledBack:
    """Put the champion pointer back if a run of this month moved it; safe to repeat.

    The model that it had moved to is a candidate again: the rerun will judge it anew. Where the
    month has a newer run, or is done, the pointer belongs to that and is left alone.
    """
    month = request.month
    record = resources.ledger.run_of(month.month)
    if record is not None and (record.run > month.run or record.status == "SUCCEEDED"):
        return RolledBack(safe=True, reason=f"the champion is that of run {record.run}")
    resources.ledger.undo_promotion(month.month)
    reason = f"{month.month} failed after the promotion"
    settle(month.execution, reason, resources, demoted="CANDIDATE")
    return RolledBack(safe=True)


def alert(request: AlertRequest, resources: Resources) -> Finished:
    """Enter the failure into the ledger and tell the operator."""
    month, reason = request.month, reason_of(request.failure)
    record = resources.ledger.run_of(month.month)
    if record is not None and record.run == month.run and record.status == "RUNNING":
        try:
            failed = record.model_copy(update={"status": "FAILED", "reason": reason})
            resources.ledger.update_run(record, failed)
        except ConflictError:
            reason += " (another process changed the month's entry meanwhile)"
    tell_operator(
        resources,
        f"CRITICAL: trading signals {month.month} failed",
        [
            f"{month.execution} failed: {reason}",
            "",
            _champion(request.rolled_back),
            f"Mend the cause, then `trading redrive {month.month}`: finished work is reused,"
            " nothing is stored or mailed twice.",
            f"Correlation id {month.correlation_id}.",
        ],
    )
    return Finished(month=month.month, status="FAILED", reason=reason)


def _champion(rolled_back: RolledBack) -> str:
    if rolled_back.safe and rolled_back.reason:
        return f"Nothing was rolled back: {rolled_back.reason}."
    if rolled_back.safe:
        return "The champion is the one from before the month; nothing needs to be cleaned up."
    return (
        "THE CHAMPION POINTER COULD NOT BE PUT BACK and may be the failed month's model"
        f" ({rolled_back.reason}): look at `trading models`, then `trading rollback`."
    )


def reason_of(failure: Failure) -> str:
    """Return the sentence in a failure: the cause that a Lambda reports is JSON around it."""
    try:
        cause = json.loads(failure.Cause)
        text = str(cause.get("errorMessage") or cause.get("FailureReason") or failure.Cause)
    except (json.JSONDecodeError, AttributeError):
        text = failure.Cause
    return f"{failure.Error}: {text}"[:REASON_LIMIT]
