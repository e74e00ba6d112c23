"""Resolve: what the month stands on, and whether the data is complete."""

from datetime import timedelta

import numpy as np

from trading.errors import DataError
from trading.market.calendar import last_session_before
from trading.month.payloads import Resolved, ResolveRequest
from trading.month.resources import Resources


def resolve(request: ResolveRequest, resources: Resources) -> Resolved:
    """Return the versions of data and champion, or which sessions are missing.

    Raises `DataError` when there is no data, too little history, or (`final`) still a gap.
    """
    settings, month = resources.settings, request.month
    source = resources.lake.source()
    sessions = resources.lake.sessions()
    seen = sessions[sessions < np.datetime64(month.as_of, "D")]
    if source is None or not len(seen):
        raise DataError(f"the lake holds no bars before {month.as_of}; backfill it first")
    expected = last_session_before(month.as_of, settings.data.exchange)
    last = seen[-1].astype(object)
    champion = resources.ledger.champion_before(month.month)
    if last < expected:
        if request.final:
            raise DataError(
                f"bars end on {last}, but {month.month} as of {month.as_of} needs the session"
                f" {expected}; fetch it, or choose an earlier --as-of"
            )
        return Resolved(
            complete=False,
            missing_from=last + timedelta(days=1),
            missing_to=expected,
            last_session=last,
            source=source.name,
            simulated=source.simulated,
            champion=champion,
        )
    if len(seen) < settings.data.min_sessions:
        raise DataError(
            f"{len(seen)} sessions before {month.as_of} are too few to learn from;"
            f" at least {settings.data.min_sessions} are needed (data.min_sessions)"
        )
    return Resolved(
        complete=True,
        last_session=last,
        data_hash=resources.lake.data_hash(month.as_of),
        source=source.name,
        simulated=source.simulated,
        champion=champion,
    )
