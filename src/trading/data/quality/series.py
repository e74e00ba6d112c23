"""Bars of many symbols as flat columns, one symbol after the other: what the checks work on.

Histories have different lengths and calendars, so that a dense panel would be mostly gaps; a
column with the place where each symbol begins keeps every check a handful of whole-column
operations, whatever the number of symbols.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import DataError
from trading.market.bars import FIELDS, require_bars
from trading.market.panel import FloatArray, SessionArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
# The standard deviation of a normal variable over its median absolute deviation.
NORMAL_MAD = 1.4826
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class BarSeries:
    """R bars of N symbols, sorted by symbol then day, one row a (symbol, day).

    Attributes
    ----------
    day : (R,) datetime64[D]
    code : (R,) position of the row's symbol in `symbols`
    symbols : N symbols, sorted
    values : field -> (R,) float64, NaN where unknown
    """

    day: SessionArray
    code: IntArray
    symbols: tuple[str, ...]
    values: dict[str, FloatArray]

    @classmethod
    def from_bars(cls, bars: pd.DataFrame) -> "BarSeries":
        """Take the columns of a bars frame in any order of rows.

        Raises `DataError` when a column is missing or a (symbol, day) comes twice.
        """
        bars = require_bars(bars)
        code, names = pd.factorize(bars["symbol"], sort=True)
        day = bars["date"].to_numpy().astype("datetime64[D]")
        values = {name: bars[name].to_numpy(dtype=np.float64) for name in FIELDS}
        key = code.astype(np.int64) * 1_000_000 + day.astype(np.int64)
        step = np.diff(key)
        if (step < 0).any():
            order = np.argsort(key, kind="stable")
            day, code, step = day[order], code[order], np.diff(key[order])
            values = {name: column[order] for name, column in values.items()}
        if (step == 0).any():
            spot = int(np.flatnonzero(step == 0)[0])
            raise DataError(
                f"the bars hold {names[code[spot]]} on {day[spot]} more than once; clean them "
                "first (trading.data.cleaning.clean_bars)"
            )
        return cls(day, code.astype(np.int64), tuple(map(str, names)), values)

    def __len__(self) -> int:
        return len(self.day)

    def __getitem__(self, field: str) -> FloatArray:
        return self.values[field]

    @property
    def starts(self) -> IntArray:
        """(N + 1,) where each symbol begins; the last is R."""
        return np.searchsorted(self.code, np.arange(len(self.symbols) + 1)).astype(np.int64)

    @property
    def first_rows(self) -> BoolArray:
        """(R,) whether a row is the first of its symbol."""
        return np.r_[True, self.code[1:] != self.code[:-1]] if len(self) else np.zeros(0, bool)

    def lagged(self, column: FloatArray) -> FloatArray:
        """Return the value of the row before, NaN on the first row of a symbol."""
        if not len(self):
            return np.zeros(0)
        before: FloatArray = np.r_[np.nan, column[:-1]]
        before[self.first_rows] = np.nan
        return before

    def log_steps(self, column: FloatArray) -> FloatArray:
        """Return log(value / value of the row before), NaN where it is not finite."""
        with np.errstate(all="ignore"):
            step = np.log(column) - np.log(self.lagged(column))
        step[~np.isfinite(step)] = np.nan
        return step

    @property
    def usable(self) -> BoolArray:
        """(R,) whether a row has a close that can be one: positive and finite."""
        return np.asarray(np.isfinite(self["close"]) & (self["close"] > 0))

    def known(self) -> "BarSeries":
        """Return the rows that have a usable close."""
        keep = self.usable
        if keep.all():
            return self
        values = {name: column[keep] for name, column in self.values.items()}
        return replace(self, day=self.day[keep], code=self.code[keep], values=values)

    def to_bars(self) -> pd.DataFrame:
        """Return the bars frame of the rows."""
        names = pd.Series(self.symbols, dtype="str")
        frame: dict[str, object] = {"date": self.day.astype("datetime64[s]")}
        frame["symbol"] = names.take(self.code).array
        frame |= self.values
        return pd.DataFrame(frame)[["date", "symbol", *FIELDS]]


def group_median(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Return the median of each group, `(groups,)`, NaN where it has no finite value.

    Values are compared as float32, whose bits sort like integers once the sign is folded in: one
    sort of group and value together, many times faster than sorting by two keys. A median is
    right to seven digits, ample for a scale.
    """
    keep = np.isfinite(values)
    kept = np.clip(values[keep], -LARGEST, LARGEST).astype(np.float32)
    bits = kept.view(np.int32).astype(np.int64)
    key = np.sort((group[keep] << 32) + np.where(bits < 0, ~(bits & 0x7FFFFFFF), bits))
    edges = np.searchsorted(key, np.arange(groups + 1, dtype=np.int64) * (1 << 32) - (1 << 31))
    count = np.diff(edges)
    result = np.full(groups, np.nan)
    some = np.flatnonzero(count)
    low = key[edges[some] + (count[some] - 1) // 2] - (some << 32)
    high = key[edges[some] + count[some] // 2] - (some << 32)
    result[some] = (_from_bits(low) + _from_bits(high)) / 2
    return result


def _from_bits(folded: IntArray) -> FloatArray:
    bits = np.where(folded < 0, ~folded | -0x80000000, folded).astype(np.int32)
    return bits.view(np.float32).astype(np.float64)


def robust_scale(values: FloatArray, group: IntArray, groups: int, least: float) -> FloatArray:
    """Return each group's robust sigma, `(groups,)`: 1.4826 x the median absolute deviation.

    At least `least`, also for a group with no spread or no value: a series that never moves has
    no scale of its own to judge a move by.
    """
    centre = group_median(values, group, groups)
    spread = NORMAL_MAD * group_median(np.abs(values - centre[group]), group, groups)
    return np.fmax(spread, least)
