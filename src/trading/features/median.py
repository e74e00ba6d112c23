"""The median of a trailing month of 21 rows, for whole blocks at once, by a sorting network.

Windows share their parts: sorted pairs make sorted fours, fours eights (K. Batcher, "Sorting
Networks and Their Applications", 1968), and the middle of 16, of which six ranks are asked, meets
the five rows before them. Each step is a minimum or a maximum of two shifted blocks: about 80 of
them, no window is sorted by itself.
"""

import numpy as np

from trading.features.windows import Known
from trading.market.panel import FloatArray

MONTH = 21
CACHED_CELLS = 16384
"""Cells that the network sorts at once: its blocks stay in the processor's cache."""
Sorted = list[FloatArray]
"""Blocks in ascending order, cell by cell; entry j of each belongs to the window's last row."""


def month_median(values: FloatArray, known: Known, least: int) -> FloatArray:
    """Return the median of the known values of the trailing 21 rows, `(T, N)`, in their precision.

    The mean of the two in the middle where their number is even; NaN where fewer than `least` are
    known. Equal to `numpy.nanmedian` of each window.
    """
    if known.since is None:
        return known.require(_with_gaps(values, known), MONTH, least)
    median = np.full_like(values, np.nan)
    whole = known.since + MONTH - 1
    median[whole:] = _median(values[known.since :])
    begun = Known(known.cells[:whole])
    median[:whole] = begun.require(_with_gaps(values[:whole], begun), MONTH, least)
    return median


def _with_gaps(values: FloatArray, known: Known) -> FloatArray:
    """Return the median where unknown cells, and rows before the first, are left out.

    Unknown cells count as -inf and +inf by turns, so that of any window as many go to either end;
    where they are odd, the two ways to begin give the two values in the middle.
    """
    before = np.zeros((MONTH - 1, values.shape[1]), dtype=bool)
    cells = np.concatenate([before, known.cells])
    padded = np.concatenate([np.zeros(before.shape, values.dtype), values])
    turn = np.logical_xor.accumulate(~cells, axis=0)
    infinite = values.dtype.type(np.inf)
    upper = _median(np.where(cells, padded, np.where(turn, infinite, -infinite)))
    lower = _median(np.where(cells, padded, np.where(turn, -infinite, infinite)))
    # Where nothing is known they are opposite infinities.
    with np.errstate(invalid="ignore"):
        return np.asarray(upper * 0.5 + lower * 0.5)


def _median(values: FloatArray) -> FloatArray:
    """Return the median of every whole window, `(T - 20, N)`."""
    rows = max(len(values) - MONTH + 1, 0)
    median = np.empty((rows, values.shape[1]), values.dtype)
    step = max(CACHED_CELLS // max(values.shape[1], 1), 4 * MONTH)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        median[start:stop] = _network(values[start : stop + MONTH - 1])
    return median


def _network(values: FloatArray) -> FloatArray:
    pairs = _merged([values[1:]], [values[:-1]])
    fours = _merged([v[2:] for v in pairs], [v[:-2] for v in pairs])
    eights = _merged([v[4:] for v in fours], [v[:-4] for v in fours])
    near = _middle_of_16([v[8:] for v in eights], [v[:-8] for v in eights])
    far = _inserted([v[1:] for v in fours], values[:-4])
    # Rank 11 of 21: i of the five far ones below it, 10 - i of the near ones.
    last = len(values) - MONTH + 1
    result = near[5][5:]
    for i in range(5):
        result = np.minimum(result, np.maximum(near[4 - i][5:], far[i][:last]))
    return result


def _merged(a: Sorted, b: Sorted) -> Sorted:
    """Merge two sorted lists of one length, a power of two, by odd-even merging."""
    if len(a) == 1:
        return [np.minimum(a[0], b[0]), np.maximum(a[0], b[0])]
    even, odd = _merged(a[::2], b[::2]), _merged(a[1::2], b[1::2])
    result = [even[0]]
    for low, high in zip(odd[:-1], even[1:], strict=True):
        result += [np.minimum(low, high), np.maximum(low, high)]
    return [*result, odd[-1]]


def _middle_of_16(a: Sorted, b: Sorted) -> Sorted:
    """Return ranks 6 to 11 of two sorted lists of eight, by bitonic merging."""
    low = [np.minimum(x, y) for x, y in zip(a, b[::-1], strict=True)]
    high = [np.maximum(x, y) for x, y in zip(a, b[::-1], strict=True)]
    top = [np.maximum(low[i], low[i + 4]) for i in range(4)]
    bottom = [np.minimum(high[i], high[i + 4]) for i in range(4)]
    return [*_ends(top, np.minimum, np.maximum)[::-1], *_ends(bottom, np.maximum, np.minimum)]


def _ends(values: Sorted, inner: np.ufunc, outer: np.ufunc) -> Sorted:
    """Return the three outermost of a bitonic list of four, the outermost first."""
    first = [outer(values[0], values[2]), outer(values[1], values[3])]
    second = [inner(values[0], values[2]), inner(values[1], values[3])]
    return [outer(*first), inner(*first), outer(*second)]


def _inserted(ordered: Sorted, value: FloatArray) -> Sorted:
    result = []
    for other in ordered[::-1]:
        result.append(np.maximum(other, value))
        value = np.minimum(other, value)
    return [value, *result[::-1]]
