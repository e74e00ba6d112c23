"""The table of corporate actions."""

import io
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType

ACTIONS_KEY = "corporate_actions/actions.parquet"
SCHEMA = pa.schema(
    [
        ("ex_date", pa.date32()),
        ("symbol", pa.string()),
        ("type", pa.string()),
        ("value", pa.float64()),
    ]
)


def merge_actions(
    held: Iterable[CorporateAction], new: Iterable[CorporateAction]
) -> tuple[CorporateAction, ...]:
    """Return both, sorted by date, symbol and type; a repeated one has its newer value."""
    table = {(a.ex_date, a.symbol, a.type): a for a in (*held, *new)}
    return tuple(table[key] for key in sorted(table))


def encode_actions(actions: Iterable[CorporateAction]) -> bytes:
    """Return the Parquet bytes of actions, the same bytes for the same actions."""
    rows = merge_actions((), actions)
    columns = [
        pa.array([a.ex_date for a in rows], type=pa.date32()),
        pa.array([a.symbol for a in rows], type=pa.string()),
        pa.array([a.type.value for a in rows], type=pa.string()),
        pa.array([a.value for a in rows], type=pa.float64()),
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_actions(body: bytes) -> tuple[CorporateAction, ...]:
    """Read Parquet bytes of actions; raises `DataError` when they are not."""
    try:
        rows = pq.read_table(pa.BufferReader(body), schema=SCHEMA).to_pylist()
        return tuple(
            CorporateAction(r["symbol"], r["ex_date"], CorporateActionType(r["type"]), r["value"])
            for r in rows
        )
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{ACTIONS_KEY} of the lake is not a table of corporate actions ({error}); "
            "delete it and ingest again"
        ) from error
