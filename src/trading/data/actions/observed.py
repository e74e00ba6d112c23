"""The symbol map as it is learnt: day by day, from what an exchange lists.

A line of such a list says that a share, known by its FIGI, bears a symbol. Where a share is seen
under another symbol than before it was renamed; where a symbol is seen with another share it
passed on. What a list does not say changes nothing: a line that is absent or has no FIGI proves
neither, and where two lines contradict each other neither counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from trading.data.actions.symbols import Listing, SymbolMap
from trading.errors import DataError

# A share that is known by its composite FIGI alone: the two kinds are not comparable.
COMPOSITE = "composite:"


@dataclass(frozen=True, slots=True)
class ListedShare:
    """One line of a list of what is traded on a day.

    Attributes
    ----------
    symbol : ticker text
    share_class_figi, composite_figi : ids of the share, that of its class and that of its country's
        listing; either may be unknown
    """

    symbol: str
    share_class_figi: str | None
    composite_figi: str | None


@dataclass(frozen=True)
class SymbolChange:
    """A symbol has another bearer than before.

    Attributes
    ----------
    symbol : the symbol, borne by the share from `first` on
    share : the share
    before : the symbol that the share bore before, None for a share that was not known
    passed_on : whether another share bore the symbol before
    first : first day
    """

    symbol: str
    share: str
    before: str | None
    passed_on: bool
    first: date

    @property
    def sentence(self) -> str:
        """The change in words; empty for a new symbol of a new share."""
        if self.before is not None:
            taken = ", which another share bore before" if self.passed_on else ""
            return f"{self.before} is {self.symbol} since {self.first}{taken}: one history"
        if not self.passed_on:
            return ""
        eve = self.first - timedelta(days=1)
        return (
            f"{self.symbol} is another share since {self.first} ({self.share}): what was traded "
            f"under that name before is served as {self.symbol}.{eve}"
        )


def observe(
    held: SymbolMap,
    listed: Iterable[ListedShare],
    day: date,
    first_days: Mapping[str, date] | None = None,
) -> tuple[SymbolMap, tuple[SymbolChange, ...]]:
    """Return the map after a list of `day` was seen, and what it changed, by symbol.

    Parameters
    ----------
    held : the map so far
    listed : in any order; repeated lines count once
    day : not before the map's last change; an earlier list changes nothing
    first_days : of a symbol with another bearer, its first day, where that is known to be before
        `day`; days that contradict one another are not used
    """
    if any(day < listing.first for listing in held.listings):
        return held, ()
    now = _bearers(held, listed)
    open_ = {x.symbol: x for x in held.listings if x.last is None}
    moved = {s: share for s, share in now.items() if s not in open_ or open_[s].share != share}
    if not moved:
        return held, ()
    begun = {x.share: x.first for x in open_.values()} | {s: x.first for s, x in open_.items()}
    for known in (first_days or {}, {}):
        first = dict.fromkeys(moved, day)
        for symbol, share in moved.items():
            told = known.get(symbol, day)
            if max(begun.get(symbol, date.min), begun.get(share, date.min)) < told < day:
                first[symbol] = told
        try:
            made = _with_bearers(held, moved, first)
        except DataError:
            continue
        return made, _changes(held, moved, first)
    raise DataError(f"the symbols listed on {day} contradict each other; ask for the list again")


def _bearers(held: SymbolMap, listed: Iterable[ListedShare]) -> dict[str, str]:
    """Return the share of each listed symbol; those that cannot be told are left out."""
    open_ = {x.symbol: x.share for x in held.listings if x.last is None}
    symbol_of = {share: symbol for symbol, share in open_.items()}
    known = {x.share for x in held.listings}
    lines = {(x.symbol, x.share_class_figi, x.composite_figi) for x in listed}
    times = Counter(symbol for symbol, _, _ in lines)
    seen: dict[str, str] = {}
    assumed: dict[str, str] = {}
    for symbol, own, country in sorted(lines, key=str):
        if times[symbol] > 1:
            continue
        bearer = open_.get(symbol)
        proof = _same(bearer, own, country)
        if bearer is not None and proof is not False:
            (seen if proof else assumed)[symbol] = bearer
        elif (share := _share_id(own, country, known)) is not None:
            seen[symbol] = share
    borne = Counter(seen.values())
    clear = {
        s: share for s, share in seen.items() if borne[share] == 1 or symbol_of.get(share) == s
    }
    return clear | {s: share for s, share in assumed.items() if share not in borne}


def _same(bearer: str | None, own: str | None, country: str | None) -> bool | None:
    """Tell whether ids are those of the bearer; None where they are not comparable."""
    if bearer is None:
        return None
    told = country if bearer.startswith(COMPOSITE) else own
    return None if told is None else bearer.removeprefix(COMPOSITE) == told


def _share_id(own: str | None, country: str | None, known: set[str]) -> str | None:
    """Return the id under which a share is known, or is to be; None without any."""
    ids = [*([own] if own else []), *([COMPOSITE + country] if country else [])]
    return next((share for share in ids if share in known), ids[0] if ids else None)


def _with_bearers(
    held: SymbolMap, moved: Mapping[str, str], first: Mapping[str, date]
) -> SymbolMap:
    """Return the map in which each symbol of `moved` has its share from its first day on."""
    begins = {share: first[symbol] for symbol, share in moved.items()}
    listings = []
    for x in held.listings:
        ends = [d for d in (first.get(x.symbol), begins.get(x.share)) if d is not None]
        if x.last is not None or not ends:
            listings.append(x)
        elif x.first < min(ends):
            listings.append(replace(x, last=min(ends) - timedelta(days=1)))
    listings += [Listing(symbol, first[symbol], None, share) for symbol, share in moved.items()]
    return SymbolMap(tuple(sorted(_joined(listings), key=lambda x: (x.symbol, x.first))))


def _joined(listings: Iterable[Listing]) -> Iterable[Listing]:
    """Join a listing to the one before when the share took up its symbol again the next day."""
    by_share: dict[tuple[str, str], list[Listing]] = {}
    for x in sorted(listings, key=lambda x: x.first):
        spells = by_share.setdefault((x.share, x.symbol), [])
        if spells and spells[-1].last == x.first - timedelta(days=1):
            spells[-1] = replace(spells[-1], last=x.last)
        else:
            spells.append(x)
    return (x for spells in by_share.values() for x in spells)


def _changes(
    held: SymbolMap, moved: Mapping[str, str], first: Mapping[str, date]
) -> tuple[SymbolChange, ...]:
    last: dict[str, Listing] = {}
    for x in held.listings:
        if x.share not in last or last[x.share].first < x.first:
            last[x.share] = x
    return tuple(
        SymbolChange(
            symbol,
            share,
            last[share].symbol if share in last else None,
            any(x.symbol == symbol and x.share != share for x in held.listings),
            first[symbol],
        )
        for symbol, share in sorted(moved.items())
    )
