"""Bars frames as Parquet bytes, the same bytes for the same bars."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trading.data.frames import bars_from_codes
from trading.errors import DataError
from trading.market.bars import FIELDS
from trading.market.panel import FloatArray, SessionArray

SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("symbol", pa.dictionary(pa.int32(), pa.large_string())),
        *((name, pa.float64()) for name in FIELDS),
    ]
)
# Columns that an object has where they tell more than the day of the row.
BESIDE = ("basis", "named")


@dataclass(frozen=True)
class BarColumns:
    """Bars as parallel arrays: what a bars frame is, with symbols as codes.

    Attributes
    ----------
    day : (n,) datetime64[D]
    code : (n,) int64, `names[code[i]]` is the symbol of row i
    names : sorted unique symbols
    values : field -> (n,) float64
    basis : (n,) datetime64[D], the day through which the source had adjusted the row for splits
        and dividends, never before the row's own day; None: every row's own day
    named : (n,) datetime64[D], the day on which the share bore the row's symbol; None: likewise
    """

    day: SessionArray
    code: npt.NDArray[np.int64]
    names: tuple[str, ...]
    values: Mapping[str, FloatArray]
    basis: SessionArray | None = None
    named: SessionArray | None = None

    @classmethod
    def from_bars(
        cls,
        bars: pd.DataFrame,
        adjusted_through: date | None = None,
        *,
        present_symbols: bool = False,
    ) -> "BarColumns":
        """Take a bars frame apart.

        Parameters
        ----------
        adjusted_through : the day through which its source had adjusted it; None: the last of it
        present_symbols : the symbols are those of that day, not each of its row's day
        """
        codes, names = pd.factorize(bars["symbol"], sort=True)
        day = bars["date"].to_numpy().astype("datetime64[D]")
        values = {name: bars[name].to_numpy(dtype=np.float64) for name in FIELDS}
        last = np.datetime64(adjusted_through, "D") if adjusted_through else None
        basis = np.maximum(day, day.max() if last is None else last) if len(day) else day
        basis = basis if (basis != day).any() else None
        named = basis if present_symbols else None
        texts = tuple(str(name) for name in names)
        return cls(day, codes.astype(np.int64), texts, values, basis, named)

    def __len__(self) -> int:
        return len(self.day)

    @property
    def adjusted_through(self) -> date:
        """The last day through which any of the rows is adjusted."""
        last: date = (self.day if self.basis is None else self.basis).max().astype(object)
        return last

    def take(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "BarColumns":
        """Return some of the rows; `names` stay. Taking all of them copies nothing."""
        if which.dtype == np.bool_ and which.all():
            return self
        values = {name: column[which] for name, column in self.values.items()}
        basis, named = (None if c is None else c[which] for c in (self.basis, self.named))
        return BarColumns(self.day[which], self.code[which], self.names, values, basis, named)

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
    basis, named = (_concat_beside(parts, name) for name in BESIDE)
    return BarColumns(day, np.concatenate(recoded), tuple(names), values, basis, named)


def _concat_beside(parts: Sequence[BarColumns], name: str) -> SessionArray | None:
    columns = [getattr(part, name) for part in parts]
    if all(column is None for column in columns):
        return None
    return np.concatenate(
        [
            part.day if column is None else column
            for part, column in zip(parts, columns, strict=True)
        ]
    )


class BarWriter:
    """Writes bars as the row groups of one Parquet object (zstd); the same bars, the same bytes.

    Parameters
    ----------
    beside : which of the columns `basis` and `named` the object has
    """

    def __init__(self, beside: Iterable[str] = ()) -> None:
        self._beside = tuple(beside)
        self._schema = pa.schema([*SCHEMA, *((name, pa.date32()) for name in self._beside)])
        self._sink = io.BytesIO()
        self._writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=["symbol", "date", *self._beside],
            use_byte_stream_split=list(FIELDS),
            write_statistics=["date", "symbol"],
        )

    def write(self, bars: BarColumns) -> None:
        """Write bars as one row group; only the symbols that occur are stored."""
        occurs = np.bincount(bars.code, minlength=len(bars.names)) > 0
        names = pa.array([bars.names[i] for i in np.flatnonzero(occurs)], type=pa.large_string())
        code = (np.cumsum(occurs, dtype=np.int32) - 1)[bars.code]
        told = (getattr(bars, name) for name in self._beside)
        arrays = [
            pa.array(bars.day),
            pa.DictionaryArray.from_arrays(pa.array(code, type=pa.int32()), names),
            *(pa.array(bars.values[name]) for name in FIELDS),
            *(pa.array(bars.day if column is None else column) for column in told),
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(len(bars), 1))

    def finish(self) -> bytes:
        """Return the bytes of the object."""
        self._writer.close()
        return self._sink.getvalue()


def encode_bars(bars: BarColumns) -> bytes:
    """Return the Parquet bytes of bars in one row group, see `BarWriter`."""
    writer = BarWriter(name for name in BESIDE if getattr(bars, name) is not None)
    writer.write(bars)
    return writer.finish()


def decode_bars(body: bytes, key: str, fields: Sequence[str] = FIELDS) -> BarColumns:
    """Read Parquet bytes of bars; `key` names them in the `DataError` raised when they are not.

    Only the values of `fields` are decoded.
    """
    with unreadable(key):
        source = pq.ParquetFile(pa.BufferReader(body), read_dictionary=["symbol"])
        beside = [name for name in BESIDE if name in source.schema_arrow.names]
        return columns_of(source.read(columns=["date", "symbol", *fields, *beside]), fields)


@contextmanager
def unreadable(key: str) -> Iterator[None]:
    """Raise `DataError` in a block that finds the object `key` to be no Parquet file of bars."""
    try:
        yield
    except (pa.ArrowException, KeyError, OSError) as error:
        raise DataError(
            f"the object {key} of the lake is not a Parquet file of bars ({error}); "
            "delete it and ingest again"
        ) from error


def columns_of(table: pa.Table, fields: Sequence[str]) -> BarColumns:
    """Return a table as columns, with the values of `fields`; raises `KeyError` without them."""
    beside = [name for name in BESIDE if name in table.column_names]
    table = table.select(["date", "symbol", *fields, *beside])
    table = table.combine_chunks().unify_dictionaries()
    symbol = table["symbol"].combine_chunks()
    chunk = symbol.chunk(0) if isinstance(symbol, pa.ChunkedArray) else symbol
    spelt = [str(name) for name in chunk.dictionary.to_pylist()]
    names = sorted(spelt)
    codes = chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if names != spelt and len(codes):
        position = {name: i for i, name in enumerate(names)}
        codes = np.array([position[name] for name in spelt], dtype=np.int64)[codes]
    values = {name: table[name].to_numpy() for name in fields}
    days = {name: table[name].to_numpy().astype("datetime64[D]") for name in ["date", *beside]}
    return BarColumns(
        days["date"], codes, tuple(names), values, days.get("basis"), days.get("named")
    )
