"""From a provider's answer to sessions that can be stored: pipeline, repairs, verdict."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.intake.older import Older, prove_older
from trading.data.lake import Lake
from trading.data.pipeline import CleanData, DataPipeline, RawData
from trading.data.providers.base import FetchResult, MissingBars
from trading.data.quality import QualityReport, QualityVerdict, Severity, check_session
from trading.data.repairs.record import Repair
from trading.market.bars import CorporateAction
from trading.market.panel import Panel

# Calendar days of stored history that new sessions are judged against.
CONTEXT_DAYS = 45


@dataclass(frozen=True)
class JudgedSession:
    """One session, ready to be stored.

    Attributes
    ----------
    session : the day
    result : its bars, actions, gaps and provenance
    quality : its verdict, by its own bars and those before it
    reasons : why it is not as it should be: the verdict's, and what the pipeline found
    repairs : what was mended in it, and `original_bars`: the rows as they were
    """

    session: date
    result: FetchResult
    quality: QualityReport
    reasons: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()
    original_bars: tuple[Mapping[str, Any], ...] = ()


def judge_sessions(
    result: FetchResult,
    lake: Lake,
    settings: Settings,
    *,
    simulated: bool,
    through: date,
    today: date,
) -> tuple[list[JudgedSession], Older]:
    """Return the sessions of an answer, cleaned and judged, and what they prove of older ones.

    Bars go through the pipeline together with the sessions that the lake holds before them:
    without a history nothing can be proved. Only the new bars are taken from it. A simulated
    market has no faults to mend and is judged as it is. `through` is the day through which the
    source has adjusted the bars, `today` the exchange's date. A session that fails proves nothing.

    Raises `DataError` when the pipeline refuses the rows.
    """
    if result.bars.empty:
        return [], Older()
    stamps = result.bars["date"]
    first, last = stamps.min().date(), stamps.max().date()
    if simulated:
        context = lake.bars(None, before=first, start=first - timedelta(days=CONTEXT_DAYS))
    else:
        context = _context(result, lake, first, last, through)
    came = result
    clean = None
    if not simulated:
        clean = _process(result, context, settings, today)
        result = _taken(result, clean)
    judged = _judge(result, context, settings, clean)
    if clean is None:
        return judged, Older()
    older = prove_older(clean, first, last, lake, through)
    failed = {each.session for each in judged if each.quality.verdict is QualityVerdict.FAIL}
    if not (older.repairs and failed):
        return judged, older
    came = _without(came, failed)
    sound = Older()
    if len(came.bars):
        clean, last = _process(came, context, settings, today), came.bars["date"].max().date()
        sound = prove_older(clean, first, last, lake, through)
    return judged, sound.instead_of(older)


def _judge(
    result: FetchResult, context: pd.DataFrame, settings: Settings, clean: CleanData | None
) -> list[JudgedSession]:
    days = [stamp.date() for stamp in sorted(result.bars["date"].unique())]
    whole = pd.concat([context, result.bars], ignore_index=True) if len(context) else result.bars
    panel = Panel.from_bars(_with_adjusted(whole))
    by_day = result.bars["date"].to_numpy().astype("datetime64[D]")
    judged = []
    for day in days:
        rows = np.flatnonzero(by_day == np.datetime64(day))
        start = np.datetime64(day - timedelta(days=CONTEXT_DAYS))
        window = panel.rows(slice(int(np.searchsorted(panel.sessions, start)), None))
        quality = check_session(window, day, settings)
        judged.append(_judged(day, rows, result, quality, clean, days))
    return judged


def _without(result: FetchResult, failed: Collection[date]) -> FetchResult:
    stamps = result.bars["date"]
    kept = result.bars[~stamps.isin([pd.Timestamp(day) for day in failed])]
    return replace(result, bars=kept.reset_index(drop=True))


def _context(
    result: FetchResult, lake: Lake, first: date, last: date, through: date
) -> pd.DataFrame:
    """Return the other stored bars up to `last`, adjusted as the new ones are."""
    after, start = through + timedelta(days=1), first - timedelta(days=CONTEXT_DAYS)
    bars = lake.bars(None, before=after, start=start)
    bars = bars[bars["date"] <= pd.Timestamp(last)]
    return bars[~_cells(bars).isin(_cells(result.bars))].reset_index(drop=True)


def _cells(bars: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([bars["symbol"], bars["date"]])


def _process(
    result: FetchResult, context: pd.DataFrame, settings: Settings, today: date
) -> CleanData:
    """Send the rows through the pipeline; how many symbols are enough is the verdict's question."""
    lenient = settings.data.model_copy(update={"min_symbols": 1})
    rows = pd.concat([context, result.bars], ignore_index=True) if len(context) else result.bars
    pipeline = DataPipeline(settings.model_copy(update={"data": lenient}), today=today)
    return pipeline.process(RawData(rows, result.report.source, result.actions))


