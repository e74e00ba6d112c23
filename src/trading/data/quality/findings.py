"""What can be wrong with bars: the kinds of fault, how grave each is, and one finding."""

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.data.quality.series import BarSeries
from trading.market.panel import SessionArray

MOST_NAMED = 12


class Severity(StrEnum):
    """How grave a finding is.

    `info` is a property of the market worth knowing, `warning` asks for a look, `error` is data
    that cannot be true.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class FindingKind(StrEnum):
    """The kinds of fault."""

    MISSING_COLUMN = "missing_column"
    NO_DATE = "no_date"
    NO_SYMBOL = "no_symbol"
    FUTURE_DATE = "future_date"
    NOT_A_SESSION = "not_a_session"
    NO_CLOSE = "no_close"
    INFINITE_VALUE = "infinite_value"
    NONPOSITIVE_PRICE = "nonpositive_price"
    IMPOSSIBLE_VOLUME = "impossible_volume"
    OHLC_ORDER = "ohlc_order"
    DUPLICATE_ROW = "duplicate_row"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    HUNDREDFOLD_PRICE = "hundredfold_price"
    SPLIT_NOT_APPLIED = "split_not_applied"
    SPLIT_SHAPED_JUMP = "split_shaped_jump"
    REVERTING_SPIKE = "reverting_spike"
    IMPOSSIBLE_RETURN = "impossible_return"
    OUTLIER = "outlier"
    NEGATIVE_IMPLIED_DIVIDEND = "negative_implied_dividend"
    DIVIDEND_WITHOUT_FALL = "dividend_without_fall"
    DIVIDEND_HUNDREDFOLD = "dividend_hundredfold"
    DIVIDEND_HUNDREDTH = "dividend_hundredth"
    DUPLICATE_DIVIDEND = "duplicate_dividend"
    ADJUSTMENT_MISSING = "adjustment_missing"
    ADJUSTMENT_MISMATCH = "adjustment_mismatch"
    STALE_SERIES = "stale_series"
    ZERO_VOLUME = "zero_volume"
    VOLUME_SPIKE = "volume_spike"
    MISSING_SESSION = "missing_session"
    MISSING_BARS = "missing_bars"
    LOW_COVERAGE = "low_coverage"
    SUSPECTED_REUSE = "suspected_reuse"
    DUPLICATE_SERIES = "duplicate_series"
    ENDED_SERIES = "ended_series"


@dataclass(frozen=True)
class Finding:
    """One kind of fault, wherever it was found.

    Attributes
    ----------
    kind, severity : what it is and how grave
    count : rows, sessions or events concerned; the sentence says which
    symbols : the symbols concerned, those with most first, at most twelve
    symbol_count : how many symbols it concerns
    first, last : the first and last session concerned, None when it has no session
    sentence : what was found, what was expected, what to do
    examples : up to twelve (symbol, ISO session, what), the gravest first
    """

    kind: FindingKind
    severity: Severity
    count: int
    symbols: tuple[str, ...]
    symbol_count: int
    first: date | None
    last: date | None
    sentence: str
    examples: tuple[tuple[str, str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        return asdict(self) | {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "symbols": list(self.symbols),
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "examples": [list(example) for example in self.examples],
        }


def finding_of_rows(
    kind: FindingKind,
    severity: Severity,
    series: BarSeries,
    rows: npt.NDArray[np.intp],
    sentence: str,
    *,
    size: npt.NDArray[np.float64] | None = None,
    what: str = "{:+,.1%}",
) -> Finding | None:
    """Return the finding about some rows of a series, None when there are none.

    Parameters
    ----------
    rows : (K,) positions in `series`
    sentence : with `{count}` and `{symbols}` for the number of rows and of symbols
    size : (K,) how grave each row is, for the order of the examples and their text
    what : format of one size
    """
    if not len(rows):
        return None
    code = series.code[rows]
    used, counts = np.unique(code, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_NAMED]
    order = np.arange(len(rows))[:MOST_NAMED]
    if size is not None:
        order = np.argsort(-np.abs(np.nan_to_num(size)), kind="stable")[:MOST_NAMED]
    examples = tuple(
        (
            series.symbols[code[i]],
            str(series.day[rows[i]]),
            "" if size is None else what.format(size[i]),
        )
        for i in order
    )
    days = series.day[rows]
    return Finding(
        kind,
        severity,
        len(rows),
        tuple(series.symbols[used[i]] for i in most),
        len(used),
        *span(days),
        sentence.format(count=f"{len(rows):,}", symbols=f"{len(used):,}"),
        examples,
    )


def span(days: SessionArray) -> tuple[date | None, date | None]:
    """Return the first and last of some days, None and None when there are none."""
    known = days[~np.isnat(days)]
    if not len(known):
        return None, None
    first, last = known.min().astype("datetime64[D]"), known.max().astype("datetime64[D]")
    return first.astype(object), last.astype(object)
