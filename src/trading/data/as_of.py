"""Read curated bars as of a day: under the symbols and on the share basis that were known then."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from trading.data.actions.listings import follow_shares, rename_actions, rename_bars
from trading.data.actions.readjust import SHIFT, IntArray, Moves, keys, on_basis_of, readjust
from trading.data.actions.symbols import SymbolMap
from trading.data.actions.told import ToldAction, in_force
from trading.data.late_repairs import LateRepair, matched, renamed_repairs, repaired
from trading.data.late_repairs import in_force as in_force_repairs
from trading.data.parquet import BarColumns
from trading.data.reference import ReferenceData
from trading.market.bars import CorporateAction, CorporateActionType


@dataclass(frozen=True)
class Knowledge:
    """What moves prices and names, as far as it was known on the morning of a day.

    Attributes
    ----------
    before : the day; its own actions are not yet known
    told : the actions in force under the symbols of that morning; those of later days are there
        to undo what a source had applied with hindsight
    symbols : the symbol map of that morning
    repairs : what had been proved by then about stored bars, under the symbols of that morning
    """

    before: date
    told: tuple[ToldAction, ...] = ()
    symbols: SymbolMap = field(default_factory=SymbolMap)
    repairs: tuple[LateRepair, ...] = ()

    @classmethod
    def of(
        cls,
        reference: ReferenceData,
        before: date,
        told: int | None = None,
        only: CorporateActionType | None = None,
    ) -> "Knowledge":
        """Return what a lake's reference data tell.

        `told` rows of its actions count, None: all; with `only` those of one type.
        """
        rows = in_force(reference.told(told, only))
        repairs = in_force_repairs(reference.repairs(), before)
        known = cls(before, rows, reference.symbols().known(before), repairs)
        if not known.symbols.listings:
            return known
        return replace(
            known,
            told=rename_actions(known.told, known.symbols, known.through),
            repairs=renamed_repairs(repairs, known.symbols, known.through),
        )

    @cached_property
    def _moves(self) -> Moves:
        return Moves.of(self.told)

    @property
    def through(self) -> date:
        """The last day that counts."""
        return self.before - timedelta(days=1) if self.before > date.min else self.before

    def actions(self) -> tuple[CorporateAction, ...]:
        """Return the actions up to `through`, dividends in the shares of that day."""
        return on_basis_of(self.told, self.through)

    def under_present_symbols(self, parts: Sequence[BarColumns]) -> list[BarColumns]:
        """Return the bars under the symbols of that morning."""
        if not self.symbols.listings:
            return list(parts)
        return [follow_shares(part, self.symbols, self.through) for part in parts]

    def applied(
        self, parts: Sequence[BarColumns], later: Sequence[BarColumns] = ()
    ) -> list[BarColumns]:
        """Return the bars, repaired and under present symbols, on the share basis of `through`.

        `later` are the closes of the sessions behind, up to `closes_until`.
        """
        named = self._mended(self.under_present_symbols(parts))
        closes = [*named, *self._mended(self.under_present_symbols(later))]
        return readjust(named, self._moves, self.through, closes=closes)

    def _mended(self, parts: Sequence[BarColumns]) -> list[BarColumns]:
        if not self.repairs:
            return list(parts)
        return [repaired(part, self.repairs) for part in parts]

    def repaired_as_stored(self, parts: Sequence[BarColumns]) -> list[BarColumns]:
        """Return the bars repaired, under the symbols and on the basis that they are stored."""
        if not self.repairs:
            return list(parts)
        renamed = [rename_bars(part, self.symbols, self.through) for part in parts]
        mended = self._mended(renamed)
        return [replace(part, values=m.values) for part, m in zip(parts, mended, strict=True)]

    def closes_until(self, parts: Sequence[BarColumns], end: date) -> date:
        """Return the day up to which closes are needed: `end`, or the last ex-date beyond it.

        A dividend after the bars is applied, or undone where the source had applied it with
        hindsight, by the close before it.
        """
        last = max((part.adjusted_through for part in parts if len(part)), default=self.through)
        ex = (np.datetime64(int(day), "D").astype(object) for day in self._moves.dividends[1])
        return max((day for day in ex if end <= day <= max(last, self.through)), default=end)

    def digest(self, parts: Sequence[BarColumns]) -> str:
        """Return a text that differs whenever the same stored bars are served otherwise.

        It is empty where they are served as they are stored. The parts need no values.
        """
        told = hashlib.sha256()
        seen = {name for part in parts for name in part.names}
        renamed = [(x, name) for x, name in self.symbols.renamed(self.through) if x.symbol in seen]
        for listing, name in renamed:
            told.update(f"{listing.symbol} {listing.first} {listing.last} {name}\n".encode())
        moves = self._moves
        named = self.under_present_symbols(parts)
        present = {name for part in named for name in part.names}
        effective = [
            row
            for row in self.told
            if row.action.symbol in present
            and row.action.symbol in moves.code_of
            and row.action.type in (CorporateActionType.SPLIT, CorporateActionType.DIVIDEND)
            and row.action.ex_date <= self.through
        ]
        for row in effective:
            told.update(f"{row.action} {row.basis}\n".encode())
        mended = [row for part in named for row in matched(part, self.repairs)[1]]
        for repair in sorted(mended, key=lambda row: row.key):
            told.update(f"{repair.key} {repair.scale} {repair.volume_scale}\n".encode())
        moved = _moved_rows(named, moves, self.through)
        for column in moved:
            told.update(column.tobytes())
        served_otherwise = effective or renamed or mended or len(moved[0])
        return told.hexdigest() if served_otherwise else ""


def _moved_rows(parts: Sequence[BarColumns], moves: Moves, through: date) -> tuple[IntArray, ...]:
    """Return the rows that lie on another basis than `through`: symbol, day, events had and due."""
    event = np.sort(np.r_[moves.splits.key, keys(moves.dividends[0], moves.dividends[1])])
    now = int(np.datetime64(through, "D").astype(np.int64))
    found: list[IntArray] = []
    for part in parts:
        code = moves.codes(part.names)[part.code]
        rows = np.flatnonzero(code >= 0)
        code, day = code[rows], part.day[rows].astype(np.int64)
        basis = day if part.basis is None else part.basis[rows].astype(np.int64)
        # Counted within the symbol, so that nobody else's events change it.
        begin = np.searchsorted(event, keys(code, -SHIFT))
        had = np.searchsorted(event, keys(code, basis), side="right") - begin
        due = np.searchsorted(event, keys(code, now), side="right") - begin
        found.append(np.stack([code, day, had, due])[:, had != due])
    rows = np.concatenate(found, axis=1) if found else np.empty((4, 0), dtype=np.int64)
    rows = rows[:, np.lexsort((rows[1], rows[0]))]
    # The numbers of symbols depend on who else has events; their order does not.
    return np.unique(rows[0], return_inverse=True)[1], *rows[1:]
