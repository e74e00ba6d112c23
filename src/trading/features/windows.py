"""Trailing windows over `(T, N)` blocks of rows, causal, aware of what is not known.

A window of w rows is folded by doubling: sums of 2 rows from sums of 1, of 4 from those of 2, and
so on, put together as the binary digits of w say. Every result is a fixed tree over the rows of its
own window: it needs about log2(w) passes over the block, nothing drifts, later rows and rows before
the window change nothing, bit for bit, and each column is computed alone. Windows at the first rows
are as short as the rows that there are.
"""

from dataclasses import dataclass

import numpy as np

from trading.market.panel import FloatArray
from trading.universe.liquidity import BoolArray, IntArray


def fold(
    values: FloatArray, window: int, operation: np.ufunc = np.add, *, stride: int = 1
) -> FloatArray:
    """Return `operation` (associative) over the trailing `window` rows of `(T, N)` values.

    With a `stride`, over `window` rows that lie so many apart, the row itself among them.
    """
    part, size = values, 1
    result, covered = values, 0
    while True:
        if window & size:
            result = _joined(result, part, covered * stride, operation) if covered else part
            covered += size
        if covered == window:
            return result
        part = _joined(part, part, size * stride, operation)
        size *= 2


def highest(values: FloatArray, window: int) -> FloatArray:
    """Return the largest of the trailing `window` rows; values hold no NaN."""
    part, size = values, 1
    while 2 * size <= window:
        part = _joined(part, part, size, np.maximum)
        size *= 2
    # A maximum may count rows twice: two windows that overlap make the whole.
    return _joined(part, part, window - size, np.maximum) if window > size else part


class Known:
    """Which cells of a block are known, and how many are in each trailing window.

    Attributes
    ----------
    cells : (T, N) bool
    since : every cell from this row on is known and none before it; None: neither is so
    """

    def __init__(self, cells: BoolArray, since: int | None = None) -> None:
        self.cells = cells
        self.since = since
        self._counts: dict[int, FloatArray] = {}

    @classmethod
    def from_row(cls, since: int, shape: tuple[int, int]) -> "Known":
        """Everything from one row on."""
        cells = np.zeros(shape, dtype=bool)
        cells[since:] = True
        return cls(cells, since)

    def count(self, window: int) -> FloatArray:
        """Return how many of the trailing `window` rows are known, `(T, N)`."""
        if window not in self._counts:
            self._counts[window] = fold(self.cells.astype(np.float64), window)
        return self._counts[window]

    def require(self, values: FloatArray, window: int, least: int) -> FloatArray:
        """Make `values` NaN, in place, where fewer than `least` of the window are known."""
        if self.since is not None:
            values[: self.since + least - 1] = np.nan
        else:
            values[self.count(window) < least] = np.nan
        return values

    def lowered(self, values: FloatArray) -> FloatArray:
        """Return `values` with -inf, which is never the largest, where they are not known."""
        return values if self.since == 0 else np.where(self.cells, values, -np.inf)

    def zeroed(self, values: FloatArray) -> FloatArray:
        """Return `values` with 0 where they are not known."""
        if self.since is None:
            return np.where(self.cells, values, 0.0)
        if self.since == 0:
            return values
        return np.concatenate([np.zeros_like(values[: self.since]), values[self.since :]])


def trailing_mean(values: FloatArray, known: Known, window: int, least: int) -> FloatArray:
    """Return the mean of the known values of the window; NaN where fewer than `least` are."""
    mean = fold(known.zeroed(values), window)
    mean /= known.count(window)
    return known.require(mean, window, least)


