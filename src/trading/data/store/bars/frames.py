"""Bars of any interval as Parquet bytes: the layout of the minute and hour objects."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS, FIELDS

SCHEMA = pa.schema(
    [
        ("date", pa.timestamp("s", tz="UTC")),
        ("symbol", pa.dictionary(pa.int32(), pa.large_string())),
        *((name, pa.float64()) for name in FIELDS),
    ]
)


def encode_stamped_bars(bars: pd.DataFrame) -> bytes:
    """Return the Parquet bytes (zstd) of a canonical bars frame; the same bars, the same bytes."""
    code, names = pd.factorize(bars["symbol"], sort=True)
    symbol = pa.DictionaryArray.from_arrays(
        pa.array(code, type=pa.int32()), pa.array(list(names), type=pa.large_string())
    )
    stamps = pa.array(bars["date"].to_numpy().astype("datetime64[s]"))
    values = [pa.array(bars[name].to_numpy(dtype=np.float64)) for name in FIELDS]
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays([stamps.cast(SCHEMA.field(0).type), symbol, *values], schema=SCHEMA),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=["symbol", "date"],
        use_byte_stream_split=list(FIELDS),
        write_statistics=["date", "symbol"],
    )
    return sink.getvalue()


def decode_stamped_bars(body: bytes, key: str) -> pd.DataFrame:
    """Read Parquet bytes; `key` names them in the `DataError` raised when they are not bars."""
    try:
        table = pq.read_table(pa.BufferReader(body), columns=list(BAR_COLUMNS))
        table = table.select(list(BAR_COLUMNS))
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"the object {key} is not a Parquet file of bars ({error}); delete it and store its "
            "bars again"
        ) from error
    stamps = table["date"].cast(pa.timestamp("s")).to_numpy()
    symbol = pd.Series(table["symbol"].cast(pa.large_string()).combine_chunks(), dtype="str")
    values = {name: table[name].to_numpy() for name in FIELDS}
    return pd.DataFrame({"date": stamps, "symbol": symbol, **values}, copy=False)


def lay_over(held: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return both canonical frames with `new` on top, and how many of its rows change anything."""
    both = pd.concat([held, new], ignore_index=True)
    both = both.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    symbol, stamp = both["symbol"].to_numpy(), both["date"].to_numpy()
    repeated = np.zeros(len(both), dtype=bool)
    repeated[:-1] = (symbol[1:] == symbol[:-1]) & (stamp[1:] == stamp[:-1])
    first = np.flatnonzero(repeated)
    same = np.ones(len(first), dtype=bool)
    for name in FIELDS:
        values = both[name].to_numpy()
        before, after = values[first], values[first + 1]
        same &= (before == after) | (np.isnan(before) & np.isnan(after))
    written = len(new) - int(np.count_nonzero(same))
    return both[~repeated].reset_index(drop=True), written


def between(
    bars: pd.DataFrame, first: np.datetime64, last: np.datetime64, wanted: list[str] | None
) -> pd.DataFrame:
    """Return the rows from `first` to `last`, both included, of the `wanted` symbols."""
    stamps = bars["date"].to_numpy()
    keep = (stamps >= first) & (stamps <= last)
    if wanted is not None:
        keep &= bars["symbol"].isin(wanted).to_numpy()
    return bars if keep.all() else bars[keep]
