"""Withdraw a month: the way out when a stored month must be run again with other content.

A stored month is never rewritten behind anybody's back. When it failed after it was stored and the
cause was mended in code or settings, or when it rests on data that was wrong, the operator takes it
back with a reason: what it said is kept in the runs store, the champion pointer goes back to where
the month began, and the next run of the month starts afresh.

The steps come in an order in which a crash between any two of them is mended by withdrawing again.
"""

from datetime import UTC, datetime
from typing import Any

import boto3
from pydantic import BaseModel, ConfigDict

from trading.errors import ConflictError, MonthError, NotFoundError
from trading.month.ledger import RunRecord
from trading.month.lifecycle import settle
from trading.month.notify import MailRecord, forget_mails, mails_of
from trading.month.resources import Resources
from trading.month.start import is_running
from trading.notifications.mail_ledger import MailState
from trading.signals.model import MonthlySignal, MonthPerformance
from trading.signals.store import StoredMonth

FOLDER = "withdrawn"


class Withdrawal(BaseModel):
    """A month that was taken back: who, when (UTC), why, and all that it had said."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    month: str
    run: int
    at: datetime
    by: str
    reason: str
    model_version: str | None
    signals: tuple[MonthlySignal, ...]
    performance: MonthPerformance | None
    mails: tuple[MailRecord, ...]


def withdraw_month(
    month: str, reason: str, by: str, resources: Resources, *, mail_again: bool = False
) -> Withdrawal:
    """Take a stored month back, so that it can be run again; return what it had said.

    Parameters
    ----------
    month : the latest month that is stored, whether its run succeeded or failed afterwards
    reason, by : kept with the withdrawal, the ledger and the models
    mail_again : let the month's mail go out anew, marked as a correction, to recipients that have
        had it

    Raises
    ------
    ConflictError
        There is nothing to withdraw, or another process changed the month meanwhile.
    MonthError
        The month runs, a later month stands on it, or its mail has gone out and `mail_again` was
        not said.
    """
    record = resources.ledger.run_of(month)
    stored = _stored(month, resources)
    if record is None or (stored is None and record.status != "SUCCEEDED"):
        raise ConflictError(f"{month} is not stored: there is nothing to withdraw, just run it")
    mails = mails_of(month, resources)
    _refuse(record, mails, resources, mail_again=mail_again)
    withdrawal = _keep(record, stored, mails, reason, by, resources)
    taken_back = record.model_copy(
        update={"status": "WITHDRAWN", "reason": f"withdrawn by {by}: {reason}"}
    )
    resources.ledger.update_run(record, taken_back)
    resources.ledger.undo_promotion(month)
    settle(by, f"{month} was withdrawn: {reason}", resources, demoted="CANDIDATE")
    if mail_again:
        forget_mails(month, resources)
    resources.signals.withdraw_month(month)
    return withdrawal


def withdrawals(month: str, resources: Resources) -> tuple[Withdrawal, ...]:
    """Return how often a month was taken back, the earliest first."""
    runs = resources.runs
    return tuple(
        Withdrawal.model_validate_json(runs.get(key).body)
        for key in runs.keys(f"{FOLDER}/{month}/")
    )


def correction(month: str, resources: Resources) -> str | None:
    """Return, for the month's mail, what it corrects; None where no mail had gone out before."""
    told = [one for one in withdrawals(month, resources) if one.mails]
    if not told:
        return None
    last = told[-1]
    return f"the signals mailed before were withdrawn on {last.at:%Y-%m-%d}: {last.reason}"


def _stored(month: str, resources: Resources) -> StoredMonth | None:
    try:
        return resources.signals.read_month(month)
    except NotFoundError:
        return None


def _refuse(
    record: RunRecord, mails: tuple[MailRecord, ...], resources: Resources, *, mail_again: bool
) -> None:
    month = record.month
    if is_running(boto3.client("stepfunctions"), record):
        raise MonthError(f"{month} is running; wait for its end, then withdraw it")
    later = [other for other in resources.signals.months() if other > month]
    if later:
        raise MonthError(
            f"{', '.join(later)} stand on {month}: their portfolios began with its orders; withdraw"
            " them first, the latest first"
        )
    gone = [mail.recipient for mail in mails if mail.state != MailState.RELEASED]
    if gone and not mail_again:
        raise MonthError(
            f"the mail of {month} has gone out to {len(gone)} recipient(s), who may have acted on"
            " it; say --mail-again to withdraw it all the same and mail a correction"
        )


def _keep(
    record: RunRecord,
    stored: StoredMonth | None,
    mails: tuple[MailRecord, ...],
    reason: str,
    by: str,
    resources: Resources,
) -> Withdrawal:
    """Write what the month had said; the first account of a run stays as it is."""
    key = f"{FOLDER}/{record.month}/r{record.run:03d}.json"
    kept: dict[str, Any] = {
        "model_version": record.model_version,
        "signals": (),
        "performance": None,
    }
    if stored is not None:
        kept = {
            "model_version": stored.model_version,
            "signals": stored.signals,
            "performance": stored.performance,
        }
    withdrawal = Withdrawal(
        month=record.month,
        run=record.run,
        at=datetime.now(UTC).replace(microsecond=0),
        by=by,
        reason=reason,
        mails=mails,
        **kept,
    )
    if not resources.runs.exists(key):
        resources.runs.put(key, withdrawal.model_dump_json(indent=1).encode())
        return withdrawal
    return Withdrawal.model_validate_json(resources.runs.get(key).body)
