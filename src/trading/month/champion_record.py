"""A champion's record: its scores out of fold at its promotion, and in production since then."""

from collections.abc import Iterator

from trading.agents.calibration import CALIBRATION, Calibration
from trading.evaluation.score_history import ScoreHistory
from trading.month.payloads import ChampionRef, MonthRun
from trading.month.pointers import get_folder
from trading.month.resources import Resources

RECORD = "out-of-sample.npz"


def record_live_scores(
    month: MonthRun, version: str, history: ScoreHistory, resources: Resources
) -> None:
    """Keep the scores that a model gave in production or in shadow: its record goes on so."""
    resources.runs.put(f"{_live_folder(version)}/{month.month}.npz", history.to_bytes())


def champion_history(champion: ChampionRef | None, resources: Resources) -> ScoreHistory | None:
    """Return the champion's record; None without a champion."""
    if champion is None:
        return None
    files = get_folder(resources.models, champion.prefix)
    history = ScoreHistory.from_bytes(files[RECORD])
    for month, scored in live_scores(champion.version, resources):
        history = history.with_month(month, scored.symbols, scored.scores[0], scored.confidence[0])
    return history


def live_scores(version: str, resources: Resources) -> Iterator[tuple[str, ScoreHistory]]:
    """Yield month and scores of every month that a model was scored in, as champion or not."""
    for key in resources.runs.keys(f"{_live_folder(version)}/"):
        month = key.rpartition("/")[2].removesuffix(".npz")
        yield month, ScoreHistory.from_bytes(resources.runs.get(key).body)


def calibration_of(prefix: str, resources: Resources) -> Calibration | None:
    """Return what a model's confidence has been worth; None where that is not known."""
    key = f"{prefix}/{CALIBRATION}"
    if not resources.models.exists(key):
        return None
    return Calibration.from_bytes(resources.models.get(key).body)


def _live_folder(version: str) -> str:
    return f"scores/{version}"
