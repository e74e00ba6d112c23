"""The whole judgement of a month's challenger: folds, tracks, champion, verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trading.backtest.deflation import Trials
from trading.config import Settings
from trading.evaluation.baselines import Benchmark, baseline_tracks
from trading.evaluation.evidence import gather_evidence
from trading.evaluation.gate import Verdict, judge
from trading.evaluation.out_of_fold import OutOfSample, Scorer, replay_scores, score_folds
from trading.evaluation.score_history import ScoreHistory
from trading.evaluation.track import Track
from trading.evaluation.walk_forward import Fold
from trading.features.dataset import Dataset


@dataclass(frozen=True)
class Validation:
    """A verdict and what it rests on.

    `champion` is None where there is no champion or no month in common with it.
    """

    challenger: OutOfSample
    baselines: dict[str, Track]
    champion: OutOfSample | None
    verdict: Verdict


def validate(
    dataset: Dataset,
    folds: Sequence[Fold],
    scorers: Sequence[Scorer],
    settings: Settings,
    *,
    champion: ScoreHistory | None = None,
    benchmark: Benchmark | None = None,
    members: Mapping[str, Sequence[Scorer]] | None = None,
    trials: Trials | None = None,
) -> Validation:
    """Judge a challenger by its folds' scorers against the baselines and the champion.

    The champion is replayed by its stored scores over the months it shares with the challenger, and
    for that comparison the challenger is replayed over the same months; both start from cash.

    Parameters
    ----------
    scorers : one a fold, see `out_of_fold.ensemble_scorer`
    champion : the champion's out-of-sample scores; None where there is no champion
    benchmark : the index; without it, a labelled proxy from the panel
    members : the challenger's members by name, a scorer a fold each: candidates of the estimate of
        overfitting, beside every feature as a factor
    trials : recipes tried on these months; default this one alone

    Raises
    ------
    DataError
        The dataset and the folds, scores or benchmark do not fit together.
    """
    challenger = score_folds(dataset, folds, scorers, settings)
    baselines = baseline_tracks(dataset, folds, settings, benchmark)
    rival = None
    paired = None
    if champion is not None:
        rival = replay_scores(dataset, champion, settings, months=challenger.track.months)
    if rival is not None:
        months = rival.track.months
        again = replay_scores(dataset, challenger.history, settings, months=months)
        paired = again.track if again is not None else None
    track = rival.track if rival is not None else None
    evidence = gather_evidence(
        dataset, folds, challenger, baselines, members=members, trials=trials
    )
    verdict = judge(
        challenger.track, baselines, track, settings.gate, paired=paired, evidence=evidence
    )
    return Validation(challenger, baselines, rival, verdict)
