"""May this run still write? Asked by every station before it writes what others see.

An execution can outlive its standing: a newer run of the month has begun (the older one was given
up for dead, or was redriven by hand), the month was withdrawn or marked as failed, or the operator
has paused everything.
"""

from trading.errors import MonthError
from trading.month.payloads import MonthRun
from trading.month.resources import Resources


class PausedError(MonthError):
    """The environment is paused."""


class StaleRunError(MonthError):
    """The run is not the one that its month waits for."""


def require_standing(month: MonthRun, resources: Resources) -> None:
    """Return when the run may write; raises `StaleRunError` or `PausedError`."""
    record = resources.ledger.run_of(month.month)
    if record is None:
        raise StaleRunError(
            f"{month.execution} is not in the ledger; months are started by the function"
            f" trading-{resources.settings.environment}-start-month, or again by `trading redrive`"
        )
    if record.run != month.run:
        raise StaleRunError(
            f"{month.execution} writes nothing any more: the month's latest run is {record.run}"
        )
    if record.status != "RUNNING":
        raise StaleRunError(
            f"{month.execution} writes nothing any more: the ledger says {record.status}"
            f" ({record.reason}); start a new run with `trading redrive {month.month}`"
        )
    pause = resources.ledger.switch.read()
    if pause is not None:
        raise PausedError(
            f"the environment was paused by {pause.by}: {pause.reason}; `trading resume` ends the"
            f" pause, then `trading redrive {month.month}`"
        )
