"""Tuning: Optuna looks for hyper-parameters on months that the gate will not judge.

A trial trains one policy on the early part of the first fold's training data and earns its value on
the last third of that part's months, through production's own selection, limits and costs. The test
months of the folds stay unseen. Every trial is written down (`trials`), since the best of many
looks better than it is.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

from trading.agents.algorithms import Hyperparameters, parameters_of
from trading.agents.ensemble import Ensemble
from trading.agents.training import train_policy
from trading.agents.trials import TrialCount, TrialRecord, count_trials, keep_trials
from trading.backtest.metrics import sharpe
from trading.config import Algorithm, Settings
from trading.errors import DataError, ModelError
from trading.evaluation.baselines import equal_weight
from trading.evaluation.out_of_fold import ensemble_scorer, replay
from trading.evaluation.walk_forward import make_folds, outcome_ends
from trading.features.dataset import Dataset

IntArray = npt.NDArray[np.int64]
TuningProgress = Callable[[int, int, float], None]
"""Called after each trial with how many are done, how many there will be, and the best value."""

JOURNAL = "studies.log"
JUDGED_SHARE = 1.0 / 3.0
MIN_JUDGED_MONTHS = 6
LEAST_GATES, MOST_GATES = 4, 32
TUNED = ("gamma", "gates", "learning_rate", "pull", "ent_coef")
SPREAD = 4.0
"""Learning rate and pull are looked for up to so many times above and below the default."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a study found.

    Attributes
    ----------
    algorithm : what was tuned
    overrides : the best trial's hyper-parameters that differ from the default
    parameters : the best trial's hyper-parameters, whole
    settings : the settings with `training.hyperparameters` set to the best
    value : annualised Sharpe ratio of the best trial's net returns over equal weight
    trials : every trial in the folder, of this study and of others
    """

    algorithm: Algorithm
    overrides: dict[str, float]
    parameters: Hyperparameters
    settings: Settings
    value: float
    trials: TrialCount


def tune(
    dataset: Dataset,
    algorithm: Algorithm,
    settings: Settings,
    *,
    trials: int,
    folder: Path,
    seed: int = 0,
    progress: TuningProgress | None = None,
) -> Tuning:
    """Try hyper-parameters until the study in `folder` has `trials` trials.

    The first trial is the default. A study goes on where it was interrupted; the same arguments in
    an empty folder find the same.

    Parameters
    ----------
    dataset, settings : as for the training; `training.slot_steps` is a trial's budget
    algorithm : what is tuned
    trials : how many there shall be in this study, at least 1
    folder : of the journal and of `trials.json`; made where missing
    seed : of the search and of the trainings
    progress : told after each trial

    Raises
    ------
    DataError
        The history is too short, or `trials` is less than 1.
    ModelError
        Every trial failed.
    """
    if trials < 1:
        raise DataError(f"a study needs at least 1 trial, got {trials}")
    learn, judged = tuning_months(dataset, settings)
    folder.mkdir(parents=True, exist_ok=True)
    name = _study_name(dataset, algorithm, settings, seed)
    study = _open(folder, name, seed)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(_defaults(algorithm, settings))

    def objective(trial: optuna.Trial) -> float:
        chosen = with_overrides(settings, algorithm, _suggest(trial, algorithm, settings))
        policy = train_policy(dataset, algorithm, seed, chosen, learn).policy
        return _value(dataset, Ensemble((policy,)), judged, chosen)

    while (done := len(_finished(study))) < trials:
        study.optimize(objective, n_trials=1, catch=(ModelError,))
        _record(folder, study, name, algorithm, settings, len(judged))
        if progress is not None:
            progress(done + 1, trials, _best(study))
    if not np.isfinite(_best(study)):
        raise ModelError(
            f"none of the {trials} trials of {algorithm} could be trained; lower its learning rate"
        )
    overrides = _overrides(study.best_trial, algorithm, settings)
    best = with_overrides(settings, algorithm, overrides)
    parameters = parameters_of(algorithm, best.training)
    return Tuning(algorithm, overrides, parameters, best, study.best_value, count_trials(folder))


def tuning_months(dataset: Dataset, settings: Settings) -> tuple[IntArray, IntArray]:
    """Return the decisions that a trial learns from and those that it is judged by.

    Both lie before the first test month of the walk-forward folds, an embargo between them.
    Raises `DataError` when the history is too short.
    """
    folds = make_folds(dataset, settings.training, min_months=settings.gate.min_months)
    known = folds[0].train
    monthly = known[dataset.phases[known] == 0]
    judged = monthly[len(monthly) - round(len(monthly) * JUDGED_SHARE) :]
    if len(judged) < MIN_JUDGED_MONTHS:
        raise DataError(
            f"tuning judges by a third of the {len(monthly)} months before the first test month; "
            f"it needs {MIN_JUDGED_MONTHS} of them: add history or lower training.folds"
        )
    start = int(dataset.decisions[judged[0]])
    ends = outcome_ends(dataset)[known]
    return known[ends + settings.training.embargo_sessions <= start], judged


def with_overrides(
    settings: Settings, algorithm: Algorithm, overrides: dict[str, float]
) -> Settings:
    """Return the settings with an algorithm's hyper-parameters changed."""
    own = settings.training.hyperparameters.get(algorithm, {}) | overrides
    changed = settings.training.hyperparameters | {algorithm: own}
    training = settings.training.model_copy(update={"hyperparameters": changed})
    return settings.model_copy(update={"training": training})


