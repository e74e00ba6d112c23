"""Mend bars and actions as far as the truth can be proved."""

from collections.abc import Sequence

import pandas as pd

from trading.config import QualitySettings
from trading.data.quality.series import BarSeries
from trading.data.repairs.dividends import repair_dividends
from trading.data.repairs.levels import repair_levels
from trading.data.repairs.record import RepairResult, changed_rows
from trading.market.bars import CorporateAction


def repair_bars(
    bars: pd.DataFrame, actions: Sequence[CorporateAction], settings: QualitySettings
) -> RepairResult:
    """Return bars and actions with every provable fault mended; `revert` undoes it.

    Levels come first, since a dividend can only be judged against prices on one level. Rows
    without a usable close stay as they are. The result is sorted by symbol then date. A history is
    judged as a whole, with what came later: use it on data, never inside a decision.

    Raises `DataError` when a column is missing or a (symbol, day) comes twice.
    """
    whole = BarSeries.from_bars(bars)
    series = whole.known()
    levelled, level_repairs = repair_levels(series, actions, settings)
    paid = repair_dividends(levelled, actions, settings)
    changed = changed_rows(series, paid.series)
    unknown = whole.to_bars()[~whole.usable] if len(whole) > len(series) else None
    result = paid.series.to_bars()
    if unknown is not None:
        result = pd.concat([result, unknown]).sort_values(["symbol", "date"], ignore_index=True)
    return RepairResult(
        bars=result,
        actions=paid.actions,
        repairs=(*level_repairs, *paid.repairs),
        original_bars=series.to_bars()[changed].reset_index(drop=True),
        replaced_actions=paid.replaced,
    )
