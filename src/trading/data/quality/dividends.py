"""Dividends against prices: amounts in the wrong unit, phantoms, adjustments that do not follow.

On an ex-date the price falls by about the dividend, and the adjustment of every earlier close is
``1 - dividend / previous close`` (CRSP, Data Descriptions Guide, price adjustment; Yahoo's help
page "What is the adjusted close?" says the same). A declared dividend, the dividend that the
adjusted closes imply, and the fall of the price are three witnesses. Where they disagree the
competing amounts are weighed by the likelihood of the price move under each, with Student's t of
four degrees of freedom around the symbol's own robust volatility; one event proves little, so that
events of one symbol with the same kind of disagreement are weighed together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading.config import QualitySettings
from trading.data.quality.events import Events, locate
from trading.data.quality.findings import FindingKind
from trading.data.quality.series import (
    BarSeries,
    BoolArray,
    IntArray,
    group_median,
    robust_scale,
)
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

FREEDOM = 4.0
LEAST_SIGMA = 0.004
# Implied and declared dividend agree within this share, or this fraction of the price.
AGREE_SHARE, AGREE_PRICE = 0.03, 4e-4
# A dividend of more than this fraction of the price is large enough to be missed in the price.
LARGE_YIELD = 0.04
# Several dividends of less than this fraction of the price each are a hundredth of the usual.
TINY_YIELD, LEAST_TINY = 5e-4, 3
# A dividend of more than this many times its symbol's median yield is one by itself.
OUTSTANDING = 20.0
# Two dividends of one size within so many sessions are one, told twice.
TWICE_SESSIONS, TWICE_SHARE = 7, 0.15
WITHOUT_FALL_SIGMAS = 3.0
# ln of the yield of one payment: centre and spread over 3,646 US companies' medians, 2015-2017
# (29,977 dividends: median 0.68 % of the price, 1.4826 MAD of the logs 0.81).
USUAL_YIELD, YIELD_SPREAD = float(np.log(0.0068)), 0.81


@dataclass(frozen=True)
class DividendFault:
    """A declared dividend that prices or adjusted closes contradict.

    Attributes
    ----------
    kind : which contradiction
    symbol, ex_date : the dividend
    row : the ex-date's row in the series
    declared, implied : money a share as declared, and as the adjusted closes imply
    amount : the amount that the evidence is for; 0 for a phantom
    odds : how many times likelier the price moves are under `amount` than under the rejected one
    proved : whether that suffices for a repair
    """

    kind: FindingKind
    symbol: str
    ex_date: date
    row: int
    declared: float
    implied: float
    amount: float
    odds: float
    proved: bool


@dataclass(frozen=True)
class _Witnesses:
    """What is known about each of E dividends."""

    events: Events
    code: IntArray
    before: FloatArray  # close of the row before
    move: FloatArray  # log(close / before)
    sigma: FloatArray
    implied: FloatArray

    @property
    def declared(self) -> FloatArray:
        return self.events.value

    def likelihood(self, amount: FloatArray) -> FloatArray:
        """Return the log likelihood of each price move if `amount` was paid, up to a constant."""
        left = np.fmax(self.before - amount, 1e-6 * self.before)
        surprise = (self.move - np.log(left / self.before)) / self.sigma
        return -(FREEDOM + 1) / 2 * np.log1p(surprise**2 / FREEDOM)

    def surprise(self, amount: FloatArray) -> FloatArray:
        left = np.fmax(self.before - amount, 1e-6 * self.before)
        return np.abs(self.move - np.log(left / self.before)) / self.sigma


def find_dividend_faults(
    series: BarSeries, actions: Sequence[CorporateAction], settings: QualitySettings
) -> tuple[DividendFault, ...]:
    """Return the faults of the dividends of a series with a close on every row.

    A dividend whose previous close is not known is not judged. Series and actions must be on one
    price level: mend displaced prices first (`trading.data.quality.levels`).
    """
    if not any(action.type is CorporateActionType.DIVIDEND for action in actions):
        return ()
    held = _witnesses(series, actions)
    if not len(held.events):
        return ()
    twice, phantom = _told_twice(held)
    hundredth, none = held.declared / 100, np.zeros(len(held.declared))
    disagree, unit = _disagreements(held)
    free = ~twice
    shifted = free & ~disagree & (held.declared > LARGE_YIELD * held.before)
    shifted &= _on_another_session(series, held, settings)
    free &= ~shifted
    large = free & ~disagree & (held.declared > LARGE_YIELD * held.before)
    outstanding = _stands_out(held, len(series.symbols))
    apart = large & outstanding
    apart &= held.likelihood(hundredth) > held.likelihood(held.declared)
    alike = large & ~outstanding
    alike &= _odds(held, alike, held.declared, hundredth, len(series.symbols)) > 1
    large = apart | alike
    # Adjusted closes a hundredfold off the dividends: one of the two has the wrong unit, and for
    # all dividends of the symbol it is the same one.
    unit &= free
    in_dividends = unit & (_odds(held, unit, held.declared, hundredth, len(series.symbols)) > 1)
    tiny = _tiny(held, free & ~disagree, len(series.symbols))
    missing = free & disagree & ~unit & (np.abs(held.implied) < AGREE_PRICE * held.before)
    wrong = (free & disagree & ~unit & ~missing) | (unit & ~in_dividends)
    weighed = (
        (FindingKind.DIVIDEND_HUNDREDFOLD, apart, held.declared, hundredth),
        (FindingKind.DIVIDEND_HUNDREDFOLD, alike, held.declared, hundredth),
        (FindingKind.DIVIDEND_HUNDREDFOLD, in_dividends, held.declared, hundredth),
        (FindingKind.DIVIDEND_HUNDREDTH, tiny, held.declared, held.declared * 100),
        (FindingKind.ADJUSTMENT_MISSING, missing, held.implied, held.declared),
        (FindingKind.ADJUSTMENT_MISMATCH, wrong, held.implied, held.declared),
        (FindingKind.DUPLICATE_DIVIDEND, phantom, held.declared, none),
    )
    found: list[DividendFault] = []
    for kind, which, rejected, amount in weighed:
        odds = _odds(held, which, rejected, amount, len(series.symbols))
        found += _faults(series, held, kind, which, amount, odds, settings)
    odd = shifted | _without_fall(held, free & ~disagree & ~large)
    found += _faults(
        series, held, FindingKind.DIVIDEND_WITHOUT_FALL, odd, held.declared, none, settings
    )
    return tuple(sorted(found, key=lambda fault: (fault.row, fault.kind)))


def _disagreements(held: _Witnesses) -> tuple[BoolArray, BoolArray]:
    """Return where declared and implied dividend differ, and where they do by 100."""
    gap = np.abs(held.implied - held.declared)
    disagree = (gap > AGREE_SHARE * held.declared) & (gap > AGREE_PRICE * held.before)
    off = np.abs(held.implied - held.declared / 100)
    unit = disagree & (off < np.fmax(0.1 * held.declared / 100, AGREE_PRICE / 4 * held.before))
    return disagree, unit


def _stands_out(held: _Witnesses, symbols: int) -> BoolArray:
    """Return the dividends far above their symbol's others: they are judged without them."""
    yields = held.declared / held.before
    return np.asarray(yields > OUTSTANDING * group_median(yields, held.code, symbols)[held.code])


