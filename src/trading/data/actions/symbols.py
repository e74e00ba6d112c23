"""Symbols through time: one company under several symbols, one symbol for several companies.

A symbol is a name that a share bears for a while. The map gives each share a permanent id and says
from when to when it bore which symbol, so that a history follows the share through renames and
does not run on into the company that took the symbol over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import DataError
from trading.market.panel import SessionArray


@dataclass(frozen=True, order=True)
class Listing:
    """A share bore a symbol from `first` to `last`, both included; `last` None: it still does."""

    symbol: str
    first: date
    last: date | None
    share: str

    def __post_init__(self) -> None:
        if not self.symbol or not self.share:
            raise DataError(f"a listing needs a symbol and a share id; found {self!r}")
        if self.last is not None and self.last < self.first:
            raise DataError(
                f"the listing of {self.symbol} ends on {self.last}, before it begins on "
                f"{self.first}"
            )

    def covers(self, day: date) -> bool:
        """Tell whether the share bore the symbol on `day`."""
        return self.first <= day and (self.last is None or day <= self.last)

    def during(self, days: SessionArray) -> npt.NDArray[np.bool_]:
        """Return whether each of the days, (n,) datetime64[D], lies in the listing."""
        inside = days >= np.datetime64(self.first)
        return inside if self.last is None else inside & (days <= np.datetime64(self.last))


@dataclass(frozen=True)
class SymbolMap:
    """Which share bore which symbol when.

    Raises `DataError` when a symbol belongs to two shares on one day, or a share bears two.
    """

    listings: tuple[Listing, ...] = ()
    _by_symbol: Mapping[str, tuple[Listing, ...]] = field(init=False, repr=False, compare=False)
    _by_share: Mapping[str, tuple[Listing, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_symbol = _grouped(self.listings, "symbol")
        by_share = _grouped(self.listings, "share")
        for what, group in (("symbol", by_symbol), ("share", by_share)):
            for name, spells in group.items():
                _check_apart(what, name, spells)
        object.__setattr__(self, "_by_symbol", by_symbol)
        object.__setattr__(self, "_by_share", by_share)

    def share(self, symbol: str, day: date) -> str | None:
        """Return the id of the share that bore `symbol` on `day`, None when the map has none."""
        spells = self._by_symbol.get(symbol, ())
        return next((spell.share for spell in spells if spell.covers(day)), None)

    def symbol(self, share: str, day: date) -> str | None:
        """Return the symbol that the share bore on `day`, None when it was not listed."""
        spells = self._by_share.get(share, ())
        return next((spell.symbol for spell in spells if spell.covers(day)), None)

    def name_on(self, day: date, symbol: str, borne: date) -> str:
        """Return what the share that bears `symbol` on `borne` is called on `day`.

        It is `symbol` itself where the map does not know the share, or it was not listed.
        """
        share = self.share(symbol, borne)
        return (self.symbol(share, day) if share else None) or symbol

    def names(self, symbol: str, first: date, last: date) -> tuple[str, ...]:
        """Return the symbols that a share bears from `first` to `last`, both included, sorted.

        The share is the one that bears `symbol` at the end, or bore it last; where the symbol
        changed hands in that time, the share before is meant, too. None for an unknown symbol.
        """
        spells = [x for x in self._by_symbol.get(symbol, ()) if x.first <= last]
        if not spells:
            return ()
        shares = {spells[-1].share}
        if len(spells) > 1 and spells[-1].first >= first:
            shares.add(spells[-2].share)
        borne = {
            x.symbol
            for share in shares
            for x in self._by_share[share]
            if x.first <= last and (x.last is None or x.last >= first)
        }
        return tuple(sorted(borne or {symbol}))

    def goes_by_another(self, symbol: str, day: date) -> bool:
        """Tell whether the share of `symbol` bore another symbol on `day`, and nobody bore this."""
        spells = self._by_symbol.get(symbol, ())
        if not spells or any(spell.covers(day) for spell in spells):
            return False
        before = [spell for spell in spells if spell.first <= day]
        spell = before[-1] if before else spells[0]
        return self.symbol(spell.share, day) is not None

    def known(self, before: date) -> "SymbolMap":
        """Return what was known on the morning of `before`: no listing that begins then or later.

        One that ends on its eve or later had not ended: an end is seen on the day after it.
        """
        eve = before - timedelta(days=1) if before > date.min else before
        return SymbolMap(
            tuple(
                listing if listing.last and listing.last < eve else replace(listing, last=None)
                for listing in self.listings
                if listing.first < before
            )
        )

    def renames(self) -> tuple[tuple[date, str, str], ...]:
        """Return (first day of the new symbol, old, new) of every rename, by day."""
        found = [
            (after.first, before.symbol, after.symbol)
            for spells in self._by_share.values()
            for before, after in pairwise(spells)
            if before.symbol != after.symbol
        ]
        return tuple(sorted(found))

    def reused(self) -> tuple[str, ...]:
        """Return the symbols that more than one share has borne, sorted."""
        return tuple(
            sorted(s for s, spells in self._by_symbol.items() if len({x.share for x in spells}) > 1)
        )

    def renamed(self, as_of: date) -> tuple[tuple[Listing, str], ...]:
        """Return the listings whose share goes by another name on `as_of`, and that name.

        The name of a share that bears no symbol then is its last one, with its last day added
        where another share took the symbol over (`ABC.2018-06-15`).
        """
        named = ((listing, self._name(listing, as_of)) for listing in self.listings)
        return tuple((listing, name) for listing, name in named if name != listing.symbol)

    def follow(self, bars: pd.DataFrame, as_of: date) -> pd.DataFrame:
        """Return the bars under the symbols of `as_of`: every share one series, renames joined.

        Bars of a share that bears no symbol on `as_of` keep their symbol, with its last day added
        where another share bears it now (`ABC.2018-06-15`). Bars whose symbol the map does not
        know stay as they are. Days after `as_of` are left out.

        Raises `DataError` when two bars of one share fall on one day.
        """
        kept = bars[bars["date"] <= pd.Timestamp(as_of)]
        name = kept["symbol"].to_numpy(dtype=object).copy()
        day = kept["date"].to_numpy().astype("datetime64[D]")
        for listing, present in self.renamed(as_of):
            mine = (kept["symbol"] == listing.symbol).to_numpy() & listing.during(day)
            name[mine] = present
        named = kept.assign(symbol=pd.Series(name, index=kept.index, dtype="str"))
        doubled = named.duplicated(["symbol", "date"])
        if doubled.any():
            row = named[doubled].iloc[0]
            raise DataError(
                f"two bars of {row['symbol']} fall on {row['date']:%Y-%m-%d} once renames are "
                "followed; the symbol map or the bars are wrong"
            )
        return named.sort_values(["symbol", "date"], ignore_index=True)

    def _name(self, listing: Listing, as_of: date) -> str:
        now = self.symbol(listing.share, as_of)
        if now is not None:
            return now
        final = self._by_share[listing.share][-1]
        taken = self.share(final.symbol, as_of) not in (None, listing.share)
        again = [x for x in self._by_symbol[final.symbol] if x.share != listing.share]
        if taken or any(other.first > final.first for other in again):
            return f"{final.symbol}.{final.last}"
        return final.symbol

    @classmethod
    def from_lean(cls, folder: Path) -> "SymbolMap":
        """Read a folder of LEAN map files: `<symbol>.csv` with rows `last day,symbol[,exchange]`.

        The first row of a file is the first day of its first symbol; 2050-12-31 means still.
        Raises `DataError` when a file is not of this form.
        """
        listings: list[Listing] = []
        files = sorted(Path(folder).glob("*.csv"))
        if not files:
            raise DataError(f"{folder} holds no map file (*.csv)")
        for file in files:
            listings += _lean_listings(file)
        return cls(tuple(sorted(listings, key=lambda x: (x.symbol, x.first))))


def _grouped(listings: Iterable[Listing], by: str) -> dict[str, tuple[Listing, ...]]:
    groups: dict[str, list[Listing]] = {}
    for listing in listings:
        groups.setdefault(getattr(listing, by), []).append(listing)
    return {name: tuple(sorted(spells, key=lambda x: x.first)) for name, spells in groups.items()}


def _check_apart(what: str, name: str, spells: tuple[Listing, ...]) -> None:
    for before, after in pairwise(spells):
        if before.last is None or before.last >= after.first:
            raise DataError(
                f"the {what} {name} is listed twice from {after.first}: {before} and {after}; "
                "end the earlier one first"
            )


def _lean_listings(file: Path) -> list[Listing]:
    rows: list[tuple[date, str]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").split(), 1):
        parts = line.split(",")
        try:
            day = datetime.strptime(parts[0], "%Y%m%d").date()  # noqa: DTZ007 (a day)
            rows.append((day, parts[1].upper()))
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{file.name}, line {number}: expected YYYYMMDD,symbol, found {line!r}"
            ) from error
    if not rows:
        raise DataError(f"{file.name} is empty; expected rows of YYYYMMDD,symbol")
    share = file.stem.upper()
    listings: list[Listing] = []
    first = rows[0][0]
    for last, symbol in rows[1:] or rows:
        still = last >= date(2050, 1, 1)
        if listings and listings[-1].symbol == symbol:
            first = listings.pop().first
        listings.append(Listing(symbol, first, None if still else last, share))
        first = date.fromordinal(last.toordinal() + 1)
    return listings
