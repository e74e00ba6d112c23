"""Rolling windows over panels that depend on nothing but the window, to the last bit.

A running sum (`sum += new - old`) remembers every rounding since the data began, so that the same
window gives other bits in a longer history. Here a window is put together from blocks whose lengths
are powers of two, each block from two halves: S2[t] = S1[t] + S1[t-1], S4[t] = S2[t] + S2[t-2], and
so on; a window of 20 is the latest 4 rows and the 16 before them. The tree of additions is fixed by
the length of the window alone. The work is about 2 log2(window) operations a cell, and the rounding
error grows with the logarithm of the window (N. Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, section 4.2, pairwise summation).

Everywhere, a row whose window is not complete, or holds a value that is not finite, is NaN.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trading.compiled import compiled, inner
from trading.errors import DataError

FloatArray = npt.NDArray[np.float64]

TILE_COLUMNS = 32
TILE_ROWS = 512
SUM, MEAN, STD, MIN, MAX = range(5)


def rolling_sum(values: FloatArray, window: int) -> FloatArray:
    """Return the sum `(T, N)` of the last `window` rows."""
    return _rolling(values, window, SUM, 0)


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean `(T, N)` of the last `window` rows; of equal values, that very value."""
    return _rolling(values, window, MEAN, 0)


def rolling_std(values: FloatArray, window: int, ddof: int = 0) -> FloatArray:
    """Return the standard deviation `(T, N)` of the last `window` rows; of equal values, 0.

    Blocks are joined by their means and squared deviations (T. Chan, G. Golub and R. LeVeque,
    "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979), which does
    not cancel where the mean is large beside the deviation.

    Parameters
    ----------
    ddof : what is taken off the divisor: 0 the population's, 1 the sample's; below `window`
    """
    if not 0 <= ddof < window:
        raise DataError(f"ddof must lie within 0..{window - 1} for a window of {window}: {ddof}")
    return _rolling(values, window, STD, ddof)


