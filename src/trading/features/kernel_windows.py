"""The windows of `windows.py` over one block of names, compiled.

A block is flat: `LANES` names side by side, row after row, behind `BEFORE` rows that say what there
was before the first: nothing. A shift by rows is then one constant distance, and the compiler makes
every loop here into vector instructions. An unknown cell is NaN and leaves a window's sum and its
count; sums are taken in the order of `windows.fold`, so that both give the same bits.
"""

import numpy as np

from trading.compiled import inner
from trading.market.panel import FloatArray

LANES = 32
BEFORE = 252
START = BEFORE * LANES
BEGIN = np.uint64(START)
BACK = tuple(np.uint64(rows * LANES) for rows in range(BEFORE + 1))
"""Cells from a row back to another, unsigned as `BEGIN` is: else every index would be asked whether
it counts from the end, and no loop become vector instructions."""


@inner
def known_fours(values: FloatArray, sums: FloatArray, counts: FloatArray) -> None:
    """Sum and count the known values of every 4 rows."""
    for i in range(BEGIN, np.uint64(len(values))):
        a, b = values[i], values[i - BACK[1]]
        c, d = values[i - BACK[2]], values[i - BACK[3]]
        sums[i] = ((a if a == a else 0.0) + (b if b == b else 0.0)) + (
            (c if c == c else 0.0) + (d if d == d else 0.0)
        )
        counts[i] = ((1.0 if a == a else 0.0) + (1.0 if b == b else 0.0)) + (
            (1.0 if c == c else 0.0) + (1.0 if d == d else 0.0)
        )


@inner
def square_fours(values: FloatArray, squares: FloatArray) -> None:
    """Sum the squares of the known values of every 4 rows."""
    for i in range(BEGIN, np.uint64(len(values))):
        a, b = values[i], values[i - BACK[1]]
        c, d = values[i - BACK[2]], values[i - BACK[3]]
        squares[i] = ((a * a if a == a else 0.0) + (b * b if b == b else 0.0)) + (
            (c * c if c == c else 0.0) + (d * d if d == d else 0.0)
        )


@inner
def month(value: float, fours: FloatArray, i: int) -> float:
    """Return the sum of 21 rows from that of every 4 and the last row's value."""
    near: float = value + fours[i - BACK[1]]
    far: float = fours[i - BACK[5]] + fours[i - BACK[9]]
    last: float = fours[i - BACK[13]] + fours[i - BACK[17]]
    return near + (far + last)


@inner
def month_means(
    values: FloatArray, sums: FloatArray, counts: FloatArray, least: float, means: FloatArray
) -> None:
    """Take the mean of the known values of 21 rows, NaN where fewer than `least` are known."""
    known_fours(values, sums, counts)
    for i in range(BEGIN, np.uint64(len(values))):
        value = values[i]
        known = value == value
        total = month(value if known else 0.0, sums, i)
        count = month(1.0 if known else 0.0, counts, i)
        means[i] = total / count if count >= least else np.nan


@inner
def carry(values: FloatArray, limit: float, state: FloatArray, carried: FloatArray) -> None:
    """Take the last known value, at most `limit` rows old; `state` is room for two rows."""
    for lane in range(BACK[1]):
        state[lane] = np.nan
        state[BACK[1] + lane] = 0.0
    for start in range(BEGIN, np.uint64(len(values)), BACK[1]):
        for lane in range(BACK[1]):
            value = values[start + lane]
            known = value == value
            age = 0.0 if known else state[BACK[1] + lane] + 1.0
            last = value if known else state[lane]
            state[lane] = last
            state[BACK[1] + lane] = age
            carried[start + lane] = last if age <= limit else np.nan


@inner
def highest_of_four(values: FloatArray, rows: int, highs: FloatArray) -> None:
    """Take the largest of 4 rows so many rows apart; unknown ones are never the largest."""
    one, two, three = BACK[rows], BACK[2 * rows], BACK[3 * rows]
    for i in range(BEGIN, np.uint64(len(values))):
        a, b, c, d = values[i], values[i - one], values[i - two], values[i - three]
        a, b = (a if a == a else -np.inf), (b if b == b else -np.inf)
        c, d = (c if c == c else -np.inf), (d if d == d else -np.inf)
        a, c = (a if a > b else b), (c if c > d else d)
        highs[i] = a if a > c else c


@inner
def count_known(values: FloatArray, counts: FloatArray) -> None:
    """Count the known values from the first row on."""
    for i in range(BEGIN, np.uint64(len(values))):
        value = values[i]
        counts[i] = counts[i - BACK[1]] + (1.0 if value == value else 0.0)


@inner
def merge(
    n: float, a: float, squares: float, m: float, b: float, others: float
) -> tuple[float, float, float]:
    """Return count, sum and squared deviations of two windows together; the latter's lie back."""
    cross = a * m - b * n
    cross *= cross
    spread = n * m * (n + m)
    cross /= spread if spread > 1.0 else 1.0
    return n + m, a + b, squares + (cross + others)


@inner
def moments_of_four(
    values: FloatArray, counts: FloatArray, sums: FloatArray, squares: FloatArray
) -> None:
    """Take count, sum and squared deviations of the known values of every 4 rows."""
    for i in range(BEGIN, np.uint64(len(values))):
        a, b = values[i], values[i - BACK[1]]
        c, d = values[i - BACK[2]], values[i - BACK[3]]
        na, nb = (1.0 if a == a else 0.0), (1.0 if b == b else 0.0)
        nc, nd = (1.0 if c == c else 0.0), (1.0 if d == d else 0.0)
        a, b = (a if a == a else 0.0), (b if b == b else 0.0)
        c, d = (c if c == c else 0.0), (d if d == d else 0.0)
        n, near, first = merge(na, a, 0.0, nb, b, 0.0)
        m, far, second = merge(nc, c, 0.0, nd, d, 0.0)
        counts[i], sums[i], squares[i] = merge(n, near, first, m, far, second)


@inner
def moments_of_twenty(
    counts: FloatArray, sums: FloatArray, squares: FloatArray, i: int
) -> tuple[float, float, float]:
    """Return count, sum and squared deviations of 20 rows from those of every 4."""
    j, k = i - BACK[4], i - BACK[8]
    n, near, first = merge(counts[j], sums[j], squares[j], counts[k], sums[k], squares[k])
    j, k = i - BACK[12], i - BACK[16]
    m, far, second = merge(counts[j], sums[j], squares[j], counts[k], sums[k], squares[k])
    m, far, second = merge(n, near, first, m, far, second)
    return merge(counts[i], sums[i], squares[i], m, far, second)