def _taken(result: FetchResult, clean: CleanData) -> FetchResult:
    """Return the answer with the pipeline's new bars and actions."""
    new = clean.bars[_cells(clean.bars).isin(_cells(result.bars))].reset_index(drop=True)
    first = result.bars["date"].min().date()
    repaired: dict[str, int] = {}
    for repair in clean.repairs:
        if repair.last >= first:
            repaired[repair.kind.value] = repaired.get(repair.kind.value, 0) + repair.rows
    dropped = dict(result.report.dropped)
    if left_out := len(result.bars) - len(new):
        dropped["refused_by_the_pipeline"] = left_out
    report = replace(result.report, repairs={**result.report.repairs, **repaired}, dropped=dropped)
    return replace(
        result,
        bars=new,
        actions=clean.actions,
        report=report.describing(new),
        provenance=_beside(result, new),
    )


def _beside(result: FetchResult, bars: pd.DataFrame) -> pd.DataFrame | None:
    if result.provenance is None or len(result.provenance) == len(bars):
        return result.provenance
    keys = ["date", "symbol"]
    return bars[keys].merge(result.provenance, on=keys, how="left").reset_index(drop=True)


def _judged(
    day: date,
    rows: np.ndarray[Any, np.dtype[np.intp]],
    result: FetchResult,
    quality: QualityReport,
    clean: CleanData | None,
    days: Sequence[date],
) -> JudgedSession:
    bars = result.bars.iloc[rows].reset_index(drop=True)
    provenance = result.provenance
    report = result.report.describing(bars)
    if len(days) > 1:
        report = replace(report, rows_read=len(bars), dropped={}, repairs={})
    repairs = tuple(r for r in clean.repairs if r.first <= day <= r.last) if clean else ()
    originals = _originals(clean, day) if clean else ()
    if not originals:
        repairs = tuple(r for r in repairs if "dividend" in r.fields)
    return JudgedSession(
        day,
        replace(
            result,
            bars=bars,
            actions=_actions_of(day, result.actions, days),
            report=report,
            missing=_gaps_of(day, result.missing),
            disagreements=tuple(d for d in result.disagreements if d.session == day),
            provenance=None if provenance is None else provenance.iloc[rows].reset_index(drop=True),
            alerts=(),
        ),
        quality,
        (*quality.reasons, *(_errors_found(clean, day, quality) if clean else ())),
        repairs,
        originals,
    )


def _originals(clean: CleanData, day: date) -> tuple[Mapping[str, Any], ...]:
    if clean.original_bars.empty:
        return ()
    rows = clean.original_bars[clean.original_bars["date"] == pd.Timestamp(day)]
    plain = rows.assign(date=day.isoformat()).to_dict("records")
    return tuple({k: None if v != v else v for k, v in row.items()} for row in plain)


def _errors_found(clean: CleanData, day: date, quality: QualityReport) -> tuple[str, ...]:
    """Return the errors that the pipeline found on this day alone; they are told, not fatal."""
    if quality.verdict is QualityVerdict.FAIL:
        return ()
    return tuple(
        finding.sentence
        for finding in clean.quality.findings
        if finding.severity is Severity.ERROR and finding.first == day == finding.last
    )


def _actions_of(
    day: date, actions: Sequence[CorporateAction], days: Sequence[date]
) -> tuple[CorporateAction, ...]:
    """Return the actions that this session brings: those since the session before it."""
    place = days.index(day)
    after = days[place - 1] if place else date.min
    until = day if place < len(days) - 1 else date.max
    return tuple(a for a in actions if after < a.ex_date <= until)


def _gaps_of(day: date, gaps: Sequence[MissingBars]) -> tuple[MissingBars, ...]:
    return tuple(
        replace(gap, first=day, last=day, sessions=1)
        for gap in gaps
        if gap.first <= day <= gap.last
    )


def _with_adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """Return bars to judge by: where no adjusted close is told, the close stands in for it."""
    return bars.assign(adjusted_close=bars["adjusted_close"].fillna(bars["close"]))
