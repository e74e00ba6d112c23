"""Finish: close the month in the ledger."""

from trading.month.ledger import RunRecord
from trading.month.payloads import Finished, FinishRequest
from trading.month.resources import Resources


def finish(request: FinishRequest, resources: Resources) -> Finished:
    """Mark the month as succeeded; safe to repeat."""
    month = request.month
    record = resources.ledger.run_of(month.month)
    base = record or RunRecord(
        month=month.month, as_of=month.as_of, run=month.run, status="RUNNING"
    )
    resources.ledger.update_run(
        base.model_copy(
            update={
                "run": month.run,
                "status": "SUCCEEDED",
                "model_version": request.champion.version,
                "reason": request.champion.message,
            }
        )
    )
    return Finished(month=month.month, status="SUCCEEDED")
