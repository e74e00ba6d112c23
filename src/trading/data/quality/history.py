"""Judge a whole history: every check, one verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from trading.config import DataSettings
from trading.data.quality.activity import check_activity
from trading.data.quality.coverage import check_coverage
from trading.data.quality.dividends import DividendFault, find_dividend_faults
from trading.data.quality.findings import (
    Finding,
    FindingKind,
    Severity,
    finding_of_rows,
    span,
)
from trading.data.quality.levels import Displacement, find_displacements
from trading.data.quality.prices import check_prices
from trading.data.quality.series import BarSeries
from trading.data.quality.verdict import QualityVerdict
from trading.market.bars import CorporateAction

SENTENCES = {
    FindingKind.DIVIDEND_HUNDREDFOLD: "{count} dividends of {symbols} symbols are a hundred times "
    "what prices show: the unit is wrong",
    FindingKind.DIVIDEND_HUNDREDTH: "{count} dividends of {symbols} symbols are a hundredth of "
    "what prices show: the unit is wrong",
    FindingKind.DUPLICATE_DIVIDEND: "{count} dividends of {symbols} symbols repeat another of the "
    "same size within days, and the price fell once: one is a phantom",
    FindingKind.ADJUSTMENT_MISSING: "{count} dividends of {symbols} symbols are declared but the "
    "adjusted closes before them are not adjusted",
    FindingKind.ADJUSTMENT_MISMATCH: "{count} dividends of {symbols} symbols are adjusted for by "
    "another amount than declared",
    FindingKind.DIVIDEND_WITHOUT_FALL: "{count} large dividends of {symbols} symbols left no trace "
    "in the price of their ex-date: amount or date is wrong",
}


@dataclass(frozen=True)
class HistoryReport:
    """What was found in a history.

    Attributes
    ----------
    source : what was judged, in words
    rows, symbols, sessions : how much
    first, last : first and last session, None for nothing
    verdict : `fail` means do not use it, `warn` that someone should look
    reasons : why the verdict is not `pass`
    findings : the gravest first
    """

    source: str
    rows: int
    symbols: int
    sessions: int
    first: date | None
    last: date | None
    verdict: QualityVerdict
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]

    def count(self, kind: FindingKind) -> int:
        """Return how often a kind of fault was found."""
        return sum(finding.count for finding in self.findings if finding.kind is kind)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        return {
            "source": self.source,
            "rows": self.rows,
            "symbols": self.symbols,
            "sessions": self.sessions,
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check_bars(
    bars: pd.DataFrame,
    actions: Sequence[CorporateAction] = (),
    settings: DataSettings | None = None,
    *,
    source: str = "the bars",
    rows_findings: Sequence[Finding] = (),
) -> HistoryReport:
    """Judge clean bars of any number of symbols and sessions, with hindsight.

    Parameters
    ----------
    bars : a bars frame, any order of rows; rows without a close are not judged
    actions : splits and dividends as declared; without them jumps are questions, not faults
    settings : thresholds; the defaults when left out
    rows_findings : what was found in the raw rows before they were cleaned
        (`trading.data.quality.rows.check_rows`); counts in the verdict

    Raises
    ------
    DataError
        A column is missing, or a (symbol, day) comes twice.
    """
    settings = settings or DataSettings()
    series = BarSeries.from_bars(bars).known()
    displaced = find_displacements(series, actions, settings.quality)
    faults = find_dividend_faults(series, actions, settings.quality)
    found = [
        *rows_findings,
        *_displacements(series, displaced),
        *_dividends(series, faults),
        *check_prices(series, actions, settings),
        *check_activity(series, settings),
        *check_coverage(series, actions, settings),
    ]
    grave = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    found.sort(key=lambda finding: (grave.index(finding.severity), -finding.count))
    verdict, reasons = _judge(found, len(series.symbols), settings)
    return HistoryReport(
        source,
        len(series),
        len(series.symbols),
        len(np.unique(series.day)),
        *span(series.day),
        verdict,
        reasons,
        tuple(found),
    )


def refused(source: str, *, rows: int, findings: Sequence[Finding], reason: str) -> HistoryReport:
    """Return the report on rows that the cleaning refused: the verdict is fail, for that reason."""
    return HistoryReport(
        source, rows, 0, 0, None, None, QualityVerdict.FAIL, (reason,), tuple(findings)
    )


def _displacements(series: BarSeries, displaced: Sequence[Displacement]) -> list[Finding]:
    found = []
    for kind, what in (
        (FindingKind.HUNDREDFOLD_PRICE, "a hundred times too high or too low"),
        (FindingKind.SPLIT_NOT_APPLIED, "off by the ratio of a declared split"),
    ):
        mine = [one for one in displaced if one.kind is kind]
        rows = np.concatenate([np.zeros(0, dtype=np.intp), *(one.rows for one in mine)])
        proved = sum(one.proved for one in mine)
        finding = finding_of_rows(
            kind,
            Severity.ERROR,
            series,
            rows.astype(np.intp),
            f"{{count}} bars of {{symbols}} symbols stand {what}; {proved} of the {len(mine)} "
            "cases can be repaired",
        )
        found += [finding] if finding else []
    return found


def _dividends(series: BarSeries, faults: Sequence[DividendFault]) -> list[Finding]:
    found = []
    for kind, sentence in SENTENCES.items():
        mine = [fault for fault in faults if fault.kind is kind]
        grave = kind is not FindingKind.DIVIDEND_WITHOUT_FALL
        proved = sum(fault.proved for fault in mine)
        finding = finding_of_rows(
            kind,
            Severity.ERROR if grave else Severity.WARNING,
            series,
            np.array([fault.row for fault in mine], dtype=np.intp),
            f"{sentence}; {proved} can be repaired",
            size=np.array([fault.declared for fault in mine]),
            what="declared {:g}",
        )
        found += [finding] if finding else []
    return found


def _judge(
    found: Sequence[Finding], symbols: int, settings: DataSettings
) -> tuple[QualityVerdict, tuple[str, ...]]:
    if not symbols:
        return QualityVerdict.FAIL, ("there is no bar to judge: expected at least one",)
    fails, warns = [], []
    by_severity = Counter(finding.severity for finding in found)
    worst = max((f.symbol_count for f in found if f.severity is Severity.ERROR), default=0)
    limit = settings.quality.max_error_symbols
    if worst > limit * symbols:
        fails.append(
            f"{worst:,} of {symbols:,} symbols have an error of one kind, more than the "
            f"{limit:.1%} that data.quality.max_error_symbols allows"
        )
    for finding in found:
        if finding.severity is Severity.ERROR and not finding.symbol_count:
            fails.append(finding.sentence)
    if not fails and by_severity[Severity.ERROR]:
        errors = _kinds(by_severity[Severity.ERROR], "of error")
        warns.append(f"{errors}, in too few symbols to fail")
    if by_severity[Severity.WARNING]:
        warns.append(f"{_kinds(by_severity[Severity.WARNING], 'of finding')} to look at")
    verdict = QualityVerdict.WARN if warns else QualityVerdict.PASS
    return (QualityVerdict.FAIL if fails else verdict), (*fails, *warns)


def _kinds(count: int, of: str) -> str:
    return f"{count} kind{'s' if count > 1 else ''} {of}"
