"""What is missing: whole sessions, bars within a series, symbols in a session, ends, doubles."""

from collections.abc import Sequence

import numpy as np

from trading.config import DataSettings
from trading.data.quality.findings import (
    MOST_NAMED,
    Finding,
    FindingKind,
    Severity,
    finding_of_rows,
    span,
)
from trading.data.quality.series import BarSeries, IntArray
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.calendar import FIRST_DAY, LAST_DAY, sessions_between
from trading.market.panel import SessionArray

# A file with more days off the exchange's calendar than this share follows another calendar.
FOREIGN_SHARE = 0.01
# A symbol silent for this long may come back as another company.
REUSE_SESSIONS, REUSE_LOG_RATIO = 63, float(np.log(2.0))
# A series that ends this many sessions before the others has left the market.
ENDED_SESSIONS = 5
LEAST_DOUBLE = 20


def check_coverage(
    series: BarSeries, actions: Sequence[CorporateAction], settings: DataSettings
) -> list[Finding]:
    """Return the findings about what is missing, by the exchange's calendar.

    Bars that follow another calendar are measured by the sessions that they have themselves.
    """
    if not len(series):
        return []
    calendar = _calendar(series, settings)
    place = np.searchsorted(calendar, series.day).astype(np.int64)
    found = [
        _missing_sessions(series, calendar),
        _gaps(series),
        _reused(series, place),
        *_low_coverage(series, calendar, place, settings),
        _ended(series, calendar, place, actions),
        _doubles(series),
    ]
    return [finding for finding in found if finding is not None]


def _calendar(series: BarSeries, settings: DataSettings) -> SessionArray:
    held = np.unique(series.day)
    first, last = held[0].astype(object), held[-1].astype(object)
    if first < FIRST_DAY or last > LAST_DAY:
        return held
    sessions = sessions_between(first, last, settings.exchange)
    off = np.count_nonzero(~np.isin(held, sessions))
    if off > FOREIGN_SHARE * len(held):
        return held
    return np.union1d(sessions, held)


def _missing_sessions(series: BarSeries, calendar: SessionArray) -> Finding | None:
    lost = calendar[~np.isin(calendar, series.day)]
    if not len(lost):
        return None
    named = ", ".join(str(day) for day in lost[:5]) + (", ..." if len(lost) > 5 else "")
    return Finding(
        FindingKind.MISSING_SESSION,
        Severity.ERROR,
        len(lost),
        (),
        0,
        *span(lost),
        f"{len(lost):,} sessions between the first and the last have no bar of any symbol "
        f"({named}): fetch them (`trading backfill`)",
        tuple(("", str(day), "") for day in lost[:MOST_NAMED]),
    )


def _gaps(series: BarSeries) -> Finding | None:
    """Find gaps by the sessions that others have; one that nobody has is a missing session."""
    ahead = _ahead(series, np.unique(series.day, return_inverse=True)[1])
    rows = np.flatnonzero(ahead > 0)
    return finding_of_rows(
        FindingKind.MISSING_BARS,
        Severity.INFO,
        series,
        rows,
        f"{int(ahead[rows].sum()):,} bars are missing in {{count}} gaps of {{symbols}} symbols "
        "that have bars before and after: halts, or a source that left them out",
        size=ahead[rows].astype(np.float64),
        what="{:.0f} sessions",
    )


def _reused(series: BarSeries, place: IntArray) -> Finding | None:
    """Find series that come back at another price after a long silence by the calendar."""
    ahead = _ahead(series, place)
    jump = np.abs(series.log_steps(series["close"]))
    rows = np.flatnonzero((ahead >= REUSE_SESSIONS) & (jump > REUSE_LOG_RATIO))
    return finding_of_rows(
        FindingKind.SUSPECTED_REUSE,
        Severity.WARNING,
        series,
        rows,
        "{count} times, in {symbols} symbols, a series comes back after at least "
        f"{REUSE_SESSIONS} sessions at less than half or more than twice the price: the symbol "
        "may have passed to another company; give each its dates in the symbol map",
        size=ahead[rows].astype(np.float64),
        what="after {:.0f} sessions",
    )


