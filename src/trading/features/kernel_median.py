"""The median of a trailing month over one block of names, `median.py` compiled.

The network is the same and so are its ranks. It runs over `CHUNK` rows at a time, in regions of one
buffer that lie constant distances apart, and keeps nothing between its steps but sorted fours and
eights.
"""

import numpy as np

from trading.compiled import inner
from trading.features.kernel_windows import BACK, BEGIN, LANES, START
from trading.features.returns import Float32Array
from trading.market.panel import FloatArray

MONTH = 21
CHUNK = 64 * LANES
"""Cells whose medians are sought at once."""
HEAD = (MONTH - 1) * LANES
REGION = HEAD + CHUNK
FOURS = tuple(np.uint64(part * REGION) for part in range(1, 5))
EIGHTS = tuple(np.uint64(part * REGION) for part in range(5, 13))
BUFFER = 13 * REGION
"""The values, 4 regions of sorted fours and 8 of sorted eights."""
INFINITE = np.float32(np.inf)
HALF = np.float32(0.5)


@inner
def month_medians(
    traded: FloatArray, turns: Float32Array, buffer: Float32Array, medians: Float32Array
) -> None:
    """Take the median of the known values of 21 rows, in single precision.

    `turns` has as many cells: which infinity an unknown one counts as, see `median._with_gaps`.
    The other way to begin is only gone where a window has a gap.
    """
    take_turns(traded, turns)
    for first in range(START, len(traded), CHUNK):
        size = min(CHUNK, len(traded) - first)
        gaps = fill(traded, turns, np.float32(1.0), first, size, buffer)
        sort_parts(buffer)
        found = medians[first : first + size]
        for i in range(np.uint64(size)):
            found[i] = middle(buffer, i)
        if gaps:
            fill(traded, turns, np.float32(-1.0), first, size, buffer)
            sort_parts(buffer)
            for i in range(np.uint64(size)):
                found[i] = found[i] * HALF + middle(buffer, i) * HALF


@inner
def take_turns(traded: FloatArray, turns: Float32Array) -> None:
    """Count unknown cells as one infinity and the other by turns, name by name."""
    for i in range(BEGIN - BACK[MONTH], BEGIN - BACK[MONTH - 1]):
        turns[i] = INFINITE
    for i in range(BEGIN - BACK[MONTH - 1], np.uint64(len(traded))):
        known = traded[i] == traded[i]
        before = turns[i - BACK[1]]
        turns[i] = before if known else -before


@inner
def fill(
    traded: FloatArray,
    turns: Float32Array,
    sign: np.float32,
    first: int,
    size: int,
    buffer: Float32Array,
) -> bool:
    """Put the rows that a chunk's windows reach into the buffer; tell whether any is unknown."""
    values = traded[first - HEAD : first + size]
    others = turns[first - HEAD : first + size]
    unknown = 0
    for i in range(np.uint64(len(values))):
        known = values[i] == values[i]
        buffer[i] = np.float32(values[i]) if known else others[i] * sign
        unknown += 0 if known else 1
    return unknown > 0


@inner
def sort_parts(buffer: Float32Array) -> None:
    """Sort every 4 rows, then every 8, into their regions."""
    for i in range(BACK[3], np.uint64(REGION)):
        a, b = low_high(buffer[i], buffer[i - BACK[1]])
        c, d = low_high(buffer[i - BACK[2]], buffer[i - BACK[3]])
        a, b, c, d = merged(a, b, c, d)
        buffer[FOURS[0] + i] = a
        buffer[FOURS[1] + i] = b
        buffer[FOURS[2] + i] = c
        buffer[FOURS[3] + i] = d
    for i in range(BACK[7], np.uint64(REGION)):
        j = i - BACK[4]
        a, c = buffer[FOURS[0] + i], buffer[FOURS[2] + i]
        e, g = buffer[FOURS[0] + j], buffer[FOURS[2] + j]
        a, c, e, g = merged(a, c, e, g)
        b, d = buffer[FOURS[1] + i], buffer[FOURS[3] + i]
        f, h = buffer[FOURS[1] + j], buffer[FOURS[3] + j]
        b, d, f, h = merged(b, d, f, h)
        b, c = low_high(b, c)
        d, e = low_high(d, e)
        f, g = low_high(f, g)
        buffer[EIGHTS[0] + i] = a
        buffer[EIGHTS[1] + i] = b
        buffer[EIGHTS[2] + i] = c
        buffer[EIGHTS[3] + i] = d
        buffer[EIGHTS[4] + i] = e
        buffer[EIGHTS[5] + i] = f
        buffer[EIGHTS[6] + i] = g
        buffer[EIGHTS[7] + i] = h


