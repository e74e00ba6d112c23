"""Follow the shares: which symbol each of them bears, by what the exchange lists.

Before a market's sessions are asked, the list of its tickers is: as of the last of them, and, the
first time, as of the first session that there is. So a share that was renamed overnight is asked
under its new symbol and keeps its history. A list tells what changed since the one before, not on
which day: over several sessions that is told by the bars, once they are stored.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Protocol, runtime_checkable

import numpy as np

from trading.data.actions.observed import ListedShare, observe
from trading.data.actions.symbols import SymbolMap
from trading.data.intake.followed import (
    FollowedShares,
    note_unsettled,
    strike_out,
    unsettled,
)
from trading.data.intake.pulse import Pulse
from trading.data.lake import Lake
from trading.data.providers.base import DataProvider, FetchResult
from trading.data.providers.polygon_answers import Ticker, to_polygon
from trading.data.store.base import ObjectStore
from trading.errors import DataError, ProviderError
from trading.market.panel import SessionArray

# The list of a market is asked where as many symbols are wanted; fewer are named by hand.
LEAST_SYMBOLS = 50
# A symbol that was not traded for as many sessions may have gone to another share.
LEAST_HOLE = 5


@runtime_checkable
class TellsTickers(Protocol):
    """A provider that lists the shares of the market as of a day."""

    name: str

    async def tickers(self, on: date) -> tuple[Ticker, ...]:
        """Return the listed shares as of `on`. Raises `ProviderError`."""


async def follow_shares(
    providers: Sequence[DataProvider],
    store: ObjectStore,
    lake: Lake,
    sessions: Sequence[date],
    symbols: Sequence[str] | None,
    *,
    through: date,
    pulse: Pulse,
) -> FollowedShares:
    """Ask what is listed, and keep the map; it never fails for a provider.

    What a run before changed and did not settle is this run's to settle; without new sessions it is
    where the last one of that run is stored.

    Parameters
    ----------
    providers : the first that tells tickers is asked
    store : of the lake, for the note of what is not settled
    sessions : new ones, ascending; without any nothing is asked
    symbols : who is wanted, None for whoever comes
    through : the last session that is over: the day of the map
    """
    held = lake.symbols()
    teller = next((p for p in providers if isinstance(p, TellsTickers)), None)
    few = symbols is not None and len(symbols) < LEAST_SYMBOLS
    if teller is None or few:
        return FollowedShares(held)
    pending = unsettled(store, held) if held.listings else None
    if not sessions:
        stored = pending is not None and pending.day in lake.sessions().tolist()
        return pending if pending is not None and stored else FollowedShares(held)
    if any(sessions[-1] < listing.first for listing in held.listings):
        return FollowedShares(held)
    days = [sessions[-1]] if held.listings else _first_and_last(lake, sessions)
    followed, told = pending or FollowedShares(held), []
    for day in days:
        try:
            async with asyncio.timeout(pulse.seconds()):
                listed = _lines(await teller.tickers(day), symbols)
            if not listed:
                raise DataError(f"{teller.name} lists no ticker on {day}")
            before, since = followed.symbols, days[0] if len(days) > 1 else sessions[0]
            if pending is not None:
                before, since = pending.held, min(since, pending.since or since)
            made, changes = observe(before, listed, day)
            first = not before.listings
            followed = FollowedShares(
                made, (), before, listed, day, since, () if first else changes
            )
        except (ProviderError, DataError, TimeoutError) as error:
            why = str(error) or "the time ran short"
            told.append(
                f"the tickers of {day} could not be asked ({why}): a share renamed since is "
                "taken for another one until they are"
            )
    try:
        _keep(store, lake, followed, through)
    except DataError as error:
        # The lake was told later than this clock says: what it has is newer.
        strike_out(store)
        return FollowedShares(held, (*told, str(error)))
    return replace(followed, told=tuple(told))


def _keep(store: ObjectStore, lake: Lake, followed: FollowedShares, through: date) -> None:
    """Keep a map, and before it the note of what has to be settled of it."""
    if followed.changes:
        note_unsettled(store, followed)
    if followed.symbols != lake.symbols():
        lake.ingest_symbols(followed.symbols, told=through)


def settle_shares(
    followed: FollowedShares, lake: Lake, symbols: Sequence[str] | None, *, through: date
) -> tuple[str, ...]:
    """Put the changes of a list on the sessions on which bars show them; return them in words.

    Those of shares outside `symbols` (None: every one) are not told. `through`: the day of the
    map. Between two lists that are one session apart there is nothing to find out.
    """
    if followed.day is None or not followed.changes:
        return ()
    first_days = _first_days(followed, lake)
    settled, changes = observe(followed.held, followed.listed, followed.day, first_days)
    if settled != followed.symbols:
        lake.ingest_symbols(settled, told=through)
    wanted = None if symbols is None else set(symbols)
    return tuple(
        change.sentence
        for change in changes
        if change.sentence and (wanted is None or wanted & {change.symbol, change.before})
    )


def wanted_names(
    symbols: Sequence[str] | None, known: SymbolMap, first: date, last: date
) -> tuple[str, ...] | None:
    """Return the names that the wanted shares bear from `first` to `last`, in their order.

    A symbol means the share that bears it at the end, and where it changed hands in that time
    the one before, too. The name under which the lake serves a share whose symbol went to another
    (`ABC.2018-06-15`) is no symbol that anybody could be asked for.
    """
    if symbols is None or not known.listings:
        return None if symbols is None else tuple(symbols)
    names: dict[str, None] = {}
    past = {name for x, name in known.renamed(last) if known.symbol(x.share, last) is None}
    for symbol in symbols:
        if symbol in past:
            continue
        found = known.names(symbol, first, last)
        names |= dict.fromkeys(found or (symbol,))
    return tuple(names)


def without_other_names(
    answer: FetchResult, known: SymbolMap, sessions: Sequence[date]
) -> FetchResult:
    """Return an answer about `sessions` without the gaps of a share that has another name.

    A share that was renamed in that time is wanted under both names, and has one at a time.
    """
    renamed = [(a, b) for day, a, b in known.renames() if sessions[0] <= day <= sessions[-1]]
    named = Counter(name for pair in renamed for name in pair)
    # A name that one share gave up and another took is borne all the time.
    clear = [(a, b) for a, b in renamed if named[a] == named[b] == 1]
    other = dict(clear) | {b: a for a, b in clear}
    if not any(gap.symbol in other for gap in answer.missing):
        return answer
    rows = answer.bars[answer.bars["symbol"].isin(other)]
    has = {(s, stamp.date()) for s, stamp in zip(rows["symbol"], rows["date"], strict=True)}
    kept = []
    for gap in answer.missing:
        if gap.symbol not in other:
            kept.append(gap)
            continue
        kept += [
            replace(gap, first=day, last=day, sessions=1)
            for day in sessions
            if gap.first <= day <= gap.last
            and (other[gap.symbol], day) not in has
            and not known.goes_by_another(gap.symbol, day)
        ]
    return replace(answer, missing=tuple(kept))


def _first_and_last(lake: Lake, sessions: Sequence[date]) -> list[date]:
    """Return the first session that there is, and the last of the new ones."""
    served = lake.sessions()
    begin = min([sessions[0], *(day.astype(object) for day in served[:1])])
    return sorted({begin, sessions[-1]})


def _lines(tickers: Iterable[Ticker], symbols: Sequence[str] | None) -> tuple[ListedShare, ...]:
    """Return what is traded, in the spelling of the wanted: `BRKB` is the service's `BRK.B`."""
    traded = [ticker for ticker in tickers if ticker.active]
    exact = {ticker.symbol for ticker in traded}
    bare = {to_polygon(s).replace(".", ""): s for s in symbols or () if s not in exact}
    return tuple(
        ListedShare(
            bare.get(t.symbol.replace(".", ""), t.symbol) if "." in t.symbol else t.symbol,
            t.share_class_figi,
            t.composite_figi,
        )
        for t in traded
    )


