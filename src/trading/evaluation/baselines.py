"""What a challenger must beat: equal weight, the index, the best single factor, momentum.

All are simulated on the same panel, months and costs as the challenger. The factor and its sign are
chosen for each fold from the training decisions of that fold alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.config import Settings
from trading.errors import DataError
from trading.evaluation.information import feature_information
from trading.evaluation.out_of_fold import OutOfSample, Scorer, score_folds
from trading.evaluation.track import Track, follow_decisions, track_of
from trading.evaluation.walk_forward import Fold, outcome_ends
from trading.features.dataset import Dataset
from trading.features.specification import FEATURES
from trading.market.panel import Panel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOMENTUM = "momentum_252_21"
EQUAL_WEIGHT = "equal_weight"
INDEX = "index"
BEST_FACTOR = "best_factor"
MOMENTUM_FACTOR = "momentum"
FACTOR_BASELINES = (BEST_FACTOR, MOMENTUM_FACTOR)
MIN_DEFINED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The index: its name and its simple daily returns `(T,)` on the sessions of the dataset."""

    name: str
    returns: FloatArray


def align_benchmark(name: str, panel: Panel, dataset: Dataset) -> Benchmark:
    """Return a benchmark's returns on the dataset's sessions, NaN where it has no bar.

    `panel` holds its bars in the first column.
    """
    known = panel.sessions.astype("datetime64[D]")
    days = dataset.sessions.astype("datetime64[D]")
    at = np.clip(np.searchsorted(known, days), 0, max(len(known) - 1, 0))
    held = known[at] == days if len(known) else np.zeros(len(days), dtype=bool)
    close = np.full(len(days), np.nan)
    close[held] = panel.adjusted_close[at[held], 0]
    returns = np.full(len(days), np.nan)
    returns[1:] = close[1:] / close[:-1] - 1.0
    return Benchmark(name, returns)


@dataclass(frozen=True, slots=True)
class Factor:
    """A feature and the sign by which it ranks names.

    Attributes
    ----------
    name, index : the feature, and its place among the features
    sign : 1 or -1
    mean_information : mean information coefficient of `sign * feature` over `decisions` decisions
    """

    name: str
    index: int
    sign: int
    mean_information: float
    decisions: int


def baseline_tracks(
    dataset: Dataset,
    folds: Sequence[Fold],
    settings: Settings,
    benchmark: Benchmark | None = None,
) -> dict[str, Track]:
    """Return every baseline's track over the test months of the folds, by name."""
    indices = np.concatenate([fold.test for fold in folds])
    tracks = [
        equal_weight(dataset, indices, settings),
        index(dataset, indices, settings, benchmark),
        best_factor(dataset, folds, settings).track,
    ]
    names = [feature.name for feature in FEATURES]
    if MOMENTUM in names:
        tracks.append(momentum(dataset, folds, settings).track)
    return {track.name: track for track in tracks}


def equal_weight(dataset: Dataset, indices: IntArray, settings: Settings) -> Track:
    """Return the track of all eligible names in equal parts, rebalanced monthly, net of costs."""

    def choose(at: int, _held: FloatArray, _nav: float) -> FloatArray:
        return _proportional(dataset.eligible[at].astype(np.float64))

    simulation = follow_decisions(dataset, indices, choose, settings)
    label = "Equal weight of all eligible names, monthly, net of costs"
    return track_of(dataset, indices, simulation, name=EQUAL_WEIGHT, label=label)


