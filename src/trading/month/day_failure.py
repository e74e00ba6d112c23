"""A day whose fetch failed: tell the operator what happened, and the way out."""

from trading.month.failure import reason_of
from trading.month.failure_requests import DayFailure, Told
from trading.month.operator import tell_operator
from trading.month.resources import Resources


def tell_day_failure(request: DayFailure, resources: Resources) -> Told:
    """Publish the failure of the daily state machine to the alert topic."""
    reason = reason_of(request.failure)
    tell_operator(
        resources,
        "CRITICAL: the daily market data failed",
        [
            f"{request.execution} failed: {reason}",
            "",
            "The sessions that are stored are whole, and what was asked is kept. Mend the cause "
            "and start the state machine of the day again, or wait for the next morning: it "
            "continues.",
        ],
    )
    return Told(reason=reason)
