"""A store of bars beside the lake: it serves a session when the lake does, and not otherwise.

What it is owed is written down before the lake changes, under ``intake/beside/``, and struck out
when the store has it: who is killed in between leaves a note that the next check settles. A writer
tells of its own sessions in any case, since another one may have struck out the note too soon.
"""

from collections.abc import Iterable
from datetime import date

from trading.data.lake import Lake
from trading.data.store.bars.base import BarStore
from trading.data.store.bars.copying import copy_session
from trading.data.store.base import ObjectStore

OWED = "intake/beside/"


def owe(store: ObjectStore, session: date) -> None:
    """Write down that the store beside has to be told of a session."""
    store.put(f"{OWED}{session}", b"")


def settle(store: ObjectStore, beside: BarStore, own: Iterable[date] = ()) -> tuple[date, ...]:
    """Tell the store beside of the caller's sessions and of all it is owed; return them."""
    owed = {date.fromisoformat(key.removeprefix(OWED)) for key in store.keys(OWED)}
    lake, sessions = Lake(store), sorted(owed.union(own))
    for session in sessions:
        copy_session(lake, beside, session)
        store.delete(f"{OWED}{session}")
    return tuple(sessions)
