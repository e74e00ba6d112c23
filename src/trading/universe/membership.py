"""Who was a member on a day: spells of membership, as known on that day.

Ranking the past by today's members is survivorship bias; a backtest asks `on` or `matrix` instead.
"""

import csv
import io
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trading.errors import DataError
from trading.market.panel import SessionArray
from trading.universe.iwv import symbol_key

SYMBOL_COLUMNS = frozenset({"symbol", "ticker"})


@dataclass(frozen=True, slots=True)
class Spell:
    """A time of membership: from `start` to the day before `end`; None is not yet ended."""

    symbol: str
    start: date
    end: date | None = None


@dataclass(frozen=True)
class Membership:
    """The members of an index through time.

    Attributes
    ----------
    spells : by symbol and start; those of one symbol do not overlap
    known_from : first day that the record covers
    known_to : last day that it covers; None where it is kept up to date
    """

    spells: tuple[Spell, ...]
    known_from: date
    known_to: date | None = None

    @classmethod
    def of(
        cls,
        spells: Iterable[Spell],
        known_from: date | None = None,
        known_to: date | None = None,
    ) -> "Membership":
        """Return the membership of some spells; the record begins with the first of them.

        Raises `DataError` when there is none, one ends before it begins, or two of a symbol
        overlap. Symbols that differ only in the separator of a share class are one.
        """
        ordered = sorted(spells, key=lambda spell: (symbol_key(spell.symbol), spell.start))
        if not ordered:
            raise DataError("there is no spell of membership; give at least one")
        for spell in ordered:
            if spell.end is not None and spell.end <= spell.start:
                raise DataError(
                    f"{spell.symbol} is a member from {spell.start} to before {spell.end}, which "
                    "is no day; leave the spell out"
                )
        for one, other in pairwise(ordered):
            same = symbol_key(one.symbol) == symbol_key(other.symbol)
            if same and (one.end is None or one.end > other.start):
                raise DataError(
                    f"two spells of {one.symbol} overlap: from {one.start} to "
                    f"{one.end or 'now'}, and from {other.start}; join them"
                )
        begin = known_from or min(spell.start for spell in ordered)
        return cls(tuple(ordered), begin, known_to)

    def on(self, day: date) -> tuple[str, ...]:
        """Return the members on a day, sorted; raises `DataError` outside what is known."""
        self._check(day)
        found = (s for s in self.spells if s.start <= day and (s.end is None or day < s.end))
        return tuple(sorted(spell.symbol for spell in found))

    def matrix(self, sessions: SessionArray, symbols: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return `(T, N)` bool: whether each symbol is a member in each session.

        Symbols are matched by `symbol_key`; unknown and empty ones are never members. Raises
        `DataError` when a session is outside what is known.
        """
        days = sessions.astype("datetime64[D]")
        for day in days[[0, -1]] if len(days) else ():
            self._check(day.astype(object))
        columns: dict[str, list[int]] = defaultdict(list)
        for column, symbol in enumerate(symbols):
            if symbol:
                columns[symbol_key(symbol)].append(column)
        member = np.zeros((len(days), len(symbols)), dtype=bool)
        for spell in self.spells:
            rows = np.searchsorted(days, np.datetime64(spell.start, "D"))
            after = (
                len(days)
                if spell.end is None
                else np.searchsorted(days, np.datetime64(spell.end, "D"))
            )
            for column in columns.get(symbol_key(spell.symbol), ()):
                member[rows:after, column] = True
        return member

    def _check(self, day: date) -> None:
        if day < self.known_from or (self.known_to is not None and day > self.known_to):
            raise DataError(
                f"membership is known from {self.known_from} to {self.known_to or 'now'}, not on "
                f"{day}; ask for a day in that time"
            )


def membership_of_lists(lists: Mapping[date, Sequence[str]]) -> Membership:
    """Return the membership that dated lists tell: a list holds until the next is published.

    What happened between two lists is not known: a name that left shows until the next list. Raises
    `DataError` when there is no list, or one is empty.
    """
    if not lists or any(not members for members in lists.values()):
        raise DataError("a membership needs at least one list, and members in each")
    dates = sorted(lists)
    spells: list[Spell] = []
    since: dict[str, tuple[str, date]] = {}
    for day in dates:
        present = {symbol_key(symbol): symbol for symbol in lists[day]}
        for key in sorted(since.keys() - present.keys()):
            spells.append(Spell(*since.pop(key), day))
        for key, symbol in present.items():
            since.setdefault(key, (symbol, day))
    spells += [Spell(symbol, start) for symbol, start in since.values()]
    return Membership.of(spells, dates[0])


def list_in_force(dates: Sequence[date], day: date) -> date:
    """Return the latest of `dates` at or before `day`; raises `DataError` when there is none."""
    ordered = sorted(dates)
    at = bisect_right(ordered, day)
    if not at:
        raise DataError(
            f"the first list is of {ordered[0] if ordered else 'no day'}, after {day}; give an "
            "earlier one"
        )
    return ordered[at - 1]


def read_spells(source: Path | bytes) -> Membership:
    """Read a CSV of spells: `ticker` (or `symbol`), `start_date`, `end_date` (empty: a member).

    `end_date` is the first day out. Spells of one symbol that touch are joined. Raises `DataError`
    when the file cannot be read, lacks a column, or holds a date that is none.
    """
    label = str(source) if isinstance(source, Path) else "the list of spells"
    try:
        body = source.read_bytes() if isinstance(source, Path) else source
        rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{label} cannot be read as UTF-8 text: {error}") from error
    names = set(rows[0]) if rows else set()
    symbol = "ticker" if "ticker" in names else "symbol"
    if not {symbol, "start_date", "end_date"} <= names:
        raise DataError(f"{label} needs the columns ticker, start_date and end_date")
    spells = []
    for line, row in enumerate(rows, start=2):
        try:
            end = date.fromisoformat(row["end_date"]) if row["end_date"] else None
            spells.append(Spell(row[symbol].strip(), date.fromisoformat(row["start_date"]), end))
        except (ValueError, TypeError) as error:
            raise DataError(f"line {line} of {label} has no date as YYYY-MM-DD: {error}") from error
    return Membership.of(_joined(spells))


def _joined(spells: Iterable[Spell]) -> list[Spell]:
    joined: list[Spell] = []
    for spell in sorted(spells, key=lambda s: (symbol_key(s.symbol), s.start)):
        last = joined[-1] if joined else None
        if last and symbol_key(last.symbol) == symbol_key(spell.symbol) and last.end == spell.start:
            joined[-1] = Spell(last.symbol, last.start, spell.end)
        else:
            joined.append(spell)
    return joined


def read_candidates(file: Path, day: date) -> tuple[str, ...]:
    """Return the symbols of a file on a day, sorted: a CSV of spells, or a plain list.

    A plain list has a column `Symbol` or `Ticker` and no dates: whoever gives it vouches that it
    was known on `day`. Raises `DataError` as `read_spells` and `Membership.on` do, and where there
    is no such column or no symbol.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as UTF-8 text: {error}") from error
    if rows and "start_date" in rows[0]:
        return read_spells(file).on(day)
    column = next((n for n in (rows[0] if rows else ()) if n and n.lower() in SYMBOL_COLUMNS), None)
    symbols = {(row[column] or "").strip() for row in rows} - {""} if column else set()
    if not symbols:
        raise DataError(f"{file} has no column Symbol or Ticker with symbols in it")
    return tuple(sorted(symbols))