def _ahead(series: BarSeries, place: IntArray) -> IntArray:
    """Return for each row how many of the numbered sessions its symbol left out before it."""
    ahead = np.diff(place, prepend=place[:1]).astype(np.int64) - 1
    ahead[series.first_rows] = 0
    return np.asarray(ahead)


def _low_coverage(
    series: BarSeries, calendar: SessionArray, place: np.ndarray, settings: DataSettings
) -> list[Finding | None]:
    present = np.bincount(place, minlength=len(calendar))
    starts = series.starts
    some = starts[1:] > starts[:-1]
    begins = np.bincount(place[starts[:-1][some]], minlength=len(calendar) + 1)
    ends = np.bincount(place[starts[1:][some] - 1] + 1, minlength=len(calendar) + 1)
    expected = np.cumsum(begins - ends)[:-1]
    share = present / np.fmax(expected, 1)
    held = present > 0
    bad = held & (share < settings.min_session_coverage)
    thin = held & (share < settings.warn_session_coverage) & ~bad
    return [
        _covered(calendar, share, bad, Severity.ERROR, settings.min_session_coverage),
        _covered(calendar, share, thin, Severity.WARNING, settings.warn_session_coverage),
    ]


def _covered(
    calendar: SessionArray, share: np.ndarray, which: np.ndarray, severity: Severity, least: float
) -> Finding | None:
    days = np.flatnonzero(which)
    if not len(days):
        return None
    worst = days[np.argsort(share[days], kind="stable")][:MOST_NAMED]
    return Finding(
        FindingKind.LOW_COVERAGE,
        severity,
        len(days),
        (),
        0,
        *span(calendar[days]),
        f"{len(days):,} sessions have bars of less than {least:.0%} of the symbols listed then: "
        f"the worst, {calendar[worst[0]]}, of {share[worst[0]]:.1%}; fetch them again",
        tuple(("", str(calendar[i]), f"{share[i]:.1%}") for i in worst),
    )


def _ended(
    series: BarSeries,
    calendar: SessionArray,
    place: np.ndarray,
    actions: Sequence[CorporateAction],
) -> Finding | None:
    last = series.starts[1:] - 1
    told = {a.symbol for a in actions if a.type is CorporateActionType.DELISTING}
    silent = np.array([name not in told for name in series.symbols], dtype=bool)
    rows = last[(len(calendar) - 1 - place[last] > ENDED_SESSIONS) & silent]
    return finding_of_rows(
        FindingKind.ENDED_SERIES,
        Severity.INFO,
        series,
        rows,
        "{symbols} series end before the last session without a delisting return: what holders "
        "got is not known, and a backtest that ignores it is too kind",
    )


def _doubles(series: BarSeries) -> Finding | None:
    """Find symbols with the very bars of another over the same sessions."""
    starts = series.starts
    keep = np.flatnonzero(np.diff(starts) >= LEAST_DOUBLE)
    if len(keep) < 2:
        return None
    begin, end = starts[:-1][keep], starts[1:][keep] - 1
    with np.errstate(over="ignore"):
        sums = [np.add.reduceat(np.nan_to_num(series[f]), starts[:-1]) for f in ("close", "volume")]
    columns = [series.day[begin].astype(np.int64), series.day[end].astype(np.int64), end - begin]
    table = np.stack([*map(np.float64, columns), *(total[keep] for total in sums)])
    order = np.lexsort(table)
    same = (table[:, order[1:]] == table[:, order[:-1]]).all(axis=0)
    twins = np.unique(np.r_[order[:-1][same], order[1:][same]])
    return finding_of_rows(
        FindingKind.DUPLICATE_SERIES,
        Severity.WARNING,
        series,
        end[twins],
        "{symbols} series have exactly the bars of another: one company under two symbols, "
        "which counts twice in every average; keep one",
    )