def trailing_deviation(
    values: FloatArray, known: Known, window: int, least: int, ddof: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of the known values of the window.

    Windows are put together by the update of Chan, Golub and LeVeque ("Updating Formulae and a
    Pairwise Algorithm for Computing Sample Variances", 1979), so a price far from zero that hardly
    moves loses no digits, and one that stands still has a deviation of 0, exactly so in a whole
    window.
    """
    filled = known.zeroed(values)
    if known.since is None:
        moments = _moments(filled, known.cells.astype(np.float64), window)
        total, squares = moments.total, _squares(moments)
    else:
        short = known.since + window - 1
        begun = _moments(filled[:short], known.cells[:short].astype(np.float64), window)
        moments = _moments(filled, 1.0, window)
        total, squares = moments.total, _squares(moments)
        total[:short], squares[:short] = begun.total, _squares(begun)
    mean = total / known.count(window)
    squares = squares / np.maximum(known.count(window) - ddof, 0.0)
    np.sqrt(squares, out=squares)
    return known.require(mean, window, least), known.require(squares, window, least)


def trailing_volatility(values: FloatArray, known: Known, window: int, least: int) -> FloatArray:
    """Return the sample standard deviation of the known returns of the window, NaN as there.

    From plain sums of squares: a mean that is small beside the deviation, as that of daily returns,
    costs no digits.
    """
    filled = known.zeroed(values)
    total = fold(filled, window)
    count = known.count(window)
    total *= total
    total /= count
    squares = fold(filled * filled, window)
    squares -= total
    np.maximum(squares, 0.0, out=squares)
    squares /= np.maximum(count - 1.0, 0.0)
    np.sqrt(squares, out=squares)
    return known.require(squares, window, least)


def last_known(values: FloatArray, limit: int) -> FloatArray:
    """Return the last known value at each row, `(T, N)`, at most `limit` rows old."""
    result, age = values, 0
    while age < limit and np.isnan(result).any():
        step = min(age + 1, limit - age)
        earlier = result
        result = earlier.copy()
        np.copyto(result[step:], earlier[:-step], where=np.isnan(earlier[step:]))
        age += step
    return result


def at_rows(values: FloatArray, rows: IntArray, back: int) -> FloatArray:
    """Return `values[rows - back]`, `(R, N)`; NaN where that is before the first row."""
    picked = values[np.maximum(rows - back, 0)]
    picked[rows < back] = np.nan
    return picked


def _joined(near: FloatArray, far: FloatArray, back: int, operation: np.ufunc) -> FloatArray:
    """Return `operation(near, far back rows ago)`; `near` alone where there are no such rows."""
    if back >= len(near):
        return near.copy()
    result = np.empty_like(near)
    result[:back] = near[:back]
    operation(near[back:], far[:-back], out=result[back:])
    return result


@dataclass(frozen=True, eq=False, slots=True)
class _Moments:
    """Trailing windows of one size: how many values count, their sum, their squared deviations.

    `count` is one number where every window is whole and every value counts.
    """

    count: FloatArray | float
    total: FloatArray
    squares: FloatArray | None

    def joined(self, far: "_Moments", back: int) -> "_Moments":
        """Return these windows together with those that end `back` rows earlier."""
        near, there = self.total, far.total
        if back >= len(near):
            return self
        if isinstance(self.count, float) and isinstance(far.count, float):
            count: FloatArray | float = self.count + far.count
            cross = _crossed(near[back:], there[:-back], self.count, far.count)
        else:
            n, m = np.asarray(self.count), np.asarray(far.count)
            count = _joined(n, m, back, np.add)
            cross = near[back:] * m[:-back]
            cross -= there[:-back] * n[back:]
            cross *= cross
            cross /= np.maximum(n[back:] * m[:-back] * count[back:], 1.0)
        if far.squares is not None:
            cross += far.squares[:-back]
        squares = np.empty_like(near)
        if self.squares is None:
            squares[:back], squares[back:] = 0.0, cross
        else:
            squares[:back] = self.squares[:back]
            np.add(self.squares[back:], cross, out=squares[back:])
        return _Moments(count, _joined(near, there, back, np.add), squares)


def _crossed(near: FloatArray, far: FloatArray, n: float, m: float) -> FloatArray:
    """Return what the difference of two means adds to the squared deviations."""
    cross = near * m if m != 1.0 else near.copy()
    cross -= far * n if n != 1.0 else far
    cross *= cross
    cross /= n * m * (n + m)
    return cross


def _moments(values: FloatArray, count: FloatArray | float, window: int) -> _Moments:
    """Return the moments of the trailing windows; `count` is 1 where a value counts, else 0."""
    part, size = _Moments(count, values, None), 1
    result, covered = part, 0
    while True:
        if window & size:
            result = result.joined(part, covered) if covered else part
            covered += size
        if covered == window:
            return result
        part = part.joined(part, size)
        size *= 2


def _squares(moments: _Moments) -> FloatArray:
    return np.zeros_like(moments.total) if moments.squares is None else moments.squares
