"""Corporate actions placed on the rows of a series."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trading.data.quality.series import BarSeries, IntArray
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray, SessionArray


@dataclass(frozen=True)
class Events:
    """E actions of one type that fall on a bar of their symbol.

    Attributes
    ----------
    row : (E,) the first row of the symbol on or after the ex-date
    value : (E,) new shares per old, or money a share
    day : (E,) datetime64[D], the ex-date
    """

    row: IntArray
    value: FloatArray
    day: SessionArray

    def __len__(self) -> int:
        return len(self.row)


def locate(
    series: BarSeries, actions: Iterable[CorporateAction], type_: CorporateActionType
) -> Events:
    """Return the actions of a type by row; those without a bar before and at or after are left out.

    An action without a positive finite value is left out too: it moves no price.
    """
    code_of = {symbol: code for code, symbol in enumerate(series.symbols)}
    wanted = [
        (code_of[a.symbol], a.ex_date, a.value)
        for a in actions
        if a.type is type_ and a.symbol in code_of and a.value is not None
    ]
    code = np.array([w[0] for w in wanted], dtype=np.int64)
    day = np.array([w[1] for w in wanted], dtype="datetime64[D]")
    value = np.array([w[2] for w in wanted], dtype=np.float64)
    scale = 1_000_000
    key = series.code * scale + series.day.astype(np.int64)
    row = np.searchsorted(key, code * scale + day.astype(np.int64)).astype(np.int64)
    inside = np.minimum(row, max(len(series) - 1, 0))
    keep = (row < len(series)) & np.isfinite(value) & (value > 0)
    if len(series):
        keep &= (series.code[inside] == code) & ~series.first_rows[inside]
    order = np.argsort(row[keep], kind="stable")
    return Events(row[keep][order], value[keep][order], day[keep][order])
