"""The recipe of a month's model: one fit a walk-forward fold, then the final refit.

The fits form a chain in time. With `training.warm_start` each starts from weights that are older
than what it will be judged by: the champion's where their lineage allows it, else those of the fit
before it. So the recipe that the folds judge is the one that the final refit follows.

A finished fit is a checkpoint. A job that was interrupted resumes at the first unfinished fit, and
since every fit is deterministic it ends in the bytes that it would have ended in.
"""

import csv
import hashlib
import importlib.metadata
import io
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import date
from pathlib import Path

import numpy.typing as npt

from trading.agents.algorithms import HYPERPARAMETERS, parameters_of
from trading.agents.artifact import Artifact, Manifest, Member
from trading.agents.network import shape_of
from trading.agents.policy import SlotPolicy, load_policy
from trading.agents.training import LogRow, TrainedPolicy, WarmStart, train_policy
from trading.config import Algorithm, Settings
from trading.errors import ModelError
from trading.features.dataset import Dataset

FINAL = "final"
LIBRARIES = ("finrl", "gymnasium", "numpy", "stable-baselines3", "torch")
Report = Callable[[str, float, float], None]
"""Told the fit's name, the fraction of the whole recipe done and the slots' mean reward lately."""


@dataclass(frozen=True)
class Fit:
    """One training of the recipe.

    Attributes
    ----------
    name : `fold-<k>` or `final`; its file is `<name>.npz`
    decisions : indices of the dataset's decisions that it learns from
    last : last session whose return it may see
    """

    name: str
    decisions: npt.ArrayLike
    last: date


@dataclass(frozen=True)
class Recipe:
    """What a training job was asked for.

    Attributes
    ----------
    algorithm, seed : which member of the ensemble
    settings : the whole configuration
    fits : the folds in order, then the final refit
    champion : weights of the same member of the champion; None to start without
    code_revision : of the code that trains
    """

    algorithm: Algorithm
    seed: int
    settings: Settings
    fits: tuple[Fit, ...]
    champion: WarmStart | None = None
    code_revision: str = "unknown"

    @property
    def member(self) -> str:
        """The member's name in an ensemble: `<algorithm>-s<seed>`."""
        return f"{self.algorithm}-s{self.seed}"


