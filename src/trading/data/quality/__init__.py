"""Judge market data: findings with a severity, a verdict, and what it takes to pass."""

from trading.data.quality.findings import Finding, FindingKind, Severity
from trading.data.quality.history import HistoryReport, check_bars
from trading.data.quality.session import QualityReport, check_session, enforce
from trading.data.quality.verdict import QualityVerdict

__all__ = [
    "Finding",
    "FindingKind",
    "HistoryReport",
    "QualityReport",
    "QualityVerdict",
    "Severity",
    "check_bars",
    "check_session",
    "enforce",
]
