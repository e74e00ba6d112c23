"""What is left to do: which sessions to ask, and for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from trading.config import Settings
from trading.data.actions.symbols import Listing
from trading.data.intake.record import SessionRecord, read_records
from trading.data.lake import Lake
from trading.data.providers.vendor_bars import finished_sessions
from trading.data.store.base import ObjectStore
from trading.errors import DataError
from trading.market.calendar import sessions_between

# What a provider refused for good is asked again for this many sessions: it may come late.
ASK_AGAIN_SESSIONS = 5


@dataclass(frozen=True)
class ToDo:
    """The sessions asked for, by what is to be done about them.

    Attributes
    ----------
    new : of which the lake has nothing that it serves: to ask for every symbol
    partial : held sessions with the symbols that they lack: to ask for those
    held : with nothing left to do
    holidays : days that are no session
    unfinished : sessions whose bars are not final yet
    records : of the sessions, where there is one
    """

    new: tuple[date, ...] = ()
    partial: Mapping[date, tuple[str, ...]] = field(default_factory=dict)
    held: tuple[date, ...] = ()
    holidays: tuple[date, ...] = ()
    unfinished: tuple[date, ...] = ()
    records: Mapping[date, SessionRecord] = field(default_factory=dict)

    @property
    def ask(self) -> tuple[date, ...]:
        """All sessions to ask, ascending."""
        return tuple(sorted({*self.new, *self.partial}))


def sessions_to_do(
    store: ObjectStore,
    days: Sequence[date],
    symbols: Sequence[str] | None,
    settings: Settings,
    *,
    now: datetime | None = None,
) -> ToDo:
    """Return what an intake of `days` has left to do.

    Parameters
    ----------
    store : the lake's
    days : in any order
    symbols : who is wanted; None for whoever comes: then a session that is held is done
    settings : `data.exchange`
    now : UTC, by default the machine's

    A quarantined session is to be asked again. A bar that every provider refused is asked again
    for `ASK_AGAIN_SESSIONS` sessions.
    """
    now = now or datetime.now(UTC)
    wanted = sorted(set(days))
    if not wanted:
        return ToDo()
    exchange = settings.data.exchange
    sessions = {s.astype(object) for s in sessions_between(wanted[0], wanted[-1], exchange)}
    over = {s.astype(object) for s in finished_sessions(wanted[0], wanted[-1], exchange, now)}
    lake = Lake(store)
    served = {s.astype(object) for s in lake.sessions()}
    asked = [day for day in wanted if day in sessions]
    held = [day for day in asked if day in served]
    records = read_records(store, asked)
    names_of = now.date() + timedelta(days=1)
    partial = {} if symbols is None else _lacking(lake, held, symbols, records, names_of)
    return ToDo(
        new=tuple(day for day in asked if day in over and day not in served),
        partial=partial,
        held=tuple(day for day in held if day not in partial),
        holidays=tuple(day for day in wanted if day not in sessions),
        unfinished=tuple(day for day in asked if day not in over and day not in served),
        records=records,
    )


def _lacking(
    lake: Lake,
    held: Sequence[date],
    symbols: Sequence[str],
    records: Mapping[date, SessionRecord],
    names_of: date,
) -> dict[date, tuple[str, ...]]:
    """Return the symbols that each session lacks and that are worth asking for.

    Shares go by the symbols of the morning of `names_of`, and by that of the session.
    """
    if not held or not symbols:
        return {}
    try:
        days, names, close = lake.field(
            "close", before=held[-1] + timedelta(days=1), start=held[0], as_of=names_of
        )
    except DataError:
        return {}
    known = lake.symbols(before=names_of)
    renamed = known.renamed(names_of - timedelta(days=1))
    column = {name: n for n, name in enumerate(names)}
    unique = tuple(dict.fromkeys(symbols))
    place = np.array([column.get(symbol, -1) for symbol in unique])
    recent = {day.astype(object) for day in lake.sessions()[-ASK_AGAIN_SESSIONS:]}
    found: dict[date, tuple[str, ...]] = {}
    row_of = {day.astype(object): t for t, day in enumerate(days)}
    for day in held:
        # The last entry stands for symbols without a column.
        present = np.append(~np.isnan(close[row_of[day]]), False)
        lacks = ~present[place]
        if not lacks.any():
            continue
        record = records.get(day)
        settled = () if record is None or day in recent else _settled(record)
        names_lacking = {
            symbol
            for symbol in (unique[n] for n in np.flatnonzero(lacks))
            if symbol not in settled
            and not known.goes_by_another(symbol, day)
            and not present[column.get(_served_as(symbol, day, renamed), -1)]
        }
        if names_lacking:
            found[day] = tuple(symbol for symbol in unique if symbol in names_lacking)
    return found


def _served_as(symbol: str, day: date, renamed: Sequence[tuple[Listing, str]]) -> str:
    """Return the name under which the bar of `symbol` on `day` is served."""
    return next((name for x, name in renamed if x.symbol == symbol and x.covers(day)), symbol)


def _settled(record: SessionRecord) -> set[str]:
    return {gap.symbol for gap in record.missing if not gap.may_pass}
