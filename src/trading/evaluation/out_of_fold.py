"""Out-of-fold scores and what they would have earned: the evidence on a challenger.

Each test month is scored by the model of its fold, which was trained on data that ends before it.
The scores then go the way of production: select, limits, fill, hold, with the book carried from
month to month. Scores are kept by symbol and month, so that a champion can be replayed later on
another panel, beside its challenger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.agents.ensemble import Ensemble
from trading.config import Settings
from trading.errors import DataError
from trading.evaluation.information import information_coefficient, realised_returns
from trading.evaluation.score_history import ScoreHistory, broken_scores, read_scores
from trading.evaluation.track import Track, follow_decisions, track_of
from trading.evaluation.walk_forward import Fold, outcome_ends
from trading.features.archive import write_archive
from trading.features.dataset import Dataset
from trading.risk.limits import enforce_limits
from trading.signals.portfolio import select

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Scorer = Callable[[int, FloatArray], tuple[FloatArray, FloatArray | None]]
"""Answers scores `(S,)` and confidence `(S,)` of decision `index`, given the held weights `(S,)`;
a score of NaN is not ranked, a confidence of None weighs equally."""


@dataclass(frozen=True)
class OutOfSample:
    """Scores that no model of theirs was trained on, and the track they made.

    The history may go on after the track, with months whose outcome is not known yet.
    """

    history: ScoreHistory
    track: Track

    def to_bytes(self) -> bytes:
        """Return scores and track as an npz file; equal ones give equal bytes."""
        plain = {name: getattr(self.track, name) for name in _TRACK_FIELDS}
        arrays = {name: getattr(self.track, name) for name in _TRACK_ARRAYS}
        if self.track.exposure is not None:
            arrays["exposure"] = self.track.exposure
        return write_archive(
            self.history.header() | {"track": plain}, self.history.arrays() | arrays
        )

    @classmethod
    def from_bytes(cls, body: bytes) -> "OutOfSample":
        """Read what `to_bytes` wrote; raises `ModelError` for anything else."""
        history = ScoreHistory.from_bytes(body)
        header, arrays = read_scores(body)
        try:
            own = header["track"] | {name: arrays[name] for name in _TRACK_ARRAYS}
            own["exposure"] = arrays.get("exposure")
            return cls(history, Track(**own | {"months": tuple(own["months"])}))
        except (KeyError, TypeError, DataError) as error:
            raise broken_scores(error) from error


_TRACK_FIELDS = ("name", "label", "months", "delisted", "fill")
_TRACK_ARRAYS = (
    "sessions",
    "net_returns",
    "offsets",
    "turnover",
    "costs",
    "names",
    "information",
)


def ensemble_scorer(dataset: Dataset, ensemble: Ensemble) -> Scorer:
    """Return the scorer that an ensemble is on a dataset."""

    def score(index: int, held: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = ensemble.score(
            dataset.features[index],
            held.astype(np.float32),
            dataset.context[index],
            dataset.eligible[index],
        )
        return found.score, found.confidence

    return score


def score_folds(
    dataset: Dataset,
    folds: Sequence[Fold],
    scorers: Sequence[Scorer],
    settings: Settings,
    *,
    name: str = "candidate",
    label: str = "Challenger, out of fold",
) -> OutOfSample:
    """Score every test month by its fold's scorer and replay production on the scores.

    `scorers` has one scorer a fold. The book is carried over from fold to fold.
    """
    if len(folds) != len(scorers):
        raise DataError(f"{len(folds)} folds need as many scorers, got {len(scorers)}")
    scorer_of = {
        int(index): scorer
        for fold, scorer in zip(folds, scorers, strict=True)
        for index in fold.test
    }
    indices = np.array(sorted(scorer_of), dtype=np.int64)

    def score(index: int, held: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        return scorer_of[index](index, held)

    return replay(dataset, indices, score, settings, name=name, label=label)


def replay_scores(
    dataset: Dataset,
    stored: ScoreHistory,
    settings: Settings,
    *,
    months: Sequence[str] | None = None,
    name: str = "champion",
    label: str = "Champion, stored scores",
) -> OutOfSample | None:
    """Replay stored scores on a panel, from cash, over the months that both have.

    The months are consecutive decisions with an outcome; of several runs of months the latest is
    taken. None when there is no such month.

    Parameters
    ----------
    months : only these months; default all
    """
    monthly = np.flatnonzero((dataset.phases == 0) & (outcome_ends(dataset) >= 0))
    every = dataset.months
    labels = [every[index] for index in monthly]
    wanted = set(stored.months) if months is None else set(stored.months) & set(months)
    run = _latest_run(np.array([month in wanted for month in labels], dtype=bool))
    if not len(run):
        return None
    indices = monthly[run]
    row_of = {int(monthly[i]): stored.months.index(labels[i]) for i in run}
    column = {symbol: i for i, symbol in enumerate(stored.symbols)}
    at = np.array([column.get(symbol, -1) if symbol else -1 for symbol in dataset.symbols])

    def score(index: int, _held: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        found = stored.scores[row_of[index], at]
        sure = stored.confidence[row_of[index], at]
        scores = np.where(at >= 0, found, np.nan)
        return scores, None if np.isnan(sure[np.isfinite(scores)]).any() else sure

    return replay(dataset, indices, score, settings, name=name, label=label)


def replay(
    dataset: Dataset,
    indices: IntArray,
    scorer: Scorer,
    settings: Settings,
    *,
    name: str,
    label: str,
) -> OutOfSample:
    """Do what production does at each of the consecutive decisions `(M,)`, starting from cash."""
    shape = (len(indices), len(dataset.symbols))
    scores, confidence = np.full(shape, np.nan), np.full(shape, np.nan)
    position = {int(index): i for i, index in enumerate(indices)}

    def choose(index: int, held: FloatArray, nav: float) -> FloatArray:
        found, sure = scorer(index, held)
        scores[position[index]] = found
        if sure is not None:
            confidence[position[index]] = sure
        return production_target(dataset, index, found, sure, held, nav, settings)

    simulation = follow_decisions(dataset, indices, choose, settings)
    ends = outcome_ends(dataset)
    information = np.array(
        [
            information_coefficient(
                np.where(dataset.eligible[index], scores[i], np.nan),
                realised_returns(dataset, int(index), int(ends[index])),
            )
            for i, index in enumerate(indices)
        ]
    )
    track = track_of(dataset, indices, simulation, name=name, label=label, information=information)
    named = np.array([bool(symbol) for symbol in dataset.symbols], dtype=bool)
    symbols = tuple(symbol for symbol in dataset.symbols if symbol)
    history = ScoreHistory(track.months, symbols, scores[:, named], confidence[:, named])
    return OutOfSample(history, track)


def scores_on(dataset: Dataset, record: OutOfSample) -> FloatArray:
    """Return a record's scores of its track's months on the dataset's slots, `(M, S)`."""
    return _on_slots(dataset, record, record.history.scores)


