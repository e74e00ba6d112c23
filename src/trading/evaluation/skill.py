"""Skill: whether scores foresee returns beyond beta, size and illiquidity, and whether it pays.

`neutral_skill` judges scores over the whole cross-section, where a given foresight shows soonest;
`net_alpha` judges the traded portfolio's net returns. Both leave out what a portfolio of constant
exposure to beta, size and illiquidity would have been paid, which is no skill.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import MONTHS_PER_YEAR
from trading.backtest.simulator import FILL_DELAY
from trading.errors import DataError
from trading.evaluation.characteristics import (
    COLUMNS,
    MARKET_COLUMNS,
    Characteristics,
    characteristics,
    normal_scores,
)
from trading.evaluation.inference import MeanTest, mean_test
from trading.evaluation.information import realised_returns
from trading.evaluation.track import Track
from trading.evaluation.walk_forward import outcome_ends
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_NAMES = 20
CLIP = 5.0


@dataclass(frozen=True)
class MonthlyOutcome:
    """What followed one decision.

    Attributes
    ----------
    known : characteristics of the names with an outcome
    outcome : (n,) returns less beta times the market's, in the names' own deviations, clipped
    premia : (k,) what each characteristic earned in these units
    market : simple return of the mean name
    """

    known: Characteristics
    outcome: FloatArray
    premia: FloatArray
    market: float


def monthly_outcomes(dataset: Dataset, indices: npt.ArrayLike) -> tuple[MonthlyOutcome | None, ...]:
    """Return what followed each decision `(M,)`; None where too few names have an outcome.

    Raises `DataError` when a decision has no outcome yet.
    """
    ends = outcome_ends(dataset)
    decisions = np.asarray(indices, dtype=np.int64)
    if (ends[decisions] < 0).any():
        raise DataError("only decisions whose outcome is known can be judged")
    return tuple(_outcome(dataset, int(index), int(ends[index])) for index in decisions)


def neutral_information(
    scores: npt.ArrayLike, outcomes: Sequence[MonthlyOutcome | None]
) -> FloatArray:
    """Return each month's information coefficient `(M,)` without what exposures earned.

    The score, as a normal score, weighs each name; its payoff is the correlation with the outcome.
    From it are taken the market's and the beta's part, month by month, and of size and illiquidity
    what the *mean* exposure over all months earned. So a constant tilt is worth nothing, while
    foresight of which side pays this month is kept.

    Parameters
    ----------
    scores : (M, S), NaN where a name is not scored
    outcomes : of the same M decisions

    Returns
    -------
    (M,) float64; NaN where fewer than `MIN_NAMES` names have both, or the scores do not vary.

    Raises
    ------
    DataError
        The scores are not of as many months.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(outcomes):
        raise DataError(f"scores (M, S) of {len(outcomes)} months expected, got {table.shape}")
    weights = [_weights(row, found) for row, found in zip(table, outcomes, strict=True)]
    pairs = [
        (month, held, found)
        for month, (held, found) in enumerate(zip(weights, outcomes, strict=True))
        if held is not None and found is not None
    ]
    payoffs = np.full(len(outcomes), np.nan)
    if not pairs:
        return payoffs
    exposures = np.stack([held @ found.known.scaled for _, held, found in pairs])
    hedges = np.broadcast_to(exposures.mean(axis=0), exposures.shape).copy()
    hedges[:, :MARKET_COLUMNS] = exposures[:, :MARKET_COLUMNS]
    for (month, held, found), hedge in zip(pairs, hedges, strict=True):
        payoffs[month] = held @ found.outcome - hedge @ found.premia
    return payoffs


def neutral_skill(
    scores: npt.ArrayLike, outcomes: Sequence[MonthlyOutcome | None]
) -> MeanTest | None:
    """Return the test of "the scores foresee nothing beyond beta, size and illiquidity".

    Of `neutral_information` by month, what moves with the market's return is taken out as well:
    betas are estimates, and what they miss must not pass for skill. None with too few months.
    """
    market = np.array([np.nan if found is None else found.market for found in outcomes])
    return mean_test(neutral_information(scores, outcomes), market)


