"""Bars frames as Parquet bytes, the same bytes for the same bars."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.frames import bars_from_codes
from trading.errors import DataError
from trading.market.bars import BAR_COLUMNS, FIELDS
from trading.market.panel import FloatArray, SessionArray

SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("symbol", pa.dictionary(pa.int32(), pa.large_string())),
        *((name, pa.float64()) for name in FIELDS),
    ]
)


@dataclass(frozen=True)
class BarColumns:
    """Bars as parallel arrays: what a bars frame is, with symbols as codes.

    Attributes
    ----------
    day : (n,) datetime64[D]
    code : (n,) int64, `names[code[i]]` is the symbol of row i
    names : sorted unique symbols
    values : field -> (n,) float64
    """

    day: SessionArray
    code: npt.NDArray[np.int64]
    names: tuple[str, ...]
    values: Mapping[str, FloatArray]

    @classmethod
    def from_bars(cls, bars: pd.DataFrame) -> "BarColumns":
        """Take a bars frame apart."""
        codes, names = pd.factorize(bars["symbol"], sort=True)
        day = bars["date"].to_numpy().astype("datetime64[D]")
        values = {name: bars[name].to_numpy(dtype=np.float64) for name in FIELDS}
        return cls(day, codes.astype(np.int64), tuple(str(name) for name in names), values)

    def __len__(self) -> int:
        return len(self.day)

    def take(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "BarColumns":
        """Return some of the rows; `names` stay. Taking all of them copies nothing."""
        if which.dtype == np.bool_ and which.all():
            return self
        values = {name: column[which] for name, column in self.values.items()}
        return BarColumns(self.day[which], self.code[which], self.names, values)

    def to_bars(self) -> pd.DataFrame:
        """Return the bars frame."""
        return bars_from_codes(self.day, self.code, self.names, self.values)


def concat_columns(parts: Sequence[BarColumns]) -> BarColumns:
    """Return the rows of all parts, in their order."""
    names = sorted(set().union(*(part.names for part in parts)))
    position = {name: i for i, name in enumerate(names)}
    recoded = [
        np.array([position[n] for n in part.names], dtype=np.int64)[part.code]
        if len(part)
        else part.code
        for part in parts
    ]
    values = {
        name: np.concatenate([part.values[name] for part in parts]) if parts else np.empty(0)
        for name in (parts[0].values if parts else FIELDS)
    }
    day = np.concatenate([part.day for part in parts])
    return BarColumns(day, np.concatenate(recoded), tuple(names), values)


def encode_bars(bars: BarColumns) -> bytes:
    """Return the Parquet bytes (zstd) of bars; only the symbols that occur are stored."""
    used, code = np.unique(bars.code, return_inverse=True)
    names = pa.array([bars.names[i] for i in used], type=pa.large_string())
    arrays = [
        pa.array(bars.day),
        pa.DictionaryArray.from_arrays(pa.array(code, type=pa.int32()), names),
        *(pa.array(bars.values[name]) for name in FIELDS),
    ]
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=SCHEMA),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=["symbol", "date"],
        use_byte_stream_split=list(FIELDS),
        write_statistics=["date", "symbol"],
    )
    return sink.getvalue()


def decode_bars(body: bytes, key: str, fields: Sequence[str] = FIELDS) -> BarColumns:
    """Read Parquet bytes of bars; `key` names them in the `DataError` raised when they are not.

    Only the values of `fields` are decoded.
    """
    columns = [name for name in BAR_COLUMNS if name in fields or name not in FIELDS]
    try:
        table = pq.read_table(pa.BufferReader(body), columns=columns, read_dictionary=["symbol"])
        table = table.select(columns).combine_chunks().unify_dictionaries()
    except (pa.ArrowException, KeyError) as error:
        raise DataError(
            f"the object {key} of the lake is not a Parquet file of bars ({error}); "
            "delete it and ingest again"
        ) from error
    symbol = table["symbol"].combine_chunks()
    chunk = symbol.chunk(0) if isinstance(symbol, pa.ChunkedArray) else symbol
    spelt = [str(name) for name in chunk.dictionary.to_pylist()]
    names = sorted(spelt)
    position = {name: i for i, name in enumerate(names)}
    recode = np.array([position[name] for name in spelt], dtype=np.int64)
    codes = chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    day = table["date"].to_numpy().astype("datetime64[D]")
    values = {name: table[name].to_numpy() for name in fields}
    return BarColumns(day, recode[codes] if len(codes) else codes, tuple(names), values)
