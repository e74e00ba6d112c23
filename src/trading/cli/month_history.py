"""The history that a month stands on, from a provider: filled as `trading backfill` fills it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from trading.cli.filling import Job, fill
from trading.cli.home import Home
from trading.cli.intake_view import outcome_json, print_outcome
from trading.cli.lake import LakeChoice
from trading.cli.output import console
from trading.cli.which_symbols import WhichSymbols, which_symbols
from trading.config import Settings
from trading.data.intake import SessionStatus
from trading.data.store import ObjectStore
from trading.errors import DataError
from trading.market.calendar import first_session_from, last_session_before
from trading.month.backfill import Backfilled
from trading.universe.iwv import read_iwv

# Three years: what the features, the folds and the least history of a month need, and some more.
HISTORY_DAYS = 3 * 366
UNREACHED = (SessionStatus.FAILED, SessionStatus.LEFT)


def history_job(
    settings: Settings,
    home: Home,
    as_of: date,
    *,
    first: date | None,
    constituents: Path | None,
) -> Job:
    """Return the filling that a month as of `as_of` needs: from `first` to the session before it.

    Parameters
    ----------
    settings : `data.provider` names who is asked
    home : whose embedded cloud has the lake
    as_of : bars strictly before it count
    first : the first day; by default three years before
    constituents : a published holdings file: its members are asked; by default the kept universe
    """
    exchange = settings.data.exchange
    begin = first or first_session_from(as_of - timedelta(days=HISTORY_DAYS), exchange)
    last = last_session_before(as_of, exchange)
    if constituents is not None:
        symbols = tuple(sorted(read_iwv(constituents).symbols))
        which = WhichSymbols(symbols, f"{len(symbols):,} of {constituents.name}")
    else:
        which = which_symbols((), None, whole_market=False, home=home, first=begin, last=last)
    return Job(settings, LakeChoice(home, "real"), begin, last, which, datetime.now(UTC))


def fill_history(job: Job, store: ObjectStore, *, confirm: bool) -> Backfilled:
    """Bring the history into the lake and return the account of it.

    Raises `DataError` when sessions are still to come: no month is run on half a history.
    Raises `KeyboardInterrupt` when the user ended it.
    """
    filled = fill(job, store, confirm=confirm)
    if filled.finished is None:
        return Backfilled(0, None)
    done = filled.finished.result
    print_outcome(done, {}, to=console)
    if filled.stopped:
        raise KeyboardInterrupt
    if lacking := done.count(*UNREACHED):
        first = next(o for o in done.outcomes if o.status in UNREACHED)
        why = "; ".join(first.reasons) or "no reason was told"
        raise DataError(
            f"{lacking:,} of {len(done.outcomes):,} sessions are still to come (first "
            f"{first.session}: {why}); mend it and run the same command again: it continues"
        )
    told = {name: value for name, value in outcome_json(done, {}).items() if name != "sessions"}
    return Backfilled(done.bars, told | {"account": filled.finished.account.to_dict()})