def net_alpha(
    track: Track,
    dataset: Dataset,
    indices: npt.ArrayLike,
    outcomes: Sequence[MonthlyOutcome | None],
) -> MeanTest | None:
    """Return the test of "the portfolio earns nothing, net, beyond its constant exposures".

    Daily net returns are regressed on the daily returns of the mimicking portfolios of the market,
    beta, size and illiquidity (M. Jensen, "The Performance of Mutual Funds in the Period
    1945-1964", 1968, with more than one factor); what is left is summed by month and its mean
    tested. The mean is a month's; times 12 it is annual.

    Parameters
    ----------
    track : of the decisions `indices (M,)`, in this order
    outcomes : of the same decisions

    Returns
    -------
    None with too few months or where returns do not vary.
    """
    decisions = np.asarray(indices, dtype=np.int64)
    if len(decisions) != len(track.months):
        raise DataError(f"the track has {len(track.months)} months, {len(decisions)} were given")
    factors = np.concatenate(
        [
            _daily_premia(dataset, int(index), int(end), found)
            for index, end, found in zip(
                decisions, outcome_ends(dataset)[decisions], outcomes, strict=True
            )
        ]
    )
    known = np.isfinite(factors).all(axis=1)
    if known.sum() <= 2 * factors.shape[1]:
        return None
    design = np.column_stack([np.ones(len(factors)), np.nan_to_num(factors)])
    slopes = np.linalg.lstsq(design[known], track.net_returns[known], rcond=1e-8)[0]
    left = np.where(known, track.net_returns - design[:, 1:] @ slopes[1:], np.nan)
    months = [left[track.offsets[m] : track.offsets[m + 1]].sum() for m in range(len(decisions))]
    return mean_test(np.array(months))


def annual(test: MeanTest | None, *, error: bool = False) -> float | None:
    """Return a monthly test's mean, or its standard error, as a rate a year; None without one."""
    if test is None:
        return None
    return (test.error if error else test.mean) * MONTHS_PER_YEAR


def _outcome(dataset: Dataset, index: int, end: int) -> MonthlyOutcome | None:
    every = characteristics(dataset, index)
    returned = realised_returns(dataset, index, end)[every.names]
    has = np.isfinite(returned)
    if has.sum() < MIN_NAMES:
        return None
    known, returned = every.among(has), returned[has]
    market = float(returned.mean())
    beta = known.table[:, 1] + 1.0
    sessions = end - int(dataset.decisions[index])
    scale = known.daily_volatility * np.sqrt(sessions)
    outcome = np.clip((returned - beta * market) / scale, -CLIP, CLIP)
    return MonthlyOutcome(known, outcome, known.premia(outcome), market)


def _weights(scores: FloatArray, found: MonthlyOutcome | None) -> FloatArray | None:
    """Return weights `(n,)` whose payoff is the correlation of score and outcome."""
    if found is None:
        return None
    given = scores[found.known.names]
    scored = np.isfinite(given)
    if scored.sum() < MIN_NAMES or not np.ptp(given[scored]) > 0.0:
        return None
    spread = np.sqrt(np.square(found.outcome[scored]).sum())
    if not spread > 0.0:
        return None
    weights = normal_scores(given)
    return np.asarray(weights / (np.sqrt(np.square(weights).sum()) * spread))


def _daily_premia(
    dataset: Dataset, index: int, end: int, found: MonthlyOutcome | None
) -> FloatArray:
    """Return what each characteristic earned in each session of an outcome `(h, k)`."""
    first = int(dataset.decisions[index]) + FILL_DELAY + 1
    if found is None:
        return np.full((end + 1 - first, COLUMNS), np.nan)
    rows = dataset.returns[first : end + 1, found.known.names].astype(np.float64)
    scaled = np.nan_to_num(rows, nan=0.0) / found.known.risk
    return np.asarray(found.known.premia(scaled.T).T)