def _first_days(followed: FollowedShares, lake: Lake) -> dict[str, date]:
    """Return the first day of each changed symbol by the bars, where they tell it.

    A renamed share has its first bar under the new symbol. A symbol whose bearer vanished is the
    new one's after the longest time without a bar, of `LEAST_HOLE` sessions at least.
    """
    changes, first, last = followed.changes, followed.since, followed.day
    if first is None or last is None or first >= last:
        return {}
    names = sorted({c.symbol for c in changes})
    bars = lake.stored_bars(names, before=last + timedelta(days=1), start=first)
    days = bars["date"].to_numpy().astype("datetime64[D]")
    traded = {
        str(symbol): np.unique(days[rows])
        for symbol, rows in bars.groupby("symbol").indices.items()
    }
    none = np.array([], dtype="datetime64[D]")
    renamed = {c.before: c for c in changes if c.before is not None}
    found: dict[str, date] = {}
    for change in sorted(changes, key=lambda c: c.before is None):
        mine = traded.get(change.symbol, none)
        leaver = renamed.get(change.symbol)
        if leaver is not None and leaver.symbol in found:
            mine = mine[mine >= np.datetime64(found[leaver.symbol])]
        elif change.passed_on:
            mine = _after_hole(mine)
        if len(mine):
            found[change.symbol] = mine[0].astype(object)
    return found


def _after_hole(days: SessionArray) -> SessionArray:
    """Return the days after the longest time between two of them, none where all are close."""
    if len(days) < 2:
        return days[:0]
    gaps = np.busday_count(days[:-1], days[1:])
    longest = int(np.argmax(gaps))
    return days[longest + 1 :] if gaps[longest] > LEAST_HOLE else days[:0]
