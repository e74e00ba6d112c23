"""Copy what a lake serves into another store of bars, so that both answer alike."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import numpy as np

from trading.data.lake import Lake
from trading.data.parquet import BarColumns
from trading.data.store.bars.base import BarStore, StoreReport
from trading.market.bars import CorporateAction


def copy_bars(lake: Lake, target: BarStore, start: date, end: date) -> StoreReport:
    """Copy the served daily bars from `start` to `end`, both included, and every action.

    Bars go as they were stored, with what they are adjusted for; what the target holds already
    costs a comparison. A quarantined session is not copied, and withheld there. Symbols are those
    under which the bars were stored. Copying again after a kill completes it.
    """
    told: dict[date, list[CorporateAction]] = defaultdict(list)
    for row in lake.told():
        told[row.told].append(row.action)
    for day in sorted(told):
        target.store_actions(told[day], adjusted_through=day)
    for session in lake.quarantined():
        if start <= session <= end:
            target.withhold(session)
    return _copy(lake, target, start, end)


def copy_session(lake: Lake, target: BarStore, session: date) -> None:
    """Let a store serve of a session what the lake serves: its bars, or none in quarantine."""
    if session in lake.quarantined():
        target.withhold(session)
    else:
        _copy(lake, target, session, session)


def _copy(lake: Lake, target: BarStore, start: date, end: date) -> StoreReport:
    rows = written = 0
    for part in lake.stored_parts(start, end):
        for through, some in _by_basis(part):
            done = target.store(some.to_bars(), adjusted_through=through)
            rows, written = rows + done.rows, written + done.written
    return StoreReport(rows, written)


def _by_basis(part: BarColumns) -> Iterator[tuple[date, BarColumns]]:
    """Yield the rows as traded (under `date.min`), then those of each later basis."""
    basis = part.day if part.basis is None else part.basis
    own = basis == part.day
    if own.any():
        yield date.min, part.take(own)
    for through in np.unique(basis[~own]):
        yield through.astype(object), part.take(~own & (basis == through))