@dataclass(frozen=True)
class Checkpoints:
    """Finished fits in a folder, each with the identity of what it was trained on.

    Attributes
    ----------
    folder : where they are; it is made when the first is saved
    identity : of dataset and recipe; another identity's checkpoints are not used
    """

    folder: Path
    identity: str

    def save(self, name: str, trained: TrainedPolicy) -> None:
        """Keep a finished fit; the note is written last, and only whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _replace(self.folder / f"{name}.npz", trained.policy.to_bytes())
        note = {
            "identity": self.identity,
            "policy": trained.policy.hash,
            "trained_through": trained.trained_through.isoformat(),
            "log": [asdict(row) for row in trained.log],
        }
        _replace(self.folder / f"{name}.json", json.dumps(note).encode())

    def load(self, name: str) -> TrainedPolicy | None:
        """Return a finished fit, or None when there is none of this identity that is whole."""
        try:
            note = json.loads((self.folder / f"{name}.json").read_bytes())
            body = (self.folder / f"{name}.npz").read_bytes()
            if note["identity"] != self.identity:
                return None
            policy = load_policy(body, f"{name}.npz")
            if not isinstance(policy, SlotPolicy) or policy.hash != note["policy"]:
                return None
            log = tuple(LogRow(**row) for row in note["log"])
            return TrainedPolicy(policy, log, date.fromisoformat(note["trained_through"]))
        except (OSError, ValueError, KeyError, TypeError, ModelError):
            return None


def identify(dataset: Dataset, recipe: Recipe) -> str:
    """Return the sha256 of everything that the weights of a recipe depend on."""
    champion = recipe.champion.policy.hash if recipe.champion else None
    parts = [
        dataset.content_hash,
        recipe.member,
        recipe.settings.model_dump(mode="json", include={"training", "reward", "costs"}),
        champion,
        recipe.code_revision,
        library_versions(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def train_recipe(
    dataset: Dataset,
    recipe: Recipe,
    checkpoints: Path | None = None,
    report: Report | None = None,
) -> Artifact:
    """Run every fit of a recipe and return its model folder.

    Parameters
    ----------
    dataset : what all fits learn from
    recipe : the fits and how they are trained
    checkpoints : folder of finished fits; None keeps none
    report : told how far the training is

    Raises
    ------
    DataError, ModelError
        A fit cannot be trained; see `training.train_policy`.
    """
    kept = None if checkpoints is None else Checkpoints(checkpoints, identify(dataset, recipe))
    finished: list[TrainedPolicy] = []
    for number, fit in enumerate(recipe.fits):
        trained = kept.load(fit.name) if kept else None
        if trained is None:
            start = _start(recipe, fit, finished)
            progress = _progress(report, fit.name, number, len(recipe.fits))
            trained = train_policy(
                dataset,
                recipe.algorithm,
                recipe.seed,
                recipe.settings,
                fit.decisions,
                start,
                progress,
            )
            if kept:
                kept.save(fit.name, trained)
        if trained.trained_through > fit.last:
            raise ModelError(
                f"{fit.name} learnt through {trained.trained_through}, it may only see {fit.last}"
            )
        finished.append(trained)
    return _artifact(dataset, recipe, finished)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that the weights depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def champion_start(champion: Artifact, member: str, settings: Settings) -> WarmStart | None:
    """Return the champion's weights of the same member, or None where they do not fit.

    They do not fit when the champion has no such member (a baseline), or one of other layers.
    """
    names = {candidate.name for candidate in champion.manifest.members}
    policy = champion.policy(member) if member in names else None
    if not isinstance(policy, SlotPolicy):
        return None
    algorithm = next(name for name in HYPERPARAMETERS if member.startswith(f"{name}-s"))
    parameters = parameters_of(algorithm, settings.training)
    if shape_of(policy) != (settings.training.hidden, parameters.gates):
        return None
    return WarmStart(policy, champion.manifest.trained_through, champion.manifest.version)


def _start(recipe: Recipe, fit: Fit, finished: Sequence[TrainedPolicy]) -> WarmStart | None:
    if not recipe.settings.training.warm_start:
        return None
    champion = recipe.champion
    if champion is not None and champion.trained_through <= fit.last:
        start = champion
    elif finished:
        start = WarmStart(finished[-1].policy, finished[-1].trained_through)
    else:
        return None
    start.require_through(fit.last)
    return start


def _progress(
    report: Report | None, name: str, number: int, fits: int
) -> Callable[[float, float], None] | None:
    if report is None:
        return None
    return lambda fraction, reward: report(name, (number + fraction) / fits, reward)


def _artifact(dataset: Dataset, recipe: Recipe, finished: Sequence[TrainedPolicy]) -> Artifact:
    names = [fit.name for fit in recipe.fits]
    files = {
        f"{name}.npz": trained.policy.to_bytes()
        for name, trained in zip(names, finished, strict=True)
    }
    files["progress.csv"] = _progress_csv(names, finished)
    warm = recipe.settings.training.warm_start and recipe.champion is not None
    champion = recipe.champion if warm else None
    manifest = Manifest(
        kind="job",
        members=(
            Member(
                name=recipe.member,
                final=f"{FINAL}.npz",
                folds=tuple(f"{name}.npz" for name in names if name != FINAL),
            ),
        ),
        algorithms=(recipe.algorithm,),
        seeds=(recipe.seed,),
        trained_through=finished[-1].trained_through,
        fold_trained_through=tuple(trained.trained_through for trained in finished[:-1]),
        features_version=dataset.features_version,
        data_hash=dataset.data_hash,
        dataset_hash=dataset.content_hash,
        slots_version=dataset.slots_version,
        code_revision=recipe.code_revision,
        parent=champion.version if champion else None,
        libraries=library_versions(),
        settings=recipe.settings.deviations(),
        metrics={
            f"{name}.slot_reward": trained.log[-1].slot_reward
            for name, trained in zip(names, finished, strict=True)
        },
    )
    return Artifact.pack(manifest, files)


def _progress_csv(names: Sequence[str], finished: Sequence[TrainedPolicy]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fit", *(column.name for column in fields(LogRow))])
    for name, trained in zip(names, finished, strict=True):
        writer.writerows([name, *astuple(row)] for row in trained.log)
    return text.getvalue().encode()


def _replace(path: Path, body: bytes) -> None:
    """Write a file whole: a reader sees the old bytes or the new ones."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(body)
    unfinished.replace(path)
