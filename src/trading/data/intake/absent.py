"""Who is missing of a session, told apart by for how long: today's gap, or gone for good."""

from dataclasses import dataclass
from datetime import date

from trading.data.intake.record import read_record, read_records
from trading.data.lake import Lake
from trading.data.store.base import ObjectStore
from trading.market.bars import CorporateActionType


@dataclass(frozen=True)
class Absent:
    """The symbols that a session was asked for and lacks, sorted.

    Attributes
    ----------
    missing : for fewer sessions in a row than presume a delisting
    presumed : for exactly so many: from now on they are presumed delisted
    counted : for longer
    back : that have a bar again after so long
    """

    missing: tuple[str, ...] = ()
    presumed: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


def absent(store: ObjectStore, session: date, sessions: int) -> Absent:
    """Return who is missing of a stored session, by its intake's record and those before it.

    `sessions` in a row presume a delisting. The same session is answered in the same way whenever
    it is asked about.
    """
    served = [day.astype(object) for day in Lake(store).sessions()]
    before = [day for day in served if day < session][-sessions:]
    records = read_records(store, before)
    # The latest first.
    earlier = [
        {gap.symbol for gap in records[day].missing} if day in records else set()
        for day in reversed(before)
    ]
    now = {gap.symbol for gap in read_record(store, session)[0].missing}
    spell = {symbol: 1 + _in_a_row(symbol, earlier) for symbol in now}
    gone = set.intersection(*earlier) - now if len(earlier) == sessions else set()
    return Absent(
        tuple(sorted(s for s in now if spell[s] < sessions)),
        tuple(sorted(s for s in now if spell[s] == sessions)),
        tuple(sorted(s for s in now if spell[s] > sessions)),
        _traded(store, gone, session),
    )


def told_delisted(lake: Lake, before: date) -> frozenset[str]:
    """Return the symbols that a delisting was told of, known on the morning of `before`."""
    actions = lake.corporate_actions(before=before)
    return frozenset(a.symbol for a in actions if a.type is CorporateActionType.DELISTING)


def _in_a_row(symbol: str, earlier: list[set[str]]) -> int:
    return next((n for n, missing in enumerate(earlier) if symbol not in missing), len(earlier))


def _traded(store: ObjectStore, symbols: set[str], session: date) -> tuple[str, ...]:
    """Return those of the symbols with a bar of the session."""
    if not symbols:
        return ()
    after = date.fromordinal(session.toordinal() + 1)
    bars = Lake(store).bars(sorted(symbols), before=after, start=session)
    return tuple(sorted(str(symbol) for symbol in bars["symbol"].unique()))
