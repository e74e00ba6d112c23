"""Prices that stand at the wrong level: 100x errors, and splits applied wrongly.

A series that jumps by a known factor and (mostly) back again has rows on two levels that differ by
that factor. The factors are 100, which is how far pence and pounds lie apart, and the ratio of a
declared split near its ex-date. Adding up the jumps gives the level of each row; the level in force
at the end is the right one, unless trades were made on the other level only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading.config import QualitySettings
from trading.data.quality.events import Events, locate
from trading.data.quality.findings import FindingKind
from trading.data.quality.series import BarSeries, BoolArray, IntArray, robust_scale
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

HUNDRED = float(np.log(100.0))
# A jump that differs from a split's ratio by more than this share of it (in logs) is another thing.
SPLIT_REACH = 0.35
# Splits of less than 4:3 hide in the noise of daily returns, but for those of calm series: of more
# than this many sigmas.
SMALL_SPLIT, CALM_SIGMAS = float(np.log(4 / 3)) - 1e-9, 10.0
# No smaller one is told from a stock dividend.
LEAST_SPLIT = float(np.log(1.1)) - 1e-9
# Prices fall by a third on bad news too: of 2,432 Russell series in which a split of 3:2 was
# declared on a day at random, 46 had such a move within 20 sessions, and of 5:1 two. A move to the
# ratio of a split below 5:2 has to be close to the ratio, and proves something only near its day,
# or where the price comes back as it went: no news halves a price and doubles it again.
LARGE_SPLIT, CLOSE_SIGMAS, NEAR_SESSIONS = float(np.log(2.5)), 3.0, 3
TWO_WAYS = float(np.log(1.9))
# Fewer rows than this at the end do not tell which level is the right one.
LEAST_TAIL = 3
# Rows on each side of a jump whose volumes are compared.
VOLUME_ROWS = 10
LEAST_SIGMA = 0.01


@dataclass(frozen=True)
class Displacement:
    """Rows of one symbol whose prices stand a known factor too high or too low.

    Attributes
    ----------
    kind : `hundredfold_price` or `split_not_applied`
    symbol : whose rows they are
    rows : (K,) positions in the series
    power : (K,) +1 where the price is `factor` times too high, -1 where too low
    factor : 100, or the ratio of the split as a number above one
    split_on : ex-date of the split, None for a 100x error
    proved : whether the right level is beyond doubt
    evidence : why, in one sentence
    """

    kind: FindingKind
    symbol: str
    rows: IntArray
    power: IntArray
    factor: float
    split_on: date | None
    proved: bool
    evidence: str


def find_displacements(
    series: BarSeries, actions: Sequence[CorporateAction], settings: QualitySettings
) -> tuple[Displacement, ...]:
    """Return the displaced rows of a series with a close on every row (`BarSeries.known`).

    Symbols without a jump of a known factor cost nothing: only the few that have one are looked at
    one by one. Nothing is found in a series of fewer than two rows.
    """
    splits = locate(series, actions, CorporateActionType.SPLIT)
    step = _steps_without_dividends(series, actions)
    sigma = robust_scale(step, series.code, len(series.symbols), LEAST_SIGMA)
    found: list[Displacement] = []
    edge = np.abs(np.abs(step) - HUNDRED) < settings.hundredfold_tolerance
    edge &= ~_near_split_of_hundred(series, splits, settings)
    found += [_hundredfold(series, rows, step) for rows in _by_symbol(series, edge)]
    for position in range(len(splits)):
        edges = _split_edges(series, step, sigma, splits, position, settings)
        if len(edges):
            found.append(_split(series, edges, step, sigma, splits, position))
    return tuple(_distinct(found))


def _steps_without_dividends(series: BarSeries, actions: Sequence[CorporateAction]) -> FloatArray:
    """Return log price steps; on an ex-date the smaller of the step with and without dividend."""
    step = series.log_steps(series["close"])
    paid = locate(series, actions, CorporateActionType.DIVIDEND)
    close, before = series["close"][paid.row], series["close"][paid.row - 1]
    whole = np.log((close + paid.value) / before)
    smaller = np.abs(whole) < np.abs(step[paid.row])
    step[paid.row[smaller]] = whole[smaller]
    return step


def _near_split_of_hundred(
    series: BarSeries, splits: Events, settings: QualitySettings
) -> BoolArray:
    near = np.zeros(len(series), dtype=bool)
    large = np.abs(np.abs(np.log(splits.value)) - HUNDRED) < settings.hundredfold_tolerance
    for row in splits.row[large]:
        window = _window(series, int(row), settings.split_window)
        near[window] = True
    return near


def _window(series: BarSeries, row: int, reach: int) -> slice:
    low = int(np.searchsorted(series.code, series.code[row]))
    high = int(np.searchsorted(series.code, series.code[row], side="right"))
    return slice(max(low + 1, row - reach), min(high, row + reach + 1))


def _by_symbol(series: BarSeries, edge: BoolArray) -> list[IntArray]:
    rows = np.flatnonzero(edge)
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(series.code[rows])) + 1)


def _levels(series: BarSeries, edges: IntArray, step: FloatArray) -> tuple[slice, IntArray]:
    """Return the rows of the symbol and how many factors each lies above the first."""
    code = series.code[edges[0]]
    low = int(np.searchsorted(series.code, code))
    high = int(np.searchsorted(series.code, code, side="right"))
    jump = np.zeros(high - low, dtype=np.int64)
    jump[edges - low] = np.sign(step[edges]).astype(np.int64)
    return slice(low, high), np.cumsum(jump)


def _hundredfold(series: BarSeries, edges: IntArray, step: FloatArray) -> Displacement:
    span, level = _levels(series, edges, step)
    traded = level[np.nan_to_num(series["volume"][span]) > 0]
    anchor, why = int(level[-1]), "the level in force at the end is taken for the right one"
    if len(traded) and (traded == traded[0]).all() and traded[0] != anchor:
        anchor, why = int(traded[0]), "every trade was made on the other level"
    power = level - anchor
    off = np.flatnonzero(power)
    tail = int(np.argmax(level[::-1] != level[-1]))
    proved = bool(np.abs(power).max() <= 1) and (tail >= LEAST_TAIL or anchor != level[-1])
    if (
        len(edges) == 1
        and _volume_step(series, int(edges[0]), span) * -np.sign(step[edges[0]]) > HUNDRED / 2
    ):
        proved, why = False, "the volume jumped the other way, as in a split that nobody declared"
    elif tail < LEAST_TAIL and anchor == level[-1]:
        why = f"only {tail} sessions at the end do not tell which level is right"
    return Displacement(
        FindingKind.HUNDREDFOLD_PRICE,
        series.symbols[series.code[edges[0]]],
        off + span.start,
        power[off],
        100.0,
        None,
        proved,
        f"{len(off)} of {len(level)} sessions stand 100 times off the others; {why}",
    )


def _volume_step(series: BarSeries, row: int, span: slice) -> float:
    """Return log(median volume after / before) around a row, 0 where either is unknown or 0."""
    volume = series["volume"]
    sides = volume[max(span.start, row - VOLUME_ROWS) : row], volume[row : row + VOLUME_ROWS]
    known = [side[np.isfinite(side) & (side > 0)] for side in sides]
    if not len(known[0]) or not len(known[1]):
        return 0.0
    return float(np.log(np.median(known[1]) / np.median(known[0])))


def _split_edges(
    series: BarSeries,
    step: FloatArray,
    sigma: FloatArray,
    splits: Events,
    position: int,
    settings: QualitySettings,
) -> IntArray:
    row, size = int(splits.row[position]), abs(float(np.log(splits.value[position])))
    usual = float(sigma[series.code[row]])
    if size < (LEAST_SPLIT if size > CALM_SIGMAS * usual else SMALL_SPLIT):
        return np.zeros(0, dtype=np.int64)
    window = _window(series, row, settings.split_window)
    near = step[window]
    distance = np.abs(np.abs(near) - size)
    reach = SPLIT_REACH * size
    with np.errstate(all="ignore"):
        logs = np.log(series["volume"][window.start - 1 : window.stop])
        confirmed = np.abs(np.diff(logs) + np.sign(near) * size) < size / 2
    hit = (distance < min(reach, max(0.1, 6 * usual))) | ((distance < reach) & confirmed)
    if size < LARGE_SPLIT:
        around = np.abs(np.arange(window.start, window.stop) - row) <= NEAR_SESSIONS
        hit &= around & (size > SMALL_SPLIT) | (distance < CLOSE_SIGMAS * usual)
    return np.asarray(np.flatnonzero(hit) + window.start, dtype=np.int64)


def _split(
    series: BarSeries,
    edges: IntArray,
    step: FloatArray,
    sigma: FloatArray,
    splits: Events,
    position: int,
) -> Displacement:
    span, level = _levels(series, edges, step)
    power = level - level[-1]
    off = np.flatnonzero(power)
    ratio, day = float(splits.value[position]), splits.day[position]
    tail = len(level) - (int(off[-1]) + 1 if len(off) else 0)
    proved = bool(len(off)) and bool(np.abs(power).max() <= 1) and tail >= LEAST_TAIL
    apart = int(np.abs(edges - splits.row[position]).min())
    size, back = abs(float(np.log(ratio))), bool(level[0] == level[-1])
    usual = CLOSE_SIGMAS * float(sigma[series.code[edges[0]]])
    close = bool((np.abs(np.abs(step[edges]) - size) < usual).all())
    placed = (apart <= NEAR_SESSIONS and len(edges) == 1) or (back and size > TWO_WAYS)
    proved &= size > LARGE_SPLIT or (placed and close)
    told = f"1 for {1 / ratio:g}" if ratio < 1 else f"{ratio:g} for 1"
    return Displacement(
        FindingKind.SPLIT_NOT_APPLIED,
        series.symbols[series.code[edges[0]]],
        off + span.start,
        power[off],
        max(ratio, 1 / ratio),
        day.astype(object),
        proved,
        f"{len(off)} of {len(level)} sessions stand off by the ratio of the split {told} of {day}"
        + ("" if proved else ", but which level is right, or whether it is the split, is not sure"),
    )


def _distinct(found: list[Displacement]) -> list[Displacement]:
    """Leave out what another one explains already: two declarations of one split, a 100x error."""
    taken: set[tuple[str, int]] = set()
    kept: list[Displacement] = []
    for one in found:
        cells = {(one.symbol, int(row)) for row in one.rows}
        if cells and not cells & taken:
            kept.append(one)
            taken |= cells
    return kept
