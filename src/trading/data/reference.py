"""What a lake knows beside its bars: corporate actions, symbol map, fundamentals, repairs.

::

    corporate_actions/actions.parquet               every version of every action, as it was told
    corporate_actions/symbols/YYYY-MM-DD.parquet    the symbol map as told on a day; the last counts
    fundamentals/YYYY/MM.parquet                    what became known in a month, in its order
    repairs/repairs.parquet                         what later bars proved about stored ones

Rows are added and never rewritten, so that what was known on a day can be read again. Every write
is atomic and conditional: of two writers at once the second adds to what the first wrote.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TypeVar

from trading.data.actions.listings import decode_symbols, encode_symbols
from trading.data.actions.symbols import SymbolMap
from trading.data.actions.told import ACTIONS_KEY, ToldAction, add_told, decode_told, encode_told
from trading.data.fundamentals.months import add_records, decode_records, encode_records, month_key
from trading.data.fundamentals.table import FundamentalsTable
from trading.data.late_repairs import (
    REPAIRS_KEY,
    LateRepair,
    add_repairs,
    decode_repairs,
    encode_repairs,
)
from trading.data.store.base import ObjectStore
from trading.errors import ConflictError, DataError, NotFoundError
from trading.market.bars import CorporateActionType, FundamentalData

Answer = TypeVar("Answer")
ATTEMPTS = 20
SYMBOLS = "corporate_actions/symbols"
FUNDAMENTALS = "fundamentals/"
# A company that has not been told of for longer is one that nothing is known of.
LONGEST_KNOWN = timedelta(days=550)


class ReferenceData:
    """Corporate actions, symbol map and fundamentals in an object store.

    Parameters
    ----------
    store : where the objects are
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._last: tuple[tuple[object, ...], tuple[ToldAction, ...]] | None = None
        self._repairs: tuple[str | None, tuple[LateRepair, ...]] | None = None

    def told(
        self, count: int | None = None, only: CorporateActionType | None = None
    ) -> tuple[ToldAction, ...]:
        """Return every version of every corporate action, in the order they were told.

        With `count` only the first ones: a lake's catalog says how many are committed. With `only`
        those of one type. The last answer is remembered for as long as the table is the same.
        """
        if count == 0:
            return ()
        body, tag = self._held(ACTIONS_KEY)
        if body is None:
            return ()
        question = (tag, count, only)
        if self._last is None or self._last[0] != question:
            self._last = (question, decode_told(body, count=count, only=only))
        return self._last[1]

    def tell(self, rows: Iterable[ToldAction]) -> tuple[int, int]:
        """Add actions; returns how many rows there are now, and how many tell something new."""
        new = tuple(rows)
        return retrying(lambda: self._tell(new))

    def _tell(self, new: tuple[ToldAction, ...]) -> tuple[int, int]:
        body, tag = self._held(ACTIONS_KEY)
        rows, added = add_told(() if body is None else decode_told(body), new)
        if added:
            self._put(ACTIONS_KEY, encode_told(rows), tag)
        return len(rows), added

    def symbols(self) -> SymbolMap:
        """Return the symbol map as last told, an empty one where none was."""
        keys = list(self._store.keys(f"{SYMBOLS}/"))
        return decode_symbols(self._store.get(keys[-1]).body, keys[-1]) if keys else SymbolMap()

    def add_symbols(self, symbols: SymbolMap, told: date) -> bool:
        """Keep a whole symbol map as the version of a day; returns whether it changed anything.

        Raises `DataError` when a later version is kept.
        """
        key, body = f"{SYMBOLS}/{told}.parquet", encode_symbols(symbols)
        keys = list(self._store.keys(f"{SYMBOLS}/"))
        if keys and keys[-1] > key:
            raise DataError(
                f"the lake has a symbol map of {keys[-1][len(SYMBOLS) + 1 : -8]}, later than "
                f"{told}; tell changes with a later day"
            )
        if keys and self._store.get(keys[-1]).body == body:
            return False
        return retrying(lambda: self._replace(key, body))

    def repairs(self) -> tuple[LateRepair, ...]:
        """Return every row of the table of repairs, in the order they were told."""
        body, tag = self._held(REPAIRS_KEY)
        if body is None:
            return ()
        if self._repairs is None or self._repairs[0] != tag:
            self._repairs = (tag, decode_repairs(body))
        return self._repairs[1]

    def add_repairs(self, new: Iterable[LateRepair]) -> int:
        """Add repairs; returns how many tell something new."""
        rows = tuple(new)
        return retrying(lambda: self._add_repairs(rows)) if rows else 0

    def _add_repairs(self, new: tuple[LateRepair, ...]) -> int:
        body, tag = self._held(REPAIRS_KEY)
        rows, added = add_repairs(() if body is None else decode_repairs(body), new)
        if added:
            self._put(REPAIRS_KEY, encode_repairs(rows), tag)
        return added

    def fundamentals(self, *, before: date, since: date | None = None) -> FundamentalsTable:
        """Return what was known strictly before `before` and from `since` on.

        Without `since` the `LONGEST_KNOWN` before count.
        """
        first = since or max(date.min + LONGEST_KNOWN, before) - LONGEST_KNOWN
        wanted = [
            key
            for key in self._store.keys(FUNDAMENTALS)
            if month_key(first) <= key <= month_key(before)
        ]
        rows = [row for key in wanted for row in decode_records(self._store.get(key).body, key)]
        return FundamentalsTable(
            tuple(record for record, _ in rows if first <= record.as_of < before)
        )

    def add_fundamentals(self, records: Iterable[FundamentalData], source: str) -> int:
        """Add records under their day; returns how many tell something new."""
        months: dict[str, list[FundamentalData]] = {}
        for record in records:
            months.setdefault(month_key(record.as_of), []).append(record)
        return sum(self._add_month(key, months[key], source) for key in sorted(months))

    def _add_month(self, key: str, new: list[FundamentalData], source: str) -> int:
        return retrying(lambda: self._add_records(key, new, source))

    def _add_records(self, key: str, new: list[FundamentalData], source: str) -> int:
        body, tag = self._held(key)
        rows, added = add_records([] if body is None else decode_records(body, key), new, source)
        if added:
            self._put(key, encode_records(rows), tag)
        return added

    def _replace(self, key: str, body: bytes) -> bool:
        held, tag = self._held(key)
        if held == body:
            return False
        self._put(key, body, tag)
        return True

    def _held(self, key: str) -> tuple[bytes | None, str | None]:
        try:
            held = self._store.get(key)
        except NotFoundError:
            return None, None
        return held.body, held.etag

    def _put(self, key: str, body: bytes, tag: str | None) -> None:
        self._store.put(key, body, if_absent=tag is None, if_match=tag)


def retrying(attempt: Callable[[], Answer]) -> Answer:
    """Return what `attempt` returns, having tried it again each time another writer was there."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except ConflictError:
            continue
    return attempt()
