"""Put dividends and the adjusted closes that follow from them right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trading.config import QualitySettings
from trading.data.quality.dividends import DividendFault, find_dividend_faults
from trading.data.quality.findings import FindingKind
from trading.data.quality.series import BarSeries
from trading.data.repairs.record import Repair
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

# An implied dividend this close to the right one (as a fraction of the price) is left as it is.
ROUNDING = 1e-4


@dataclass(frozen=True)
class DividendRepairs:
    """The series with adjusted closes put right, the actions put right, and the record.

    `replaced` holds (as it was, as it is now) for each action with another amount.
    """

    series: BarSeries
    actions: tuple[CorporateAction, ...]
    repairs: tuple[Repair, ...]
    replaced: tuple[tuple[CorporateAction, CorporateAction], ...]


def repair_dividends(
    series: BarSeries, actions: Sequence[CorporateAction], settings: QualitySettings
) -> DividendRepairs:
    """Mend the provable faults of dividends.

    An amount that is proved wrong is replaced, by 0 for a phantom; every adjusted close before an
    ex-date whose adjustment does not follow from the right amount is multiplied by the right
    adjustment over the wrong one.
    """
    proved = [f for f in find_dividend_faults(series, actions, settings) if f.proved]
    if not proved:
        return DividendRepairs(series, tuple(actions), (), ())
    before = np.array([series["close"][f.row - 1] for f in proved])
    amount = np.array([f.amount for f in proved])
    implied = np.array([f.implied for f in proved])
    scale = np.where(
        np.abs(amount - implied) > ROUNDING * before,
        (before - amount) / (before - implied),
        1.0,
    )
    log_scale = np.zeros(len(series))
    np.add.at(log_scale, np.array([f.row - 1 for f in proved]), np.log(scale))
    factor = np.exp(_sum_from_each_row(series, log_scale))
    adjusted = np.where(factor == 1.0, series["adjusted_close"], series["adjusted_close"] * factor)
    values = series.values | {"adjusted_close": adjusted}
    replaced = _replaced(actions, proved)
    new = dict(replaced)
    return DividendRepairs(
        replace(series, values=values),
        tuple(new.get(action, action) for action in actions),
        tuple(_record(series, f, float(s)) for f, s in zip(proved, scale, strict=True)),
        replaced,
    )


def _sum_from_each_row(series: BarSeries, column: FloatArray) -> FloatArray:
    """Return for each row the sum of the column from it to the last row of its symbol."""
    total = np.r_[np.cumsum(column[::-1])[::-1], 0.0]
    ends = series.starts[1:][series.code]
    rest = total[:-1] - total[ends]
    # Sums of nothing are exactly nothing, so that untouched rows keep their bits.
    last = np.full(len(series.symbols), -1)
    touched = np.flatnonzero(column)
    np.maximum.at(last, series.code[touched], touched)
    rest[np.arange(len(series)) > last[series.code]] = 0.0
    return np.asarray(rest)


def _replaced(
    actions: Sequence[CorporateAction], proved: Sequence[DividendFault]
) -> tuple[tuple[CorporateAction, CorporateAction], ...]:
    right = {(f.symbol, f.ex_date): f.amount for f in proved if f.amount != f.declared}
    return tuple(
        (action, replace(action, value=right[action.symbol, action.ex_date]))
        for action in actions
        if action.type is CorporateActionType.DIVIDEND and (action.symbol, action.ex_date) in right
    )


def _record(series: BarSeries, fault: DividendFault, scale: float) -> Repair:
    code = series.code[fault.row]
    begin = int(series.starts[code])
    moved = scale != 1.0
    fields = ("dividend",) if fault.amount != fault.declared else ()
    first, last = (begin, fault.row - 1) if moved else (fault.row, fault.row)
    return Repair(
        fault.kind,
        fault.symbol,
        series.day[first].astype(object),
        series.day[last].astype(object),
        fault.row - begin if moved else 0,
        (*fields, "adjusted_close") if moved else fields,
        scale,
        _evidence(fault),
    )


def _evidence(fault: DividendFault) -> str:
    paid = f"the dividend of {fault.ex_date}, declared as {fault.declared:g}"
    odds = f"prices are {fault.odds:,.0f} times likelier under it"
    if fault.kind in (FindingKind.ADJUSTMENT_MISSING, FindingKind.ADJUSTMENT_MISMATCH):
        return f"{paid}, is adjusted for as if it were {fault.implied:g}; {odds} as declared"
    if fault.kind is FindingKind.DUPLICATE_DIVIDEND:
        return f"{paid}, repeats another of the same week; {odds} as none"
    return f"{paid}, must be {fault.amount:g}; {odds} as {fault.amount:g}"
