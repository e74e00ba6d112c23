"""Finish: close the month in the ledger."""

from trading.month.payloads import Finished, FinishRequest
from trading.month.resources import Resources
from trading.month.standing import StaleRunError


def finish(request: FinishRequest, resources: Resources) -> Finished:
    """Mark the month as succeeded; safe to repeat.

    By now everything is stored and mailed: a pause does not hold it back. Raises `StaleRunError`
    when the ledger waits for another run.
    """
    month = request.month
    record = resources.ledger.run_of(month.month)
    if record is None or record.run != month.run:
        raise StaleRunError(f"{month.execution} is not the run that the ledger waits for")
    resources.ledger.update_run(
        record.model_copy(
            update={
                "status": "SUCCEEDED",
                "model_version": request.champion.version,
                "reason": request.champion.message,
            }
        )
    )
    return Finished(month=month.month, status="SUCCEEDED")
