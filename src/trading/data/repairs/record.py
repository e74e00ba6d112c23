"""The record of a repair, and the way back."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.data.quality.findings import FindingKind, span
from trading.data.quality.series import BarSeries
from trading.errors import DataError
from trading.market.bars import FIELDS, CorporateAction


@dataclass(frozen=True)
class Repair:
    """One repair.

    Attributes
    ----------
    kind : the fault that was mended
    symbol : whose data
    first, last : the first and last session changed; for an action alone, its ex-date
    rows : bars changed
    fields : what was changed: fields of bars, and `dividend` for a declared amount
    factor : what the prices (or the adjusted closes of the oldest row) were multiplied by
    evidence : why it is beyond doubt, in one sentence
    """

    kind: FindingKind
    symbol: str
    first: date
    last: date
    rows: int
    fields: tuple[str, ...]
    factor: float
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        return asdict(self) | {
            "kind": self.kind.value,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "fields": list(self.fields),
        }


@dataclass(frozen=True)
class RepairResult:
    """Repaired bars and actions, what was done, and what was there before.

    Attributes
    ----------
    bars, actions : after the repairs; rows and their order are those that came in
    repairs : what was done, in order
    original_bars : the changed bars as they were
    replaced_actions : (as it was, as it is now) of each changed action
    """

    bars: pd.DataFrame
    actions: tuple[CorporateAction, ...]
    repairs: tuple[Repair, ...]
    original_bars: pd.DataFrame
    replaced_actions: tuple[tuple[CorporateAction, CorporateAction], ...]


def revert(result: RepairResult) -> tuple[pd.DataFrame, tuple[CorporateAction, ...]]:
    """Return bars and actions as they were before the repairs, bit for bit.

    Raises `DataError` when the bars no longer hold a row that was changed.
    """
    bars = result.bars.copy()
    if len(result.original_bars):
        place = pd.MultiIndex.from_frame(bars[["symbol", "date"]])
        rows = place.get_indexer(pd.MultiIndex.from_frame(result.original_bars[["symbol", "date"]]))
        if (rows < 0).any():
            lost = result.original_bars.iloc[int(np.flatnonzero(rows < 0)[0])]
            raise DataError(
                f"the bar of {lost['symbol']} on {lost['date']:%Y-%m-%d} was repaired but is no "
                "longer there; revert the frame that the repair returned"
            )
        for name in FIELDS:
            column = bars[name].to_numpy().copy()
            column[rows] = result.original_bars[name].to_numpy()
            bars[name] = column
    was = {now: before for before, now in result.replaced_actions}
    return bars, tuple(was.get(action, action) for action in result.actions)


def changed_rows(before: BarSeries, after: BarSeries) -> npt.NDArray[np.bool_]:
    """Return the `(R,)` mask of rows of which a field differs; NaN equals NaN."""
    changed = np.zeros(len(before), dtype=bool)
    for name in FIELDS:
        a, b = before[name], after[name]
        if a is not b:
            changed |= (a != b) & ~(np.isnan(a) & np.isnan(b))
    return changed


def repair(
    kind: FindingKind,
    series: BarSeries,
    rows: npt.NDArray[np.int64],
    fields: tuple[str, ...],
    factor: float,
    evidence: str,
) -> Repair:
    """Return the record of a repair of some rows of one symbol."""
    first, last = span(series.day[rows])
    if first is None or last is None:
        raise DataError(f"a repair of kind {kind} changes no row; there is nothing to record")
    symbol = series.symbols[series.code[rows[0]]]
    return Repair(kind, symbol, first, last, len(rows), fields, factor, evidence)
