"""Fundamentals as stored: one Parquet object a month, its rows in the order they became known."""

import io
from collections.abc import Iterable, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from trading.errors import DataError
from trading.market.bars import FundamentalData

SCHEMA = pa.schema(
    [
        ("as_of", pa.date32()),
        ("symbol", pa.string()),
        ("source", pa.string()),
        ("market_cap", pa.float64()),
        ("pe_ratio", pa.float64()),
        ("eps", pa.float64()),
        ("dividend_yield", pa.float64()),
        ("sector", pa.string()),
        ("industry", pa.string()),
    ]
)
# A record and the source that told it.
Row = tuple[FundamentalData, str]


def month_key(day: date) -> str:
    """Return the key of the month of a day."""
    return f"fundamentals/{day:%Y/%m}.parquet"


def add_records(
    held: Sequence[Row], new: Iterable[FundamentalData], source: str
) -> tuple[list[Row], int]:
    """Return the rows with the new ones behind, and how many those are.

    A record that says what the last one of its symbol and day says is left out.
    """
    last = {(record.symbol, record.as_of): record for record, _ in held}
    rows = list(held)
    for record in new:
        if last.get((record.symbol, record.as_of)) != record:
            last[record.symbol, record.as_of] = record
            rows.append((record, source))
    return rows, len(rows) - len(held)


def encode_records(rows: Iterable[Row]) -> bytes:
    """Return the Parquet bytes of rows in their order; the same rows give the same bytes."""
    rows = list(rows)
    columns = [
        pa.array(
            [source if f.name == "source" else getattr(record, f.name) for record, source in rows],
            type=f.type,
        )
        for f in SCHEMA
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_records(body: bytes, key: str) -> list[Row]:
    """Read Parquet bytes of rows; `key` names them in the `DataError` raised when they are not."""
    try:
        table = pq.read_table(pa.BufferReader(body)).select(SCHEMA.names)
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"{key} of the lake is no table of fundamentals ({error}); delete it and fetch the "
            "fundamentals of its month again"
        ) from error
    columns = {name: table[name].to_pylist() for name in SCHEMA.names}
    sources = columns.pop("source")
    names = list(columns)
    records = (FundamentalData(**dict(zip(names, row, strict=True))) for row in
               zip(*columns.values(), strict=True))  # fmt: skip
    return list(zip(records, sources, strict=True))