def _tiny(held: _Witnesses, free: BoolArray, symbols: int) -> BoolArray:
    """Return the dividends of symbols that pay, most of the time, next to nothing."""
    tiny = free & (held.declared < TINY_YIELD * held.before)
    count = np.bincount(held.code, tiny, symbols)
    every = np.bincount(held.code, minlength=symbols)
    return np.asarray(tiny & ((count >= LEAST_TINY) & (count > every / 2))[held.code])


def _witnesses(series: BarSeries, actions: Sequence[CorporateAction]) -> _Witnesses:
    events = locate(series, actions, CorporateActionType.DIVIDEND)
    close, adjusted = series["close"], series["adjusted_close"]
    step = series.log_steps(close)
    sigma = robust_scale(step, series.code, len(series.symbols), LEAST_SIGMA)
    row, code = events.row, series.code[events.row]
    with np.errstate(all="ignore"):
        kept = (adjusted[row - 1] / close[row - 1]) / (adjusted[row] / close[row])
    implied = close[row - 1] * (1 - kept)
    usable = np.isfinite(step[row]) & np.isfinite(implied)
    events = Events(row[usable], events.value[usable], events.day[usable])
    return _Witnesses(
        events,
        code[usable],
        close[row - 1][usable],
        step[row][usable],
        sigma[code][usable],
        implied[usable],
    )


