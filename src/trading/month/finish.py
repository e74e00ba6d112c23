"""Finish: close the month in the ledger."""

from trading.month.payloads import Finished, FinishRequest
from trading.month.resources import Resources
from trading.month.standing import StaleRunError


def finish(request: FinishRequest, resources: Resources) -> Finished:
    """Mark the month as succeeded; safe to repeat.

    By now everything is stored and mailed: a pause does not hold it back. Raises `StaleRunError`
    when the ledger waits for another run, or for none: this one was stopped, failed or withdrawn,
    and its champion is put back; `ConflictError` when that happens at the same moment.
    """
    month = request.month
    record = resources.ledger.run_of(month.month)
    if record is None or record.run != month.run:
        raise StaleRunError(f"{month.execution} is not the run that the ledger waits for")
    if record.status not in ("RUNNING", "SUCCEEDED"):
        raise StaleRunError(
            f"{month.execution} cannot succeed any more: the ledger says {record.status}"
            f" ({record.reason}); start a new run with `trading redrive {month.month}`"
        )
    resources.ledger.update_run(
        record,
        record.model_copy(
            update={
                "status": "SUCCEEDED",
                "model_version": request.champion.version,
                "reason": request.champion.message,
            }
        ),
    )
    return Finished(month=month.month, status="SUCCEEDED")