def index(
    dataset: Dataset, indices: IntArray, settings: Settings, benchmark: Benchmark | None = None
) -> Track:
    """Return the index's track: the benchmark, else a labelled proxy from the same panel.

    The proxy weighs eligible names by dollar volume, monthly, net of costs. It also stands in for a
    benchmark that lacks a return in the months judged, and its label says so.
    """

    def choose(at: int, _held: FloatArray, _nav: float) -> FloatArray:
        volume = np.where(dataset.eligible[at], dataset.dollar_volume[at], 0.0)
        return _proportional(np.nan_to_num(volume, nan=0.0).astype(np.float64))

    simulation = follow_decisions(dataset, indices, choose, settings)
    label = "Index proxy: eligible names by dollar volume, monthly, net of costs"
    proxy = track_of(dataset, indices, simulation, name=INDEX, label=label)
    if benchmark is None:
        return proxy
    if benchmark.returns.shape != dataset.sessions.shape:
        raise DataError(
            f"the benchmark {benchmark.name} has returns of shape {benchmark.returns.shape}, "
            f"the dataset {len(dataset.sessions)} sessions; align them first"
        )
    returns = np.asarray(benchmark.returns[simulation.session_rows], dtype=np.float64)
    missing = int((~np.isfinite(returns)).sum())
    if missing:
        return proxy.named(INDEX, f"{label} ({benchmark.name} lacks {missing} sessions)")
    nothing = np.zeros(len(indices))
    return Track(
        name=INDEX,
        label=f"{benchmark.name}, without costs",
        months=proxy.months,
        sessions=proxy.sessions,
        net_returns=returns,
        offsets=proxy.offsets,
        turnover=nothing,
        costs=nothing.copy(),
        names=np.zeros(len(indices), dtype=np.int64),
        information=np.full(len(indices), np.nan),
        exposure=np.ones(len(indices)),
    )


def best_factor(dataset: Dataset, folds: Sequence[Fold], settings: Settings) -> OutOfSample:
    """Return the record of the best single factor of each fold's training decisions.

    It goes through the same selection, limits and costs as the challenger.
    """
    table = feature_information(dataset)
    factors = [choose_factor(table, fold.train) for fold in folds]
    used = dict.fromkeys(f"{'-' if factor.sign < 0 else '+'}{factor.name}" for factor in factors)
    label = f"Best single factor by training data of each fold: {', '.join(used)}"
    scorers = [factor_scorer(dataset, factor.index, factor.sign) for factor in factors]
    return score_folds(dataset, folds, scorers, settings, name=BEST_FACTOR, label=label)


def momentum(dataset: Dataset, folds: Sequence[Fold], settings: Settings) -> OutOfSample:
    """Return the record of 12-1 momentum under the challenger's rules and costs."""
    place = [feature.name for feature in FEATURES].index(MOMENTUM)
    scorers = [factor_scorer(dataset, place, 1)] * len(folds)
    label = "Momentum of 12 months without the last"
    return score_folds(dataset, folds, scorers, settings, name=MOMENTUM_FACTOR, label=label)


def choose_factor(table: FloatArray, decisions: IntArray) -> Factor:
    """Return the feature with the largest mean information coefficient, of either sign.

    Parameters
    ----------
    table : (D, F) information coefficients, see `feature_information`
    decisions : the training decisions; nothing else of the table is read

    A feature counts if it varies at half of the decisions at least; of equals the first is taken.
    Raises `DataError` when no feature counts.
    """
    seen = table[decisions]
    defined = np.isfinite(seen).sum(axis=0)
    enough = defined >= max(1.0, MIN_DEFINED_SHARE * len(seen))
    if not enough.any():
        raise DataError("no feature varies over the training decisions; no factor can be chosen")
    mean = np.nansum(seen, axis=0) / np.maximum(defined, 1)
    best = int(np.argmax(np.where(enough, np.abs(mean), -1.0)))
    sign = 1 if mean[best] >= 0.0 else -1
    return Factor(FEATURES[best].name, best, sign, sign * float(mean[best]), int(defined[best]))


def factor_scorer(dataset: Dataset, place: int, sign: int) -> Scorer:
    """Return the scorer that ranks by one feature."""

    def score(at: int, _held: FloatArray) -> tuple[FloatArray, None]:
        return sign * dataset.features[at, :, place].astype(np.float64), None

    return score


def latest_factor(dataset: Dataset) -> Factor:
    """Return the best factor by all decisions with an outcome: the first champion, if need be."""
    known = np.flatnonzero(outcome_ends(dataset) >= 0)
    return choose_factor(feature_information(dataset), known)


def _proportional(parts: FloatArray) -> FloatArray:
    total = float(parts.sum())
    return parts / total if total > 0.0 else parts