@inner
def low_high(a: float, b: float) -> tuple[float, float]:
    """Return both in ascending order."""
    return (a if a < b else b), (a if a > b else b)


@inner
def merged(a: float, b: float, c: float, d: float) -> tuple[float, float, float, float]:
    """Merge two ordered pairs."""
    first, low = low_high(a, c)
    high, last = low_high(b, d)
    low, high = low_high(low, high)
    return first, low, high, last


@inner
def middle(buffer: Float32Array, i: int) -> float:
    """Return rank 11 of the 21 rows that end at row cell `i` of a chunk."""
    j = i + BACK[20]
    k = i + BACK[12]
    # Ranks 6 to 11 of the 16 nearest: the upper half of their lower eight, and the other way round.
    l0, h0 = low_high(buffer[EIGHTS[0] + j], buffer[EIGHTS[7] + k])
    l1, h1 = low_high(buffer[EIGHTS[1] + j], buffer[EIGHTS[6] + k])
    l2, h2 = low_high(buffer[EIGHTS[2] + j], buffer[EIGHTS[5] + k])
    l3, h3 = low_high(buffer[EIGHTS[3] + j], buffer[EIGHTS[4] + k])
    l4, h4 = low_high(buffer[EIGHTS[4] + j], buffer[EIGHTS[3] + k])
    l5, h5 = low_high(buffer[EIGHTS[5] + j], buffer[EIGHTS[2] + k])
    l6, h6 = low_high(buffer[EIGHTS[6] + j], buffer[EIGHTS[1] + k])
    l7, h7 = low_high(buffer[EIGHTS[7] + j], buffer[EIGHTS[0] + k])
    eighth, seventh, sixth = highest_of(
        max_of(l0, l4), max_of(l1, l5), max_of(l2, l6), max_of(l3, l7)
    )
    ninth, tenth, eleventh = lowest_of(
        min_of(h0, h4), min_of(h1, h5), min_of(h2, h6), min_of(h3, h7)
    )
    # The five rows before them, in order.
    j = i + BACK[4]
    value = buffer[i]
    value, fifth = low_high(buffer[FOURS[3] + j], value)
    value, fourth = low_high(buffer[FOURS[2] + j], value)
    value, third = low_high(buffer[FOURS[1] + j], value)
    first, second = low_high(buffer[FOURS[0] + j], value)
    # Rank 11 of all: so many of the five lie below it, and the rest of ten among the sixteen.
    result = min_of(eleventh, max_of(tenth, first))
    result = min_of(result, max_of(ninth, second))
    result = min_of(result, max_of(eighth, third))
    result = min_of(result, max_of(seventh, fourth))
    return min_of(result, max_of(sixth, fifth))


@inner
def min_of(a: float, b: float) -> float:
    """Return the smaller."""
    return a if a < b else b


@inner
def max_of(a: float, b: float) -> float:
    """Return the larger."""
    return a if a > b else b


@inner
def highest_of(a: float, b: float, c: float, d: float) -> tuple[float, float, float]:
    """Return the three largest of a bitonic list of four, the largest first."""
    a, c = max_of(a, c), min_of(a, c)
    b, d = max_of(b, d), min_of(b, d)
    return max_of(a, b), min_of(a, b), max_of(c, d)


@inner
def lowest_of(a: float, b: float, c: float, d: float) -> tuple[float, float, float]:
    """Return the three smallest of a bitonic list of four, the smallest first."""
    a, c = min_of(a, c), max_of(a, c)
    b, d = min_of(b, d), max_of(b, d)
    return min_of(a, b), max_of(a, b), min_of(c, d)
