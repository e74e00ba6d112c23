"""What goes into the pipeline, and what comes out."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from trading.data.quality.history import HistoryReport
from trading.data.repairs.record import Repair, RepairResult
from trading.data.report import IngestReport
from trading.errors import DataError
from trading.market.bars import CorporateAction, FundamentalData


@dataclass(frozen=True)
class RawData:
    """Rows as a source sent them, and what else it told.

    Attributes
    ----------
    rows : one row a symbol and day, in any order; columns in any usual spelling and type
    source : what the rows are, in words
    actions : splits, dividends, delistings
    fundamentals : what is known of the companies
    traded : prices are as traded and still to be adjusted; else they are split-adjusted already
    """

    rows: pd.DataFrame
    source: str
    actions: tuple[CorporateAction, ...] = ()
    fundamentals: tuple[FundamentalData, ...] = ()
    traded: bool = False

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything that the result depends on, but for the settings."""
        digest = hashlib.sha256(repr((self.source, self.traded)).encode())
        digest.update(_frame_bytes(self.rows.astype(object).astype(str)))
        digest.update(repr((self.actions, self.fundamentals)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class CleanData:
    """Data that can be trusted as far as its verdict says, and the account of how it came about.

    Attributes
    ----------
    bars : bars frame, split-adjusted, `adjusted_close` also for dividends
    actions : as repaired
    reference : one row a symbol of `bars`: last session and close, market cap, P/E, EPS, dividend
        yield, sector, industry as known then; NaN and None where unknown
    report : what cleaning read, repaired and dropped
    quality : findings on the raw rows and the finished bars, and the verdict
    repairs : what was mended beyond cleaning
    original_bars, replaced_actions : what the repairs changed, as it was
    """

    bars: pd.DataFrame
    actions: tuple[CorporateAction, ...]
    reference: pd.DataFrame
    report: IngestReport
    quality: HistoryReport
    repairs: tuple[Repair, ...] = ()
    original_bars: pd.DataFrame = field(default_factory=pd.DataFrame)
    replaced_actions: tuple[tuple[CorporateAction, CorporateAction], ...] = ()

    def before_repairs(self) -> RepairResult:
        """Return what `trading.data.repairs.revert` takes to undo the repairs."""
        return RepairResult(
            self.bars, self.actions, self.repairs, self.original_bars, self.replaced_actions
        )

    def to_bytes(self) -> bytes:
        """Return the data as bytes, for a cache."""
        told = _TOLD.dump_json(
            _Told(self.actions, self.report, self.quality, self.repairs, self.replaced_actions)
        )
        frames = [_frame_bytes(f) for f in (self.bars, self.reference, self.original_bars)]
        parts = [told, *frames]
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    @classmethod
    def from_bytes(cls, body: bytes) -> "CleanData":
        """Read what `to_bytes` wrote; raises `DataError` when it is something else."""
        parts, spot = [], 0
        while spot < len(body):
            size = int.from_bytes(body[spot : spot + 8], "big")
            parts.append(body[spot + 8 : spot + 8 + size])
            spot += 8 + size
        if len(parts) != 4 or spot != len(body):
            raise DataError("the bytes are no clean data; expected what CleanData.to_bytes wrote")
        try:
            told = _TOLD.validate_json(parts[0])
            frames = [pq.read_table(pa.BufferReader(part)).to_pandas() for part in parts[1:]]
        except (ValidationError, pa.ArrowException) as error:
            raise DataError(f"the bytes are no clean data ({error}); process them again") from error
        return cls(
            frames[0],
            told.actions,
            frames[1],
            told.report,
            told.quality,
            told.repairs,
            frames[2],
            told.replaced_actions,
        )

    def to_dict(self) -> Mapping[str, Any]:
        """Return the account as plain JSON values, without the bars."""
        return {
            "report": self.report.to_dict(),
            "quality": self.quality.to_dict(),
            "repairs": [repair.to_dict() for repair in self.repairs],
        }


@dataclass(frozen=True)
class _Told:
    actions: tuple[CorporateAction, ...]
    report: IngestReport
    quality: HistoryReport
    repairs: tuple[Repair, ...]
    replaced_actions: tuple[tuple[CorporateAction, CorporateAction], ...]


_TOLD: TypeAdapter[_Told] = TypeAdapter(_Told)


def _frame_bytes(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return sink.getvalue()
