"""Repairs that later bars prove about bars which are stored already.

The stored bars stay as they came. A repair is a row of a table beside them, never rewritten, and
is laid over the bars when they are read: as of a morning on which the bars that prove it were
known, and not before. To undo one is to add a row that says so.
"""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.actions.symbols import SymbolMap
from trading.data.parquet import BarColumns
from trading.errors import DataError

REPAIRS_KEY = "repairs/repairs.parquet"
PRICES = ("open", "high", "low", "close", "adjusted_close")
SCHEMA = pa.schema(
    [
        ("known", pa.date32()),
        ("symbol", pa.string()),
        ("session", pa.date32()),
        ("kind", pa.string()),
        ("scale", pa.float64()),
        ("volume_scale", pa.float64()),
        ("evidence", pa.string()),
        ("undone", pa.bool_()),
    ]
)
Key = tuple[str, date, str]


@dataclass(frozen=True, slots=True)
class LateRepair:
    """A stored bar is wrong by a factor, as was proved later.

    Attributes
    ----------
    known : the last session of the bars that prove it; readers of the morning after see it
    symbol : whose bar, under the symbol that its share bore on `known`
    session : of the bar
    kind : the fault that was mended
    scale, volume_scale : what the prices, and the volume, of the stored bar are multiplied by
    evidence : why it is beyond doubt, in one sentence
    undone : takes the repair back, from `known` on
    """

    known: date
    symbol: str
    session: date
    kind: str
    scale: float
    volume_scale: float
    evidence: str
    undone: bool = False

    @property
    def key(self) -> Key:
        """What a later row about the same fault replaces: symbol, session, kind."""
        return self.symbol, self.session, self.kind


def composed(row: LateRepair, before: LateRepair | None) -> LateRepair:
    """Return a repair of a bar as it was served with `before`, as one of the bar as it is stored.

    It takes the place of `before`, and counts no sooner than that did. Where the two cancel out,
    the stored bar was right: it is multiplied by 1.
    """
    if before is None:
        return row
    return replace(
        row,
        known=max(row.known, before.known),
        scale=_product(row.scale, before.scale),
        volume_scale=_product(row.volume_scale, before.volume_scale),
    )


def _product(one: float, other: float) -> float:
    return 1.0 if math.isclose(one * other, 1.0) else one * other


def in_force(rows: Iterable[LateRepair], before: date) -> tuple[LateRepair, ...]:
    """Return the repairs that count on the morning of `before`, by symbol and session."""
    latest: dict[Key, LateRepair] = {}
    for row in rows:
        if row.known < before:
            latest[row.key] = row
    return tuple(latest[key] for key in sorted(latest) if not latest[key].undone)


def add_repairs(
    held: tuple[LateRepair, ...], new: Iterable[LateRepair]
) -> tuple[tuple[LateRepair, ...], int]:
    """Return the rows with the new ones behind, and how many those are.

    What only repeats the row in force of its bar is left out, and so is the same repair once it
    was undone: a person knew better than the bars.
    """
    latest = {row.key: row for row in held}
    added = []
    for row in new:
        known = latest.get(row.key)
        if known is not None and _factors(known) == _factors(row) and known.undone >= row.undone:
            continue
        if known is None and row.undone:
            continue
        latest[row.key] = row
        added.append(row)
    return (*held, *added), len(added)


def _factors(row: LateRepair) -> tuple[float, float]:
    return row.scale, row.volume_scale


def renamed_repairs(
    rows: Sequence[LateRepair], symbols: SymbolMap, as_of: date
) -> tuple[LateRepair, ...]:
    """Return the repairs under the symbols that their shares bear on `as_of`."""
    moved = symbols.renamed(as_of)
    names = {
        (x.symbol, row.known): name
        for x, name in moved
        for row in rows
        if x.symbol == row.symbol and x.covers(row.known)
    }
    return tuple(replace(r, symbol=names.get((r.symbol, r.known), r.symbol)) for r in rows)


def repaired(part: BarColumns, rows: Sequence[LateRepair]) -> BarColumns:
    """Return the bars with the repairs of those among them; the part itself where there is none."""
    spot, matching = matched(part, rows)
    if not len(spot):
        return part
    values = dict(part.values)
    for names, factor in (
        (PRICES, np.array([row.scale for row in matching])),
        (("volume",), np.array([row.volume_scale for row in matching])),
    ):
        for name in set(names) & values.keys():
            column = values[name].copy()
            np.multiply.at(column, spot, factor)
            values[name] = column
    return replace(part, values=values)


def matched(
    part: BarColumns, rows: Sequence[LateRepair]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[LateRepair]]:
    """Return the places of the bars that repairs are about, and those repairs."""
    code = {name: n for n, name in enumerate(part.names)}
    there = [row for row in rows if row.symbol in code]
    found: list[tuple[int, LateRepair]] = []
    if there and len(part):
        touched = np.isin(part.code, np.unique([code[row.symbol] for row in there]))
        place = np.flatnonzero(touched)
        where = {
            (int(c), d): int(p)
            for c, d, p in zip(part.code[place], part.day[place].tolist(), place, strict=True)
        }
        found = [
            (where[code[row.symbol], row.session], row)
            for row in there
            if (code[row.symbol], row.session) in where
        ]
    return np.array([spot for spot, _ in found], dtype=np.int64), [row for _, row in found]


def encode_repairs(rows: Iterable[LateRepair]) -> bytes:
    """Return the Parquet bytes of rows in their order; the same rows give the same bytes."""
    rows = tuple(rows)
    columns = [pa.array([getattr(row, f.name) for row in rows], type=f.type) for f in SCHEMA]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_repairs(body: bytes) -> tuple[LateRepair, ...]:
    """Read Parquet bytes of rows; raises `DataError` when they are none."""
    try:
        table = pq.read_table(pa.BufferReader(body)).select(SCHEMA.names)
        return tuple(LateRepair(**row) for row in table.to_pylist())
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise DataError(
            f"{REPAIRS_KEY} of the lake is no table of repairs ({error}); delete it, and judge the "
            "sessions again by fetching the next one"
        ) from error
