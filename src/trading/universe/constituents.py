"""Who is a member: from the published list, or point in time from the bars themselves.

Membership is rebuilt once a year, as the index is, in `settings.reconstitution_month`; in between
members only leave, when they no longer trade. A later bar can change nothing: every function looks
at sessions strictly before the as-of date.
"""

from datetime import date

import numpy as np

from trading.config import UniverseSettings
from trading.errors import DataError
from trading.market.panel import Panel
from trading.universe.iwv import Constituent, Constituents, read_iwv, symbol_key
from trading.universe.liquidity import descending, median_dollar_volume, sessions_since_bar
from trading.universe.slots import SlotMap

__all__ = [
    "Constituent",
    "Constituents",
    "members_for",
    "members_from_bars",
    "read_iwv",
    "symbol_key",
]

RANKING_WINDOW = 63


def members_from_bars(
    panel: Panel, limit: int, *, max_stale_sessions: int = 5, window: int = RANKING_WINDOW
) -> tuple[str, ...]:
    """Return the `limit` most traded names that still trade, the most traded first.

    Ranked by the median daily value traded over the last `window` sessions, ties by symbol; a name
    that has bars but too few for a median ranks behind those that have one. A name without a bar
    in the last `max_stale_sessions + 1` sessions is left out. The index ranks by market
    capitalisation, which bars do not hold; the value traded stands in for it.
    """
    if not len(panel.sessions):
        return ()
    last = len(panel.sessions) - 1
    symbols = np.array(panel.symbols, dtype=np.str_)
    order = descending(median_dollar_volume(panel, last, window), symbols)
    trading = (sessions_since_bar(panel, last) <= max_stale_sessions) & (symbols != "")
    return tuple(str(symbol) for symbol in symbols[order[trading[order]]][:limit])


def members_for(
    panel: Panel,
    previous: SlotMap | None,
    as_of: date,
    settings: UniverseSettings,
    constituents: Constituents | None = None,
) -> tuple[str, ...]:
    """Return the members as of a date, the most important first.

    Between reconstitutions: the active names of `previous` that still trade. At a reconstitution
    (see `reconstitution_due`): the published `constituents` that trade, or without a list the
    most traded names. At most `settings.active` names, except that a published list is given whole
    so that `allocate` can count what it leaves out.

    Raises
    ------
    DataError
        No name trades, or the published list is not from before `as_of`.
    """
    if constituents and constituents.as_of >= as_of:
        raise DataError(
            f"the published members are of {constituents.as_of}, but on the morning of {as_of} "
            "only earlier lists were known; give an earlier list"
        )
    known = panel.before(as_of)
    ranked = members_from_bars(
        known, len(known.symbols), max_stale_sessions=settings.max_stale_sessions
    )
    if previous is not None and not reconstitution_due(previous, as_of, settings, constituents):
        active = set(previous.active)
        members = tuple(symbol for symbol in ranked if symbol in active)
    elif constituents is not None:
        members = _listed(ranked, constituents)
    else:
        members = ranked[: settings.active]
    if not members:
        raise DataError(
            f"no member of the universe has a bar in the {settings.max_stale_sessions + 1} "
            f"sessions before {as_of}; fetch the bars up to then"
        )
    return members


def reconstitution_due(
    previous: SlotMap,
    as_of: date,
    settings: UniverseSettings,
    constituents: Constituents | None = None,
) -> bool:
    """Tell whether membership is rebuilt at `as_of`.

    It is in every run of the reconstitution month, in the first run after one that was missed, and
    when a list was published since `previous`.
    """
    month = settings.reconstitution_month
    year = as_of.year if as_of.month >= month else as_of.year - 1
    published_since = constituents is not None and constituents.as_of >= previous.as_of
    return as_of.month == month or previous.as_of < date(year, month, 1) or published_since


def _listed(ranked: tuple[str, ...], constituents: Constituents) -> tuple[str, ...]:
    """Return the published members that trade, in published order, as the bars name them."""
    exact = set(ranked)
    by_key: dict[str, str] = {}
    for symbol in ranked:
        by_key.setdefault(symbol_key(symbol), symbol)
    found = (
        symbol if symbol in exact else by_key.get(symbol_key(symbol), "")
        for symbol in constituents.symbols
    )
    return tuple(dict.fromkeys(symbol for symbol in found if symbol))
