"""Prepare: the month's slots and features, hashed, and the training jobs to run."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from trading.agents.revision import training_revision
from trading.config import Settings
from trading.errors import DataError, MonthError
from trading.features.dataset import Dataset, build_dataset
from trading.features.specification import FEATURES_VERSION
from trading.month.drift_reference import keep_profile
from trading.month.payloads import ChampionRef, MonthRun, Prepared, PrepareRequest, TrainingJob
from trading.month.pointers import put_folder, uri_of
from trading.month.resources import Resources
from trading.month.universe import allocate_slots

DATASET_FILE = "dataset.npz"
ARCHIVE = "output/model.tar.gz"
TRANSFER_SECONDS = 3600
"""What a job takes beside its training: the image, the channels, the model's upload."""
RECIPE = {"training", "reward", "costs", "portfolio", "gate"}


def prepare(request: PrepareRequest, resources: Resources) -> Prepared:
    """Allocate slots, build and store the dataset, and list the training jobs.

    A job whose model an earlier run of the month finished, on the same data, settings and code,
    is marked as finished. Raises `DataError` when too few names can be held, `MonthError` when a
    name to be excluded is none of the universe.
    """
    month, settings = request.month, resources.settings
    panel = resources.lake.panel(before=month.as_of)
    slots, report = allocate_slots(panel, month, resources)
    dataset = build_dataset(
        panel,
        slots,
        settings,
        data_hash=request.resolved.data_hash or "",
        actions=resources.lake.corporate_actions(before=month.as_of),
    )
    eligible = int((dataset.eligible[-1] & dataset.active).sum())
    if eligible < settings.data.min_symbols:
        raise DataError(
            f"{eligible} names can be held on {request.resolved.last_session}; at least"
            f" {settings.data.min_symbols} are needed (price, volume and history limits count)"
        )
    _refuse_unknown(month, slots.active)
    folder = f"{month.folder}/dataset"
    put_folder(resources.runs, folder, {DATASET_FILE: dataset.to_bytes()}, DATASET_FILE)
    resources.runs.put(
        f"{month.folder}/slots-report.json", json.dumps(report.to_dict(), indent=1).encode()
    )
    keep_profile(month, panel, dataset, resources)
    champion = request.resolved.champion if settings.training.warm_start else None
    recipe = _recipe(dataset, settings, champion)
    stopping = _stopping_condition(settings)
    return Prepared(
        dataset_uri=uri_of(resources.runs, folder),
        dataset_hash=dataset.content_hash,
        recipe=recipe,
        slots_version=slots.version,
        active=len(slots.active),
        eligible=eligible,
        jobs=tuple(
            _job(month, resources, folder, recipe, champion, algorithm, seed)
            for algorithm in settings.training.algorithms
            for seed in settings.training.seeds
        ),
        stopping_condition=stopping,
        spot=settings.training.spot,
        max_parallel_jobs=settings.training.max_parallel_jobs,
        timeout_seconds=max(stopping.values()) + TRANSFER_SECONDS,
    )


def _refuse_unknown(month: MonthRun, active: Sequence[str]) -> None:
    """Refuse a name to exclude that nobody could buy: more likely it is misspelt."""
    if unknown := sorted(set(month.exclude) - set(active)):
        raise MonthError(
            f"{', '.join(unknown)} cannot be excluded: not among the {len(active):,} active names"
            f" of {month.month}; mend the spelling or leave it out, then start the month again"
        )


def load_dataset(prepared: Prepared, resources: Resources) -> Dataset:
    """Return the month's dataset; raises `DataError` if it is not the one that was prepared."""
    key = prepared.dataset_uri.removeprefix(resources.runs.uri.rstrip("/") + "/")
    dataset = Dataset.from_bytes(resources.runs.get(f"{key}/{DATASET_FILE}").body)
    if dataset.content_hash != prepared.dataset_hash:
        raise DataError(f"the dataset at {prepared.dataset_uri} was changed after it was prepared")
    return dataset


def _recipe(dataset: Dataset, settings: Settings, champion: ChampionRef | None) -> str:
    """Return the hash of all that decides what a training job leaves."""
    parts = {
        "dataset": dataset.content_hash,
        "features": FEATURES_VERSION,
        "code": training_revision(),
        "champion": champion.version if champion else None,
        "settings": settings.model_dump(mode="json", include=RECIPE),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _job(
    month: MonthRun,
    resources: Resources,
    dataset_folder: str,
    recipe: str,
    champion: ChampionRef | None,
    algorithm: str,
    seed: int,
) -> TrainingJob:
    settings, runs = resources.settings, resources.runs
    member = f"{algorithm}-s{seed}"
    name = f"trading-{settings.environment}-{month.month}-r{month.run}-{member}"
    output = f"training/{month.month}/{recipe}/{member}"
    finished = [key for key in runs.keys(f"{output}/models/") if key.endswith(ARCHIVE)]
    channels = [_channel("training", uri_of(runs, dataset_folder))]
    if champion is not None and champion.kind == "ensemble":
        channels.append(_channel("champion", uri_of(resources.models, champion.prefix)))
    return TrainingJob(
        name=name,
        algorithm=algorithm,
        seed=seed,
        finished=bool(finished),
        model_uri=uri_of(runs, finished[0]) if finished else None,
        output_uri=uri_of(runs, f"{output}/models"),
        checkpoint_uri=uri_of(runs, f"{output}/checkpoints"),
        hyperparameters={
            "algorithm": algorithm,
            "seed": str(seed),
            "settings": json.dumps(_deviations(settings)),
            "correlation_id": month.correlation_id,
            "code_revision": training_revision(),
        },
        channels=tuple(channels),
    )


def _deviations(settings: Settings) -> dict[str, Any]:
    """Return the settings that a job needs to know: those of the recipe that are not default."""
    return settings.model_dump(mode="json", exclude_defaults=True, include=RECIPE)


def _channel(name: str, uri: str) -> dict[str, object]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"{uri}/",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _stopping_condition(settings: Settings) -> dict[str, int]:
    limit = settings.training.max_runtime_seconds
    if not settings.training.spot:
        return {"MaxRuntimeInSeconds": limit}
    return {"MaxRuntimeInSeconds": limit, "MaxWaitTimeInSeconds": 2 * limit}
