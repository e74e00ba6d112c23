"""From a provider's answer to sessions that can be stored: pipeline, repairs, verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from trading.config import Settings
from trading.data.lake import Lake
from trading.data.late_repairs import LateRepair, composed
from trading.data.pipeline import CleanData, DataPipeline, RawData
from trading.data.providers.base import FetchResult, MissingBars
from trading.data.quality import QualityReport, QualityVerdict, Severity, check_session
from trading.data.repairs.record import Repair
from trading.market.bars import PRICE_COLUMNS, CorporateAction
from trading.market.panel import Panel

# Calendar days of stored history that new sessions are judged against.
CONTEXT_DAYS = 45
# A repair that moves these moves a whole bar to another level.
LEVELS = frozenset(PRICE_COLUMNS)
LEVEL_TOLERANCE = 1e-6


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


@dataclass(frozen=True)
class Older:
    """What new bars prove about stored ones.

    Attributes
    ----------
    repairs : of bars on a wrong level
    told : the same in words, and what is proved otherwise and is not mended
    """

    repairs: tuple[LateRepair, ...] = ()
    told: tuple[str, ...] = ()


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
    source has adjusted the bars, `today` the exchange's date.

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
    older = Older()
    clean = None
    if not simulated:
        clean = _process(result, context, settings, today)
        older = _older(clean, first, last, lake, through)
        result = _taken(result, clean)
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
    return judged, older


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


def _older(clean: CleanData, first: date, last: date, lake: Lake, through: date) -> Older:
    """Return what the new bars, from `first` to `last`, prove wrong about stored ones."""
    # The stored bars were read with these repairs, and are mended from there.
    held = {row.key: row for row in lake.repairs(before=through + timedelta(days=1))}
    undone = lake.undone_repairs()
    found: list[LateRepair] = []
    told = []
    for repair in clean.repairs:
        if repair.first >= first:
            continue
        words = f"{repair.symbol} from {repair.first} to {min(repair.last, first)}"
        kind = repair.kind.value.replace("_", " ")
        proved = _late_repairs(clean, repair, first, last)
        rows = [row for row in proved if row.key not in undone]
        if proved and not rows:
            continue
        found += [composed(row, held.get(row.key)) for row in rows]
        done = f"{len(rows)} bar(s) are served mended to who reads as of a day after {last}"
        otherwise = "fetch them again, or run `trading data check`"
        told.append(
            f"stored bars of {words} are wrong ({kind}): {repair.evidence}; "
            f"{done if rows else otherwise}"
        )
    return Older(tuple(found), tuple(told))


def _late_repairs(clean: CleanData, repair: Repair, first: date, last: date) -> list[LateRepair]:
    """Return the repairs of stored bars that one of the pipeline's comes to; [] where it is none.

    A wrong level is a factor on each bar; a wrong dividend is not.
    """
    if not set(repair.fields) >= LEVELS:
        return []
    was = clean.original_bars
    days = was["date"].dt.date
    mine = was[(was["symbol"] == repair.symbol) & (days >= repair.first) & (days < first)]
    mine = mine[mine["date"].dt.date <= repair.last]
    now = clean.bars[clean.bars["symbol"] == repair.symbol].set_index("date")["close"]
    found = []
    for stamp, close in zip(mine["date"], mine["close"], strict=True):
        ratio = float(now[stamp]) / float(close)
        scale = min((repair.factor, 1 / repair.factor), key=lambda f: abs(f / ratio - 1))
        if abs(scale / ratio - 1) > LEVEL_TOLERANCE:
            continue
        volume = 1 / scale if "volume" in repair.fields else 1.0
        row = (last, repair.symbol, stamp.date(), repair.kind.value, scale, volume)
        found.append(LateRepair(*row, repair.evidence))
    return found


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