def _told_twice(held: _Witnesses) -> tuple[BoolArray, BoolArray]:
    """Return which dividends are told twice, and which of the two is the phantom.

    The phantom is the one whose price move speaks more for no dividend.
    """
    row, value = held.events.row, held.declared
    twice, phantom = np.zeros(len(row), dtype=bool), np.zeros(len(row), dtype=bool)
    if len(row) < 2:
        return twice, phantom
    near = (np.diff(row) <= TWICE_SESSIONS) & (np.diff(held.code) == 0)
    near &= np.abs(np.diff(value)) <= TWICE_SHARE * value[:-1]
    doubt = held.likelihood(np.zeros(len(row))) - held.likelihood(value)
    for first in np.flatnonzero(near):
        pair = doubt[first : first + 2]
        if phantom[first] or pair.max() <= 0:
            continue
        twice[first : first + 2] = True
        phantom[first + int(pair[1] >= pair[0])] = True
    return twice, phantom


def _on_another_session(
    series: BarSeries, held: _Witnesses, settings: QualitySettings
) -> BoolArray:
    """Return which large dividends the session after shows as well as a hundredth on the day.

    Neither the amount nor the day can then be told.
    """
    row, code = held.events.row, held.code
    after = np.minimum(row + 1, len(series) - 1)
    close = series["close"]
    inside = series.code[after] == code
    next_move = np.where(inside & (after > row), np.log(close[after] / close[row]), np.nan)
    next_day = _Witnesses(held.events, code, close[row], next_move, held.sigma, held.implied)
    zero = np.zeros(len(row))
    shifted = held.likelihood(zero) + next_day.likelihood(held.declared)
    hundredth = held.likelihood(held.declared / 100) + next_day.likelihood(zero)
    as_told = held.likelihood(held.declared) + next_day.likelihood(zero)
    doubt = float(np.log(settings.repair_odds))
    with np.errstate(invalid="ignore"):
        return np.asarray((shifted > hundredth - doubt) & (shifted > as_told))


def _odds(
    held: _Witnesses, which: BoolArray, rejected: FloatArray, amount: FloatArray, symbols: int
) -> FloatArray:
    """Return for each event how much likelier `amount` is than `rejected`, its symbol's together.

    The price moves of the events are independent; the unit in which a symbol's dividends are told
    is one thing, so that the usual size of dividends counts once, at the median.
    """
    gain = held.likelihood(amount) - held.likelihood(rejected)
    pooled = np.bincount(held.code, np.where(which, gain, 0.0), symbols).astype(np.float64)
    if (amount[which] > 0).all() and (rejected[which] > AGREE_PRICE / 4 * held.before[which]).all():
        usual = _usual(held, which, amount, symbols) - _usual(held, which, rejected, symbols)
        pooled = pooled + usual
    return np.asarray(np.exp(np.clip(pooled, -50, 50))[held.code])


def _usual(held: _Witnesses, which: BoolArray, amount: FloatArray, symbols: int) -> FloatArray:
    """Return by symbol the log likelihood of the median yield among those that companies pay."""
    yields = np.where(which & (amount > 0), amount / held.before, np.nan)
    with np.errstate(invalid="ignore"):
        typical = group_median(np.log(yields), held.code, symbols)
    unusual = np.nan_to_num((typical - USUAL_YIELD) / YIELD_SPREAD)
    return np.asarray(-(FREEDOM + 1) / 2 * np.log1p(unusual**2 / FREEDOM))


def _faults(
    series: BarSeries,
    held: _Witnesses,
    kind: FindingKind,
    which: BoolArray,
    amount: FloatArray,
    odds: FloatArray,
    settings: QualitySettings,
) -> list[DividendFault]:
    # No payment, and no adjustment, takes the whole price.
    possible = (amount < held.before) & (held.implied < held.before)
    return [
        DividendFault(
            kind,
            series.symbols[held.code[i]],
            held.events.day[i].astype(object),
            int(held.events.row[i]),
            float(held.declared[i]),
            float(held.implied[i]),
            float(amount[i]),
            float(odds[i]),
            bool(odds[i] >= settings.repair_odds and possible[i]),
        )
        for i in np.flatnonzero(which)
    ]


def _without_fall(held: _Witnesses, which: BoolArray) -> BoolArray:
    """Return the large dividends of which the ex-date shows nothing."""
    odd = which & (held.declared > LARGE_YIELD * held.before)
    odd &= held.surprise(held.declared) > WITHOUT_FALL_SIGMAS
    odd &= held.likelihood(np.zeros(len(odd))) > held.likelihood(held.declared)
    return odd
