"""The shares that a run follows, and the note of a run whose changes are not settled yet.

What a list of tickers changed gets its days once the bars of the run are in. Until then a note lies
at ``intake/symbols.json``: whoever is killed in between is continued by the next run as if the two
had been one, from the map before the first list on.
"""

import json
from dataclasses import astuple, dataclass, field
from datetime import date

from trading.data.actions.observed import ListedShare, SymbolChange, observe
from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.store.base import ObjectStore
from trading.errors import DataError, NotFoundError

UNSETTLED = "intake/symbols.json"


@dataclass(frozen=True)
class FollowedShares:
    """The symbol map of a run.

    Attributes
    ----------
    symbols : the map, as the lake has it
    told : what the operator has to read
    held, listed, day : the map before the last list, that list, and its day; None without one
    since : the first day on which what the list changed may have happened
    changes : what it changed, on `day` as long as no bar tells an earlier one
    """

    symbols: SymbolMap
    told: tuple[str, ...] = ()
    held: SymbolMap = field(default_factory=SymbolMap)
    listed: tuple[ListedShare, ...] = ()
    day: date | None = None
    since: date | None = None
    changes: tuple[SymbolChange, ...] = ()


def note_unsettled(store: ObjectStore, followed: FollowedShares) -> None:
    """Write down what a list changed, before the lake has it."""
    plain = {
        "held": [astuple(listing) for listing in followed.held.listings],
        "listed": [astuple(share) for share in followed.listed],
        "day": followed.day,
        "since": followed.since,
    }
    store.put(UNSETTLED, json.dumps(plain, default=date.isoformat).encode())


def unsettled(store: ObjectStore, symbols: SymbolMap) -> FollowedShares | None:
    """Return what a run before noted and did not settle, None where there is nothing.

    `symbols` is the map of the lake: with that list, with some of its changes settled, or without
    it, where the run was killed before it was kept. Raises `DataError` for a broken note.
    """
    try:
        body = store.get(UNSETTLED).body
    except NotFoundError:
        return None
    try:
        plain = json.loads(body)
        held = SymbolMap(
            tuple(
                Listing(symbol, date.fromisoformat(first), last and date.fromisoformat(last), share)
                for symbol, first, last, share in plain["held"]
            )
        )
        listed = tuple(ListedShare(*line) for line in plain["listed"])
        day, since = (date.fromisoformat(plain[name]) for name in ("day", "since"))
        made, changes = observe(held, listed, day)
    except (ValueError, TypeError, KeyError, DataError) as error:
        raise DataError(
            f"{UNSETTLED} of the lake is no note of followed symbols ({error}); delete it"
        ) from error
    if symbols == held:
        symbols = made
    elif _borne(symbols) != _borne(made):
        # Somebody gave the lake another map since.
        return None
    return FollowedShares(symbols, (), held, listed, day, since, changes)


def strike_out(store: ObjectStore) -> None:
    """Strike the note out: the changes have their days."""
    store.delete(UNSETTLED)


def _borne(symbols: SymbolMap) -> set[tuple[str, str]]:
    return {(listing.symbol, listing.share) for listing in symbols.listings}
