"""What speaks for a challenger: skill, net alpha, deflated Sharpe ratio, overfitting."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from trading.backtest.deflation import Trials, deflated_sharpe
from trading.evaluation.baselines import EQUAL_WEIGHT, FACTOR_BASELINES
from trading.evaluation.inference import family_p_value
from trading.evaluation.information import feature_information
from trading.evaluation.out_of_fold import OutOfSample, Scorer, scores_on
from trading.evaluation.overfitting import probability_of_overfitting
from trading.evaluation.skill import (
    MonthlyOutcome,
    annual,
    monthly_outcomes,
    net_alpha,
    neutral_information,
    neutral_skill,
)
from trading.evaluation.track import Track
from trading.evaluation.walk_forward import Fold
from trading.features.dataset import Dataset
from trading.features.specification import FEATURES

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Record(BaseModel):
    """A frozen part of a verdict; a number is finite, or None for "no data"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Evidence(Record):
    """What speaks for a challenger's skill, beyond its returns.

    Attributes
    ----------
    neutral_information, neutral_information_error : mean monthly information coefficient without
        what constant exposure to beta, size and illiquidity earned, and its standard error
    skill_p_value : one-sided, of "there is no such information"; `skill_p_value_family` counts the
        trials (Sidak)
    net_alpha, net_alpha_error : annual return, net of costs, beyond such exposures
    net_alpha_p_value : one-sided
    alpha_over : the same of the difference to a factor's return, by name of the baseline: a factor
        that is merely paid for illiquidity need not be beaten
    trials : recipes tried on these months, the challenger included
    active_sharpe : annualised, of daily net returns over equal weight
    best_of_trials : annualised, what the best of so many trials without skill would show
    deflated_sharpe : probability that the active Sharpe ratio exceeds `best_of_trials`
    overfitting : probability of backtest overfitting among `candidates`: the challenger, its
        members, and every feature as a factor
    candidates : how many
    """

    neutral_information: float | None = None
    neutral_information_error: float | None = None
    skill_p_value: float | None = None
    skill_p_value_family: float | None = None
    net_alpha: float | None = None
    net_alpha_error: float | None = None
    net_alpha_p_value: float | None = None
    alpha_over: dict[str, float | None] = {}
    trials: int = 1
    active_sharpe: float | None = None
    best_of_trials: float | None = None
    deflated_sharpe: float | None = None
    overfitting: float | None = None
    candidates: int = 0


def gather_evidence(
    dataset: Dataset,
    folds: Sequence[Fold],
    challenger: OutOfSample,
    baselines: Mapping[str, Track],
    *,
    members: Mapping[str, Sequence[Scorer]] | None = None,
    trials: Trials | None = None,
) -> Evidence:
    """Return the evidence on a challenger's out-of-fold record.

    Parameters
    ----------
    challenger : its record over the test months of `folds`
    baselines : by name, over the same months; `equal_weight` among them
    members : by name, a scorer a fold, of the challenger's members
    trials : how many recipes were tried; default this one alone
    """
    tried = trials or Trials()
    indices = np.concatenate([fold.test for fold in folds])
    outcomes = monthly_outcomes(dataset, indices)
    scores = scores_on(dataset, challenger)
    skill = neutral_skill(scores, outcomes)
    alpha = net_alpha(challenger.track, dataset, indices, outcomes)
    active = challenger.track.net_returns - baselines[EQUAL_WEIGHT].net_returns
    deflated = deflated_sharpe(active, tried)
    rivals = candidate_information(dataset, folds, outcomes, members or {})
    own = neutral_information(scores, outcomes)
    chosen = probability_of_overfitting(np.column_stack([own, *rivals.values()]))
    return Evidence(
        neutral_information=skill.mean if skill else None,
        neutral_information_error=skill.error if skill else None,
        skill_p_value=skill.p_value if skill else None,
        skill_p_value_family=family_p_value(skill.p_value, tried.count) if skill else None,
        net_alpha=annual(alpha),
        net_alpha_error=annual(alpha, error=True),
        net_alpha_p_value=alpha.p_value if alpha else None,
        alpha_over={
            name: _alpha_over(challenger.track, track, dataset, indices, outcomes)
            for name, track in baselines.items()
            if name in FACTOR_BASELINES
        },
        trials=tried.count,
        active_sharpe=deflated.sharpe if deflated else None,
        best_of_trials=deflated.threshold if deflated else None,
        deflated_sharpe=deflated.probability if deflated else None,
        overfitting=chosen.probability if chosen else None,
        candidates=chosen.candidates if chosen else 0,
    )


def candidate_information(
    dataset: Dataset,
    folds: Sequence[Fold],
    outcomes: Sequence[MonthlyOutcome | None],
    members: Mapping[str, Sequence[Scorer]],
) -> dict[str, FloatArray]:
    """Return the monthly neutral information `(M,)` of each candidate a choice could fall on.

    The members, and every ranked feature with the sign that its fold's training data give it.
    """
    found = {
        name: neutral_information(_member_scores(dataset, folds, scorers), outcomes)
        for name, scorers in members.items()
    }
    table = feature_information(dataset)
    for place, feature in enumerate(FEATURES):
        if feature.scaling == "rank":
            signed = [_signed_feature(dataset, fold, table, place) for fold in folds]
            found[feature.name] = neutral_information(np.concatenate(signed), outcomes)
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _alpha_over(
    track: Track,
    other: Track,
    dataset: Dataset,
    indices: IntArray,
    outcomes: Sequence[MonthlyOutcome | None],
) -> float | None:
    difference = track.net_returns - other.net_returns
    if not difference.any():
        return 0.0
    return annual(net_alpha(replace(track, net_returns=difference), dataset, indices, outcomes))


def _member_scores(
    dataset: Dataset, folds: Sequence[Fold], scorers: Sequence[Scorer]
) -> FloatArray:
    nothing = np.zeros(len(dataset.symbols))
    return np.stack(
        [
            scorer(int(index), nothing)[0]
            for fold, scorer in zip(folds, scorers, strict=True)
            for index in fold.test
        ]
    )


def _signed_feature(dataset: Dataset, fold: Fold, table: FloatArray, place: int) -> FloatArray:
    known = table[fold.train, place]
    mean = float(np.nansum(known))
    sign = -1.0 if mean < 0.0 else 1.0
    return sign * dataset.features[fold.test, :, place].astype(np.float64)
