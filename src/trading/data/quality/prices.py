"""Moves of prices and adjusted closes that ask for an explanation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.config import DataSettings
from trading.data.quality.events import locate
from trading.data.quality.findings import Finding, FindingKind, Severity, finding_of_rows
from trading.data.quality.levels import HUNDRED
from trading.data.quality.series import BarSeries, BoolArray, group_median, robust_scale
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import FloatArray

LEAST_SIGMA = 0.005
# Splits that happen; the log distance between neighbours stays well over twice the tolerance
# only for the small ones, so that a split-shaped jump is a question and never an answer.
SPLIT_RATIOS = (1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
# A day's move after the open stays within this many of the symbol's sigmas.
USUAL_SIGMAS = 2.0
# Sessions of fewer symbols have no cross-section to stand out of.
LEAST_CROSS_SECTION = 20
# A price that changes by this factor and back overnight was never traded.
IMPOSSIBLE_SPIKE = float(np.log(20.0))
# A step must hold for this many sessions to be a new level.
HOLD_SESSIONS = 5
# An adjustment that shrinks by more than this is no rounding of a penny price.
ADJUSTMENT_NOISE = 0.01
# An implied dividend above this fraction of the price must show in the price.
LARGE_IMPLIED = 0.08
WITHOUT_FALL_SIGMAS = 6.0


@dataclass(frozen=True)
class _Moves:
    """Per row: log step of the close, the symbol's sigma, distance to the session's median."""

    step: FloatArray
    sigma: FloatArray
    apart: FloatArray
    explained: BoolArray


def check_prices(
    series: BarSeries, actions: Sequence[CorporateAction], settings: DataSettings
) -> list[Finding]:
    """Return the findings about moves of a series with a close on every row.

    A history is reviewed with hindsight: what held afterwards tells a jump from a spike. A split
    declared within three rows explains a move.
    """
    moves = _moves(series, actions)
    with np.errstate(all="ignore"):
        found = [
            _impossible(series, moves, settings),
            _spikes(series, moves, settings),
            _split_shaped(series, moves, settings),
            _outliers(series, moves, settings),
            _ranges(series, settings),
            *_adjustments(series, moves, actions),
        ]
    return [finding for finding in found if finding is not None]


def _moves(series: BarSeries, actions: Sequence[CorporateAction]) -> _Moves:
    step = series.log_steps(series["close"])
    sigma = robust_scale(step, series.code, len(series.symbols), LEAST_SIGMA)[series.code]
    days, session = np.unique(series.day, return_inverse=True)
    session = session.astype(np.int64)
    centre = group_median(step, session, len(days))[session]
    spread = robust_scale(step, session, len(days), LEAST_SIGMA)[session]
    apart = np.abs(step - centre) / spread
    # A few series are no cross-section: there a move is judged by its own history alone.
    apart[np.bincount(session, minlength=len(days))[session] < LEAST_CROSS_SECTION] = np.inf
    explained = np.zeros(len(series), dtype=bool)
    splits = locate(series, actions, CorporateActionType.SPLIT)
    for shift in range(-3, 4):
        explained[np.clip(splits.row + shift, 0, len(series) - 1)] = True
    return _Moves(step, sigma, apart, explained)


def _impossible(series: BarSeries, moves: _Moves, settings: DataSettings) -> Finding | None:
    limit = np.log1p(settings.quality.impossible_return)
    rows = np.flatnonzero((np.abs(moves.step) > limit) & ~moves.explained)
    return _told(
        series,
        rows,
        moves.step,
        FindingKind.IMPOSSIBLE_RETURN,
        Severity.WARNING,
        "{count} daily moves of {symbols} symbols exceed "
        f"{settings.quality.impossible_return:+.0%} or its inverse and no split explains them: "
        "look each up, they are splits not declared, units, or real",
    )


def _spikes(series: BarSeries, moves: _Moves, settings: DataSettings) -> Finding | None:
    step = moves.step
    after = np.r_[step[1:], np.nan] if len(step) else step
    after[np.flatnonzero(series.first_rows) - 1] = np.nan
    least = np.maximum(np.log(1.5), settings.quality.outlier_sigmas * moves.sigma)
    reverts = (np.abs(step) > least) & (np.abs(step + after) < 0.25 * np.abs(step))
    return _told(
        series,
        np.flatnonzero(reverts),
        step,
        FindingKind.REVERTING_SPIKE,
        Severity.ERROR if (np.abs(step[reverts]) > IMPOSSIBLE_SPIKE).any() else Severity.WARNING,
        "{count} closes of {symbols} symbols leave their level for one session and come back: "
        "a bad print unless the news of the day says otherwise",
    )


def _split_shaped(series: BarSeries, moves: _Moves, settings: DataSettings) -> Finding | None:
    step, close = moves.step, series["close"]
    tolerance = settings.quality.jump_tolerance
    gap = np.log(series["open"] / series.lagged(close))
    # The open shows the ratio best: the close has moved for a day since.
    distance = np.fmin(_from_a_ratio(step), _from_a_ratio(gap))
    later = np.minimum(np.arange(len(close)) + HOLD_SESSIONS, series.starts[1:][series.code] - 1)
    held = np.abs(np.log(close[later] / close)) < np.abs(step) / 2
    usual = np.fmax(2 * tolerance, USUAL_SIGMAS * moves.sigma)
    shaped = (distance < tolerance) & (np.abs(gap - step) < usual) & held
    shaped &= (np.abs(step) > settings.quality.outlier_sigmas * moves.sigma) & ~moves.explained
    return _told(
        series,
        np.flatnonzero(shaped),
        step,
        FindingKind.SPLIT_SHAPED_JUMP,
        Severity.WARNING,
        "{count} closes of {symbols} symbols open at the ratio of a split and stay there, with no "
        "split declared: compare with a list of splits before trusting the returns",
    )


def _from_a_ratio(step: FloatArray) -> FloatArray:
    """Return how far (in logs) each step is from the nearest ratio of a split, up or down."""
    ratios = np.log(np.array(SPLIT_RATIOS))
    spot = np.clip(np.searchsorted(ratios, np.abs(step)), 1, len(ratios) - 1)
    sides = np.abs(np.abs(step) - ratios[spot]), np.abs(np.abs(step) - ratios[spot - 1])
    return np.asarray(np.minimum(*sides))


def _outliers(series: BarSeries, moves: _Moves, settings: DataSettings) -> Finding | None:
    limit = settings.quality.outlier_sigmas
    size = np.abs(np.expm1(moves.step)) > settings.outlier_return
    rows = np.flatnonzero(size & (np.abs(moves.step) > limit * moves.sigma) & (moves.apart > limit))
    return _told(
        series,
        rows,
        moves.step,
        FindingKind.OUTLIER,
        Severity.INFO,
        "{count} daily moves of {symbols} symbols exceed "
        f"{settings.outlier_return:.0%} and {limit:g} robust sigmas of their own history and, "
        f"where at least {LEAST_CROSS_SECTION} trade, of the other symbols that day",
    )


def _ranges(series: BarSeries, settings: DataSettings) -> Finding | None:
    """Find a high or low of another unit than the rest of its bar."""
    top = np.fmax(series["open"], series["close"])
    bottom = np.fmin(series["open"], series["close"])
    reach = np.fmax(np.log(series["high"] / top), np.log(bottom / series["low"]))
    rows = np.flatnonzero(np.abs(reach - HUNDRED) < settings.quality.hundredfold_tolerance)
    return finding_of_rows(
        FindingKind.HUNDREDFOLD_PRICE,
        Severity.ERROR,
        series,
        rows,
        "{count} bars of {symbols} symbols have a high or low about a hundred times off their own "
        "open and close: one price of the bar has another unit",
        size=np.exp(reach[rows]),
        what="{:.0f}x",
    )


def _adjustments(
    series: BarSeries, moves: _Moves, actions: Sequence[CorporateAction]
) -> list[Finding | None]:
    """Judge the dividends that adjusted closes imply: a payment lowers the price, always."""
    kept = series.log_steps(series["adjusted_close"] / series["close"])
    negative = np.flatnonzero(kept < -ADJUSTMENT_NOISE)
    implied = -np.expm1(-kept)
    declared = np.zeros(len(series), dtype=bool)
    declared[locate(series, actions, CorporateActionType.DIVIDEND).row] = True
    surprise = np.abs(moves.step + kept) / moves.sigma
    silent = (implied > LARGE_IMPLIED) & (surprise > WITHOUT_FALL_SIGMAS) & ~declared
    silent &= np.abs(moves.step) < np.abs(moves.step + kept)
    return [
        finding_of_rows(
            FindingKind.NEGATIVE_IMPLIED_DIVIDEND,
            Severity.ERROR,
            series,
            negative,
            "{count} adjusted closes of {symbols} symbols imply a negative dividend: adjusted "
            "close over close may only rise; adjust again from the declared dividends",
            size=implied[negative],
        ),
        finding_of_rows(
            FindingKind.DIVIDEND_WITHOUT_FALL,
            Severity.WARNING,
            series,
            np.flatnonzero(silent),
            "{count} adjusted closes of {symbols} symbols imply a dividend of more than "
            f"{LARGE_IMPLIED:.0%} of the price that the price does not show: compare with the "
            "declared amount",
            size=implied[silent],
        ),
    ]


def _told(
    series: BarSeries,
    rows: npt.NDArray[np.intp],
    step: FloatArray,
    kind: FindingKind,
    severity: Severity,
    sentence: str,
) -> Finding | None:
    return finding_of_rows(kind, severity, series, rows, sentence, size=np.expm1(step[rows]))