def rolling_min(values: FloatArray, window: int) -> FloatArray:
    """Return the least `(T, N)` of the last `window` rows."""
    return _rolling(values, window, MIN, 0)


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Return the greatest `(T, N)` of the last `window` rows."""
    return _rolling(values, window, MAX, 0)


def panel_view(values: npt.NDArray[Any]) -> FloatArray:
    """Return a panel as kernels take it: float64, two axes, in C order, read only.

    Raises `DataError` for another number of axes or values that are no real numbers.
    """
    if getattr(values, "ndim", None) != 2 or values.dtype.kind not in "fiu":
        shape = getattr(values, "shape", None)
        kind = getattr(values, "dtype", type(values).__name__)
        raise DataError(f"a panel is an array (T, N) of real numbers, got {kind} of shape {shape}")
    view = np.ascontiguousarray(values, dtype=np.float64).view()
    view.flags.writeable = False
    return view


def check_window(window: int) -> None:
    """Raise `DataError` unless `window` is a whole number of at least 1."""
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise DataError(f"a window is a whole number of rows from 1 on, got {window!r}")


def _rolling(values: FloatArray, window: int, operation: int, ddof: int) -> FloatArray:
    check_window(window)
    view = panel_view(values)
    result = np.empty(view.shape)
    result[: window - 1] = np.nan
    _roll(view, int(window), operation, ddof, result)
    return result


@inner
def tile_rows(window: int) -> int:
    """Return how many rows a tile answers: enough that the rows above it weigh little."""
    return max(TILE_ROWS, 4 * window)


@inner
def load_tile(
    values: FloatArray, first: int, last: int, column: int, width: int, tile: FloatArray
) -> None:
    """Copy rows `first .. last - 1` into `tile`; what is not finite becomes NaN."""
    for row in range(first, last):
        for j in range(width):
            value = values[row, column + j]
            tile[row - first, j] = value + (value - value)


@inner
def copy_tile(source: FloatArray, target: FloatArray, rows: int, width: int) -> None:
    """Copy the part of a tile that is in use."""
    # Loops, because numba compiles an assignment of slices for seconds.
    for row in range(rows):
        for j in range(width):
            target[row, j] = source[row, j]


@inner
def double_means(level: FloatArray, span: int, rows: int, width: int) -> None:
    """Turn means of `span` rows into means of `2 * span` rows, in place."""
    for row in range(rows - 1, span - 1, -1):
        for j in range(width):
            level[row, j] = 0.5 * (level[row, j] + level[row - span, j])


@inner
def join_means(
    total: FloatArray, covered: int, level: FloatArray, span: int, rows: int, width: int
) -> None:
    """Extend means `total` of `covered` rows by the `span` rows before them, in place."""
    if covered == 0:
        copy_tile(level, total, rows, width)
        return
    share = span / (covered + span)
    for row in range(rows - 1, covered - 1, -1):
        for j in range(width):
            total[row, j] += (level[row - covered, j] - total[row, j]) * share


@inner
def _double_deviations(
    level: FloatArray, squares: FloatArray, span: int, rows: int, width: int
) -> None:
    for row in range(rows - 1, span - 1, -1):
        for j in range(width):
            gap = level[row, j] - level[row - span, j]
            squares[row, j] += squares[row - span, j] + gap * gap * (0.5 * span)


@inner
def _join_deviations(
    total: FloatArray,
    total_squares: FloatArray,
    covered: int,
    level: FloatArray,
    squares: FloatArray,
    span: int,
    rows: int,
    width: int,
) -> None:
    if covered == 0:
        copy_tile(squares, total_squares, rows, width)
        return
    weight = covered * (span / (covered + span))
    for row in range(rows - 1, covered - 1, -1):
        for j in range(width):
            gap = total[row, j] - level[row - covered, j]
            total_squares[row, j] += squares[row - covered, j] + gap * gap * weight


@inner
def _combine(
    result: FloatArray,
    offset: int,
    other: FloatArray,
    operation: int,
    rows: int,
    width: int,
) -> None:
    """Combine `result` with `other`, `offset` rows above it: sums, minima or maxima."""
    for row in range(rows - 1, offset - 1, -1):
        for j in range(width):
            here, there = result[row, j], other[row - offset, j]
            if operation == SUM:
                result[row, j] = here + there
            elif operation == MIN:
                result[row, j] = there if there < here or there != there else here
            else:
                result[row, j] = there if there > here or there != there else here


@inner
def _window_moments(
    level: FloatArray,
    squares: FloatArray,
    total: FloatArray,
    total_squares: FloatArray,
    window: int,
    rows: int,
    width: int,
    deviations: bool,
) -> None:
    """Put means into `total` and sums of squared deviations into `total_squares`.

    `level` holds the values and is used up. Only rows from `window - 1` on have an answer.
    """
    if deviations:
        for row in range(rows):
            for j in range(width):
                squares[row, j] = 0.0 * level[row, j]
    covered, span = 0, 1
    while True:
        if window & span:
            if deviations:
                _join_deviations(total, total_squares, covered, level, squares, span, rows, width)
            join_means(total, covered, level, span, rows, width)
            covered += span
        if covered == window:
            return
        if deviations:
            _double_deviations(level, squares, span, rows, width)
        double_means(level, span, rows, width)
        span *= 2


@inner
def _window_combined(
    level: FloatArray, total: FloatArray, window: int, operation: int, rows: int, width: int
) -> None:
    covered, span = 0, 1
    while True:
        if window & span:
            if covered == 0:
                copy_tile(level, total, rows, width)
            else:
                _combine(total, covered, level, operation, rows, width)
            covered += span
        if covered == window:
            return
        _combine(level, span, level, operation, rows, width)
        span *= 2


@compiled
def _roll(values: FloatArray, window: int, operation: int, ddof: int, result: FloatArray) -> None:
    bars, symbols = values.shape
    step = tile_rows(window)
    height = min(bars, step + window - 1)
    level = np.empty((height, TILE_COLUMNS))
    total = np.empty((height, TILE_COLUMNS))
    squares = np.empty((height if operation == STD else 0, TILE_COLUMNS))
    total_squares = np.empty((height if operation == STD else 0, TILE_COLUMNS))
    for column in range(0, symbols, TILE_COLUMNS):
        width = min(TILE_COLUMNS, symbols - column)
        for start in range(window - 1, bars, step):
            first, last = start - window + 1, min(bars, start + step)
            rows = last - first
            load_tile(values, first, last, column, width, level)
            if operation in (MEAN, STD):
                _window_moments(
                    level, squares, total, total_squares, window, rows, width, operation == STD
                )
            else:
                _window_combined(level, total, window, operation, rows, width)
            for row in range(window - 1, rows):
                for j in range(width):
                    if operation == STD:
                        value = np.sqrt(total_squares[row, j] / (window - ddof))
                    else:
                        value = total[row, j]
                    result[first + row, column + j] = value
