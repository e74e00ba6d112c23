"""A provider's answer as bytes, to be kept until its session is stored."""

import io
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from trading.data.parquet import BarColumns, decode_bars, encode_bars
from trading.data.providers.base import Disagreement, FetchResult, MissingBars
from trading.data.report import IngestReport
from trading.errors import DataError
from trading.market.bars import CorporateAction

LENGTH = 8


@dataclass(frozen=True)
class Answered:
    """An answer, and what it answers.

    Attributes
    ----------
    symbols : what was asked for, None for every symbol
    first, last : the first and last session asked for
    through : the last session that was over when it was asked: vendors adjust through it
    result : what came
    by_symbol : whether each bar was asked under the symbol of `through`, not of its session
    """

    symbols: tuple[str, ...] | None
    first: date
    last: date
    through: date
    result: FetchResult
    by_symbol: bool = True

    def to_bytes(self) -> bytes:
        """Return the answer as bytes."""
        result = self.result
        told = _TOLD.dump_json(
            _Told(
                self.symbols,
                self.first,
                self.last,
                self.through,
                result.actions,
                result.report,
                result.missing,
                result.disagreements,
                result.alerts,
                result.provenance is not None,
                self.by_symbol,
            )
        )
        provenance = result.bars.iloc[:0] if result.provenance is None else result.provenance
        bars = encode_bars(BarColumns.from_bars(result.bars))
        parts = (told, bars, _frame_bytes(provenance))
        return b"".join(len(part).to_bytes(LENGTH, "big") + part for part in parts)

    @classmethod
    def from_bytes(cls, body: bytes, key: str) -> "Answered":
        """Read what `to_bytes` wrote; `key` names it in the `DataError` raised when it is not."""
        parts, spot = [], 0
        while spot < len(body):
            size = int.from_bytes(body[spot : spot + LENGTH], "big")
            parts.append(body[spot + LENGTH : spot + LENGTH + size])
            spot += LENGTH + size
        try:
            if len(parts) != 3 or spot != len(body):
                raise ValueError("it is cut off")
            told = _TOLD.validate_json(parts[0])
            bars, provenance = decode_bars(parts[1], key).to_bars(), _frame(parts[2])
        except (ValidationError, ValueError, pa.ArrowException) as error:
            raise DataError(
                f"{key} is no kept answer of a provider ({error}); delete it and fetch again"
            ) from error
        result = FetchResult(
            bars,
            told.actions,
            told.report,
            told.missing,
            told.disagreements,
            provenance if told.has_provenance else None,
            told.alerts,
        )
        return cls(told.symbols, told.first, told.last, told.through, result, told.by_symbol)


@dataclass(frozen=True)
class _Told:
    symbols: tuple[str, ...] | None
    first: date
    last: date
    through: date
    actions: tuple[CorporateAction, ...]
    report: IngestReport
    missing: tuple[MissingBars, ...]
    disagreements: tuple[Disagreement, ...]
    alerts: tuple[str, ...]
    has_provenance: bool
    by_symbol: bool


_TOLD: TypeAdapter[_Told] = TypeAdapter(_Told)


def _frame_bytes(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _frame(body: bytes) -> pd.DataFrame:
    frame = pq.read_table(pa.BufferReader(body)).to_pandas()
    return frame.assign(date=frame["date"].astype("datetime64[s]"))