def _defaults(algorithm: Algorithm, settings: Settings) -> dict[str, float]:
    default = asdict(parameters_of(algorithm, settings.training))
    return {name: default[name] for name in TUNED}


def _suggest(trial: optuna.Trial, algorithm: Algorithm, settings: Settings) -> dict[str, float]:
    """Ask for the hyper-parameters that matter most; the others stay as they are."""
    default = parameters_of(algorithm, settings.training)
    suggested: dict[str, float] = {
        "gamma": trial.suggest_float("gamma", 0.0, 0.6),
        "gates": trial.suggest_int("gates", LEAST_GATES, MOST_GATES, log=True),
    }
    for name in ("learning_rate", "pull"):
        centre = getattr(default, name) or 1.0
        suggested[name] = trial.suggest_float(name, centre / SPREAD, centre * SPREAD, log=True)
    most = 0.1 if algorithm == "sac" else 0.01
    return suggested | {"ent_coef": trial.suggest_float("ent_coef", 0.0, most)}


def _overrides(
    trial: optuna.trial.FrozenTrial, algorithm: Algorithm, settings: Settings
) -> dict[str, float]:
    default = asdict(parameters_of(algorithm, settings.training))
    return {k: float(v) for k, v in sorted(trial.params.items()) if v != default[k]}


def _value(dataset: Dataset, ensemble: Ensemble, judged: IntArray, settings: Settings) -> float:
    """Return the annualised Sharpe ratio of the net returns over equal weight."""
    scorer = ensemble_scorer(dataset, ensemble)
    track = replay(dataset, judged, scorer, settings, name="trial", label="Trial").track
    even = equal_weight(dataset, judged, settings)
    ratio = float(sharpe(track.net_returns - even.net_returns))
    return ratio if np.isfinite(ratio) else 0.0


def _open(folder: Path, name: str, seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    # A resumed search must not draw again what it drew first.
    drawn = len(_finished(study))
    study.sampler = optuna.samplers.TPESampler(seed=seed + 7919 * drawn)
    return study


def _study_name(dataset: Dataset, algorithm: Algorithm, settings: Settings, seed: int) -> str:
    parts = settings.model_dump(
        mode="json", include={"training", "reward", "costs", "portfolio", "gate"}
    )
    body = json.dumps([dataset.content_hash, parts, seed], sort_keys=True).encode()
    return f"{algorithm}-{hashlib.sha256(body).hexdigest()[:16]}"


def _record(
    folder: Path,
    study: optuna.Study,
    name: str,
    algorithm: Algorithm,
    settings: Settings,
    months: int,
) -> None:
    records = tuple(
        TrialRecord(
            study=name,
            number=trial.number,
            algorithm=algorithm,
            parameters=_overrides(trial, algorithm, settings),
            sharpe=trial.value,
            months=months,
        )
        for trial in _finished(study)
    )
    keep_trials(folder, count_trials(folder).with_study(name, records))


def _best(study: optuna.Study) -> float:
    values = [trial.value for trial in _finished(study) if trial.value is not None]
    return max(values, default=float("nan"))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
