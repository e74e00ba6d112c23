"""Put displaced prices back on their level."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trading.config import QualitySettings
from trading.data.quality.findings import FindingKind
from trading.data.quality.levels import Displacement, find_displacements
from trading.data.quality.series import BarSeries
from trading.data.repairs.record import Repair, repair
from trading.market.bars import PRICE_COLUMNS, CorporateAction

PRICES = (*PRICE_COLUMNS, "adjusted_close")


def repair_levels(
    series: BarSeries, actions: Sequence[CorporateAction], settings: QualitySettings
) -> tuple[BarSeries, tuple[Repair, ...]]:
    """Return the series with its provable 100x errors and wrongly applied splits mended.

    Prices are divided by the factor where they stand too high and multiplied where too low; a
    split moves the volume the other way, a wrong unit leaves it. What is not proved stays.
    """
    found = [one for one in find_displacements(series, actions, settings) if one.proved]
    if not found:
        return series, ()
    values = {name: column.copy() for name, column in series.values.items()}
    for one in found:
        scale = one.factor ** -one.power.astype(np.float64)
        for name in PRICES:
            values[name][one.rows] *= scale
        if one.kind is FindingKind.SPLIT_NOT_APPLIED:
            values["volume"][one.rows] /= scale
    mended = replace(series, values=values)
    return mended, tuple(_record(series, one) for one in found)


def _record(series: BarSeries, one: Displacement) -> Repair:
    moved = (*PRICES, "volume") if one.kind is FindingKind.SPLIT_NOT_APPLIED else PRICES
    factor = float(one.factor ** -float(one.power[0]))
    return repair(one.kind, series, one.rows, moved, factor, one.evidence)
