"""Based bars: a canonical bars frame and, beside each row, what it is adjusted for.

The column `basis` is the day through which the source had applied splits and dividends. As Parquet
bytes they are the minute and hour objects.
"""

import io
from datetime import date

import numpy as np
import numpy.typing as npt
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
        ("basis", pa.date32()),
    ]
)


def with_basis(bars: pd.DataFrame, adjusted_through: date | None) -> pd.DataFrame:
    """Return canonical bars with their basis: `adjusted_through` (None: the last day of them).

    No bar is adjusted through less than its own day.
    """
    own = bars["date"].to_numpy().astype("datetime64[D]")
    through = own.max() if adjusted_through is None and len(own) else adjusted_through
    last = np.datetime64(through, "D") if through is not None else own
    return bars.assign(basis=np.maximum(own, last).astype("datetime64[s]"))


def encode_stamped_bars(bars: pd.DataFrame) -> bytes:
    """Return the Parquet bytes (zstd) of based bars; the same bars give the same bytes."""
    code, names = pd.factorize(bars["symbol"], sort=True)
    symbol = pa.DictionaryArray.from_arrays(
        pa.array(code, type=pa.int32()), pa.array(list(names), type=pa.large_string())
    )
    stamps = pa.array(bars["date"].to_numpy().astype("datetime64[s]"))
    values = [pa.array(bars[name].to_numpy(dtype=np.float64)) for name in FIELDS]
    basis = pa.array(bars["basis"].to_numpy().astype("datetime64[D]"))
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(
            [stamps.cast(SCHEMA.field(0).type), symbol, *values, basis], schema=SCHEMA
        ),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=["symbol", "date", "basis"],
        use_byte_stream_split=list(FIELDS),
        write_statistics=["date", "symbol"],
    )
    return sink.getvalue()


def decode_stamped_bars(body: bytes, key: str) -> pd.DataFrame:
    """Read Parquet bytes; `key` names them in the `DataError` raised when they are not bars."""
    try:
        table = pq.read_table(pa.BufferReader(body))
        # Objects of before bars had a basis are taken as traded.
        based = "basis" in table.column_names
        table = table.select([*BAR_COLUMNS, "basis"] if based else list(BAR_COLUMNS))
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"the object {key} is not a Parquet file of bars ({error}); delete it and store its "
            "bars again"
        ) from error
    stamps = table["date"].cast(pa.timestamp("s")).to_numpy()
    symbol = pd.Series(table["symbol"].cast(pa.large_string()).combine_chunks(), dtype="str")
    values = {name: table[name].to_numpy() for name in FIELDS}
    bars = pd.DataFrame({"date": stamps, "symbol": symbol, **values}, copy=False)
    if not based:
        return with_basis(bars, date.min)
    return bars.assign(basis=table["basis"].to_numpy().astype("datetime64[s]"))


def differing(held: pd.DataFrame, new: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows of `new` are not in `held` with the same values; both canonical."""
    keys = ["symbol", "date"]
    both = new[keys].merge(held, on=keys, how="left", indicator=True)
    same = np.array(both["_merge"] == "both", dtype=bool)
    for name in FIELDS:
        before, after = both[name].to_numpy(), new[name].to_numpy()
        same &= (before == after) | (np.isnan(before) & np.isnan(after))
    return ~same


def lay_over(held: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return both based frames with the rows of `new` that change anything on top, and how many."""
    changed = new[differing(held, new)]
    both = pd.concat([held, changed], ignore_index=True)
    both = both.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    symbol, stamp = both["symbol"].to_numpy(), both["date"].to_numpy()
    repeated = np.zeros(len(both), dtype=bool)
    repeated[:-1] = (symbol[1:] == symbol[:-1]) & (stamp[1:] == stamp[:-1])
    return both[~repeated].reset_index(drop=True), len(changed)


def between(
    bars: pd.DataFrame, first: np.datetime64, last: np.datetime64, wanted: list[str] | None
) -> pd.DataFrame:
    """Return the rows from `first` to `last`, both included, of the `wanted` symbols."""
    stamps = bars["date"].to_numpy()
    keep = (stamps >= first) & (stamps <= last)
    if wanted is not None:
        keep &= bars["symbol"].isin(wanted).to_numpy()
    return bars if keep.all() else bars[keep]
