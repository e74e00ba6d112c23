"""The stages of the pipeline: each takes a batch and returns it one step further."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.actions.adjustment import adjust_bars
from trading.data.cleaning import clean_bars
from trading.data.fundamentals.table import FundamentalsTable, trailing_yield, with_price
from trading.data.pipeline.data import RawData
from trading.data.quality.findings import Finding
from trading.data.quality.history import HistoryReport, check_bars
from trading.data.quality.rows import check_rows
from trading.data.repairs.record import Repair, RepairResult
from trading.data.repairs.repair import repair_bars
from trading.data.report import IngestReport
from trading.errors import DataError
from trading.market.bars import CorporateAction, CorporateActionType, FundamentalData, empty_bars


@dataclass(frozen=True)
class Batch:
    """Data on its way through the pipeline; what a stage has not made yet is None or empty."""

    raw: RawData
    actions: tuple[CorporateAction, ...] = ()
    findings: tuple[Finding, ...] = ()
    bars: pd.DataFrame = field(default_factory=empty_bars)
    report: IngestReport | None = None
    repaired: RepairResult | None = None
    reference: pd.DataFrame = field(default_factory=pd.DataFrame)
    quality: HistoryReport | None = None

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was mended so far."""
        return self.repaired.repairs if self.repaired else ()


class Stage(Protocol):
    """One step: a pure function of the batch."""

    @property
    def name(self) -> str:
        """A short word for it."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch one step further; raises `DataError` when it cannot go on."""


@dataclass(frozen=True)
class Validate:
    """Find what is wrong with the rows as they came."""

    settings: Settings
    today: date
    name: str = "validate"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with the findings on its raw rows."""
        found = check_rows(batch.raw.rows, today=self.today, settings=self.settings)
        return replace(batch, findings=tuple(found), actions=batch.raw.actions)


@dataclass(frozen=True)
class Normalise:
    """Turn the rows into a bars frame; rows that cannot be true are dropped and counted."""

    settings: Settings
    today: date
    name: str = "normalise"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with clean bars and the account of the cleaning."""
        bars, report = clean_bars(
            batch.raw.rows, source=batch.raw.source, today=self.today, settings=self.settings
        )
        return replace(batch, bars=bars, report=report)


@dataclass(frozen=True)
class Adjust:
    """Adjust prices as traded for splits and dividends; others pass."""

    name: str = "adjust"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with adjusted bars."""
        if not batch.raw.traded:
            return batch
        return replace(batch, bars=adjust_bars(batch.bars, batch.actions))


@dataclass(frozen=True)
class Mend:
    """Repair what can be proved wrong."""

    settings: Settings
    name: str = "mend"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with repaired bars and actions, and the record."""
        done = repair_bars(batch.bars, batch.actions, self.settings.data.quality)
        return replace(batch, bars=done.bars, actions=done.actions, repaired=done)


@dataclass(frozen=True)
class Enrich:
    """Add what is known of each company at its last bar."""

    name: str = "enrich"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its reference table."""
        return replace(batch, reference=_reference(batch))


@dataclass(frozen=True)
class Judge:
    """Judge the finished bars together with what the raw rows showed."""

    settings: Settings
    name: str = "judge"

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its quality report."""
        quality = check_bars(
            batch.bars,
            batch.actions,
            self.settings.data,
            source=batch.raw.source,
            rows_findings=batch.findings,
        )
        return replace(batch, quality=quality)


def _reference(batch: Batch) -> pd.DataFrame:
    bars = batch.bars.dropna(subset=["close"])
    if bars.empty:
        raise DataError(f"{batch.raw.source} has no bar with a close left to enrich")
    last = bars.groupby("symbol", sort=True).tail(1).set_index("symbol").sort_index()
    table = FundamentalsTable(batch.raw.fundamentals)
    dividends: dict[str, list[CorporateAction]] = {}
    for action in batch.actions:
        if action.type is CorporateActionType.DIVIDEND:
            dividends.setdefault(action.symbol, []).append(action)
    records = []
    for symbol, stamp, close in zip(last.index, last["date"], last["close"], strict=True):
        day = stamp.date()
        record = table.known(symbol, day)
        if record is not None:
            record = with_price(record, close, _close_on(bars, symbol, record.as_of))
        record = record or FundamentalData(symbol, day)
        if record.dividend_yield is None and symbol in dividends:
            found = trailing_yield(dividends[symbol], symbol, day, close)
            record = replace(record, dividend_yield=found)
        records.append(replace(record, symbol=symbol, as_of=day))
    frame = FundamentalsTable(tuple(records)).cross_section(list(last.index), date.max)
    frame = frame.drop(columns="as_of")
    frame.insert(1, "session", last["date"].to_numpy())
    frame.insert(2, "close", last["close"].to_numpy())
    return frame


def _close_on(bars: pd.DataFrame, symbol: str, day: date) -> float:
    """Return the last close up to a day, NaN where there is none."""
    symbols = bars["symbol"].to_numpy()
    span = slice(np.searchsorted(symbols, symbol), np.searchsorted(symbols, symbol, side="right"))
    dates = bars["date"].to_numpy()[span]
    spot = int(np.searchsorted(dates, np.datetime64(day), side="right"))
    return float(bars["close"].to_numpy()[span][spot - 1]) if spot else float("nan")
