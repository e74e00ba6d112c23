"""What `trading train` does: data to jobs, jobs to an ensemble, with progress and time left."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from trading.agents.artifact import Artifact
from trading.agents.parallel import JobPlan, plan_jobs, train_locally
from trading.agents.trials import TrialCount, count_trials
from trading.cli.backtest_options import nested, read_assignments
from trading.cli.cloud import embedded_cloud
from trading.cli.home import Home
from trading.cli.learning_data import learning_data, stored_dataset
from trading.cli.output import DONE, console, print_json, result
from trading.cli.train import TrainOptions
from trading.cli.watch import training_progress
from trading.config import Settings, load_settings
from trading.errors import ConfigurationError
from trading.features.dataset import Dataset
from trading.month.adhoc import AdhocTraining
from trading.month.payloads import ChampionRef
from trading.month.resources import Resources
from trading.month.tuning_record import publish_trials

POLL_SECONDS = 1.0
MODEL = "model"
TUNING = "tuning"


@dataclass(frozen=True)
class _Trained:
    artifact: Artifact
    registered: ChampionRef | None = None
    package: str | None = None


def run_train(options: TrainOptions) -> int:
    """Train and tell what came of it; return the exit code."""
    settings = load_settings(overrides=nested(read_assignments(options.sets, "--set")))
    _check(options)
    dataset = _dataset(options, settings)
    settings, trials = _tuned(options, dataset, settings)
    plans = plan_jobs(settings)
    began = time.monotonic()
    if options.remote:
        trained = _on_sagemaker(dataset, plans, settings, trials)
    else:
        if options.tune:
            publish_to_deployment(trials, settings)
        trained = _on_cores(options, dataset, plans)
    trained.artifact.save(options.out / MODEL)
    _report(options, trained, dataset, trials, time.monotonic() - began)
    return DONE


def _check(options: TrainOptions) -> None:
    if options.dataset is not None and (options.bars or options.as_of):
        raise ConfigurationError("--dataset is complete: leave out --bars and --as-of")
    if options.remote and (options.champion is not None or options.processes is not None):
        raise ConfigurationError("--champion and --processes are for --on local")


def _dataset(options: TrainOptions, settings: Settings) -> Dataset:
    if options.dataset is not None:
        return stored_dataset(options.dataset)
    with console.status("reading bars"):
        found = learning_data(options.bars, options.as_of, settings)
    market = "a SIMULATED market" if found.simulated else found.source
    console.print(f"learning from {market}, bars before {found.dataset.as_of}", markup=False)
    return found.dataset


def _tuned(
    options: TrainOptions, dataset: Dataset, settings: Settings
) -> tuple[Settings, TrialCount]:
    """Return the settings with the best hyper-parameters found, and every trial there was.

    The studies lie below the output folder, where a later call goes on from them.
    """
    folder = options.out / TUNING
    if not options.tune:
        return settings, count_trials(folder)
    from trading.agents.tuning import tune  # Optuna; needed here alone

    for algorithm in settings.training.algorithms:
        with _progress() as bars:
            task = bars.add_task(f"tuning {algorithm}", total=options.tune, stage="trials")
            found = tune(
                dataset,
                algorithm,
                settings,
                trials=options.tune,
                folder=folder,
                progress=_trial_bar(bars, task),
            )
        settings = found.settings
    return settings, count_trials(folder)


def _trial_bar(bars: Progress, task: TaskID) -> Any:
    return lambda done, total, _value: bars.update(task, completed=done, total=total)


def _on_cores(options: TrainOptions, dataset: Dataset, plans: Sequence[JobPlan]) -> _Trained:
    lock = threading.Lock()
    with _progress() as bars:
        tasks = {plan.member: bars.add_task(plan.member, total=1.0) for plan in plans}

        def tell(member: str, fraction: float, stage: str) -> None:
            with lock:
                bars.update(tasks[member], completed=fraction, stage=stage)

        artifact = train_locally(
            dataset,
            plans,
            options.out,
            champion=options.champion,
            processes=options.processes,
            progress=tell,
        )
    return _Trained(artifact)


def publish_to_deployment(trials: TrialCount, settings: Settings) -> bool:
    """Publish trials that were made here where there is a deployment; tell whether there is.

    Its gates count every recipe that was tried, wherever it was.
    """
    if not (os.environ.get("TRADING_LEDGER_TABLE") or Home.from_environment().current()):
        return False
    with _deployed(settings) as resources:
        publish_trials(trials, resources)
    return True


def _on_sagemaker(
    dataset: Dataset, plans: Sequence[JobPlan], settings: Settings, trials: TrialCount
) -> _Trained:
    """Train and register; trials are published first, since every later gate must count them."""
    with _deployed(settings) as resources:
        if trials.count:
            publish_trials(trials, resources)
        training = AdhocTraining(dataset, plans, resources)
        jobs = training.start()
        console.print(f"training jobs {training.prefix}-*", markup=False)
        with _progress() as bars:
            tasks = {job.name: bars.add_task(job.plan.member, total=1.0) for job in jobs}
            while any(job.poll() != "Completed" for job in jobs):
                for told in training_progress(training.prefix):
                    if told.job in tasks:
                        bars.update(tasks[told.job], completed=told.fraction, stage=told.stage)
                time.sleep(POLL_SECONDS)
            for task in tasks.values():
                bars.update(task, completed=1.0, stage="finished")
        artifact = training.collect(jobs)
        ref = training.register(artifact)
        record = resources.ledger.models.read(ref.version)
        return _Trained(artifact, ref, record.package_arn)


@contextmanager
def _deployed(settings: Settings) -> Iterator[Resources]:
    """Yield the deployment that the environment names, else the embedded cloud of the home.

    The embedded cloud is deployed: jobs need the role that they run as.
    """
    if os.environ.get("TRADING_LEDGER_TABLE"):
        yield Resources(settings, dict(os.environ))
        return
    home = Home.from_environment()
    market = home.current() or "simulated"
    with home.for_one_month(), embedded_cloud(home.of(market), settings) as cloud:
        home.remember(market)
        yield cloud.resources(settings)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[stage]}"),
    )
    with _Stages(*columns, console=console, transient=not console.is_terminal) as bars:
        yield bars


class _Stages(Progress):
    """Progress whose tasks have a stage from the start."""

    def add_task(self, description: str, *arguments: Any, **fields: Any) -> TaskID:
        """Add a task, at no stage yet."""
        return super().add_task(description, *arguments, **{"stage": "waiting", **fields})


def _report(
    options: TrainOptions,
    trained: _Trained,
    dataset: Dataset,
    trials: TrialCount,
    seconds: float,
) -> None:
    manifest, folder = trained.artifact.manifest, options.out / MODEL
    ref = trained.registered
    if options.as_json:
        print_json(
            {
                "version": manifest.version,
                "members": [member.name for member in manifest.members],
                "trained_through": manifest.trained_through.isoformat(),
                "dataset": dataset.content_hash,
                "metrics": manifest.metrics,
                "trials": trials.count,
                "hyperparameters": manifest.settings.get("training", {}).get("hyperparameters", {}),
                "seconds": round(seconds, 1),
                "model": str(folder),
                "registered": None if ref is None else ref.to_json(),
                "model_package": trained.package,
            }
        )
        return
    result.print(
        f"model {manifest.version} of {len(manifest.members)} members, trained through"
        f" {manifest.trained_through} in {seconds:,.0f} s: {folder}",
        soft_wrap=True,
    )
    if trials.count:
        result.print(f"{trials.count} trials of the hyper-parameters: evaluate with --trials")
    if ref is not None:
        result.print(f"registered as {trained.package}, pending approval", soft_wrap=True)
    result.print(f"judge it: trading evaluate --model {folder}", soft_wrap=True)