def confidence_on(dataset: Dataset, record: OutOfSample) -> FloatArray | None:
    """Return a record's confidence `(M, S)` as `scores_on` does; None where a score lacks it."""
    sure = _on_slots(dataset, record, record.history.confidence)
    return None if np.isnan(sure[np.isfinite(scores_on(dataset, record))]).any() else sure


def _on_slots(dataset: Dataset, record: OutOfSample, table: FloatArray) -> FloatArray:
    column = {symbol: i for i, symbol in enumerate(record.history.symbols)}
    at = np.array([column.get(symbol, -1) if symbol else -1 for symbol in dataset.symbols])
    rows = [record.history.months.index(month) for month in record.track.months]
    return np.where(at >= 0, table[rows][:, at], np.nan)


def production_target(
    dataset: Dataset,
    index: int,
    scores: FloatArray,
    confidence: FloatArray | None,
    held: FloatArray,
    nav: float,
    settings: Settings,
) -> FloatArray:
    """Return the target weights `(S,)` that production would trade to: select, then limits."""
    selection = select(
        scores, confidence, dataset.eligible[index], held, settings.portfolio, dataset.symbols
    )
    limited = enforce_limits(
        selection.weights,
        held,
        dataset.symbols,
        dataset.dollar_volume[index],
        settings.portfolio,
        nav_usd=max(nav, 0.0) * settings.costs.capital_usd,
        min_names=0,
    )
    return limited.weights


def _latest_run(wanted: npt.NDArray[np.bool_]) -> IntArray:
    """Return the positions of the last unbroken run of True."""
    found = np.flatnonzero(wanted)
    if not len(found):
        return found.astype(np.int64)
    breaks = np.flatnonzero(np.diff(found) > 1)
    return found[breaks[-1] + 1 if len(breaks) else 0 :].astype(np.int64)
