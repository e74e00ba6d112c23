"""The symbol map as a table, and bars under the symbols that their shares bear on a day."""

import io
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.actions.told import ToldAction
from trading.data.curation import overlay
from trading.data.parquet import BarColumns
from trading.errors import DataError

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("first", pa.date32()),
        ("last", pa.date32()),
        ("share", pa.string()),
    ]
)


def encode_symbols(symbols: SymbolMap) -> bytes:
    """Return the Parquet bytes of a symbol map; the same listings give the same bytes."""
    rows = sorted(symbols.listings, key=lambda x: (x.symbol, x.first))
    columns = [pa.array([getattr(row, f.name) for row in rows], type=f.type) for f in SCHEMA]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_symbols(body: bytes, key: str) -> SymbolMap:
    """Read Parquet bytes of a symbol map; `key` names them in the `DataError` raised else."""
    try:
        rows = pq.read_table(pa.BufferReader(body)).select(SCHEMA.names).to_pylist()
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"{key} of the lake is no symbol map ({error}); delete it and store the map again"
        ) from error
    return SymbolMap(tuple(Listing(**row) for row in rows))


def rename_actions(
    told: tuple[ToldAction, ...], symbols: SymbolMap, as_of: date
) -> tuple[ToldAction, ...]:
    """Return the actions under the symbols of `as_of`; each bears the symbol of its ex-date.

    One of the day of a rename may also bear the symbol of the eve, where nobody took that over.
    """
    spells: dict[str, list[tuple[Listing, str]]] = {}
    for listing, name in symbols.renamed(as_of):
        spells.setdefault(listing.symbol, []).append((listing, name))
    renamed = []
    for row in told:
        day = row.action.ex_date
        for listing, name in spells.get(row.action.symbol, ()):
            if listing.covers(day) or (
                listing.last == day - timedelta(days=1)
                and symbols.share(listing.symbol, day) is None
                and symbols.symbol(listing.share, day) is not None
            ):
                row = replace(row, action=replace(row.action, symbol=name))
                break
        renamed.append(row)
    return tuple(renamed)


def follow_shares(part: BarColumns, symbols: SymbolMap, as_of: date) -> BarColumns:
    """Return the bars under the symbols of `as_of`, as `SymbolMap.follow` does for a frame.

    Raises `DataError` when two bars of one share fall on one day.
    """
    renamed = rename_bars(part, symbols, as_of)
    if renamed is part:
        return part
    made = overlay([renamed])
    if len(made) != len(part):
        raise DataError(
            f"{len(part) - len(made)} bar(s) share a symbol and day with another once renames are "
            "followed; the symbol map or the bars are wrong"
        )
    return made


def rename_bars(part: BarColumns, symbols: SymbolMap, as_of: date) -> BarColumns:
    """Return the same rows in their order, each under the symbol of `as_of`."""
    spot = {name: code for code, name in enumerate(part.names)}
    moved = [(x, name) for x, name in symbols.renamed(as_of) if x.symbol in spot]
    if not moved:
        return part
    names = list(dict.fromkeys([*part.names, *(name for _, name in moved)]))
    place = {name: code for code, name in enumerate(names)}
    told = part.day if part.named is None else part.named
    code = part.code.copy()
    for listing, name in moved:
        mine = np.flatnonzero(part.code == spot[listing.symbol])
        code[mine[listing.during(told[mine])]] = place[name]
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return replace(part, code=rank[code], names=tuple(names[i] for i in order))
