"""What `trading evaluate` does: bars to dataset, recipe to scorers, scorers to a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from trading.agents.artifact import Artifact, merge
from trading.agents.trials import count_trials
from trading.backtest.deflation import Trials
from trading.cli.backtest_options import nested, read_assignments
from trading.cli.evaluate import EvaluateOptions
from trading.cli.evaluate_summary import print_evaluation
from trading.cli.learning_data import learning_data
from trading.cli.output import DONE, console, print_json
from trading.config import Settings, load_settings
from trading.data.benchmark import load_benchmark
from trading.errors import ConfigurationError, DataError
from trading.evaluation.baselines import Benchmark, align_benchmark, factor_scorer
from trading.evaluation.combinatorial import (
    PathDistribution,
    combinatorial_splits,
    distribution,
    path_records,
)
from trading.evaluation.model_card import model_card
from trading.evaluation.model_scorers import fold_scorers, member_scorers
from trading.evaluation.out_of_fold import Scorer, ensemble_scorer
from trading.evaluation.score_history import ScoreHistory
from trading.evaluation.study import Evaluation, describe
from trading.evaluation.validation import validate
from trading.evaluation.walk_forward import Fold, make_folds
from trading.features.dataset import Dataset
from trading.features.specification import FEATURE_NAMES
from trading.month.champion_record import RECORD


@dataclass(frozen=True)
class _Candidate:
    title: str
    scorers: list[Scorer]
    members: dict[str, list[Scorer]]
    artifact: Artifact | None = None


def run_evaluate(options: EvaluateOptions) -> int:
    """Evaluate and report; return the exit code."""
    _require_consistent(options)
    settings = load_settings(overrides=nested(read_assignments(options.sets, "--set")))
    place = _require_factor(options.factor)
    champion = None if options.champion is None else _stored_scores(options.champion)
    dataset, source, simulated = evaluation_dataset(options, settings)
    benchmark = _benchmark(options.benchmark, dataset, settings)
    folds = make_folds(dataset, settings.training, min_months=settings.gate.min_months)
    candidate = _candidate(options, place, dataset, folds, settings)
    paths = _cross_validated(options, place, dataset, settings) if options.cross_validate else None
    with console.status("judging"):
        validation = validate(
            dataset,
            folds,
            candidate.scorers,
            settings,
            champion=champion,
            benchmark=benchmark,
            members=candidate.members,
            trials=_trials(options),
        )
        found = describe(
            dataset,
            folds,
            validation,
            settings,
            title=candidate.title,
            source=source,
            simulated=simulated,
            cross_validation=paths,
        )
    _write(options, found)
    if options.save is not None and candidate.artifact is not None:
        _save(options.save, candidate.artifact, found, dataset, settings)
        _replace(options.save / RECORD, validation.challenger.to_bytes())
    if options.as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_evaluation(found)
        for what, file in (("page", options.report), ("JSON", options.output)):
            if file is not None:
                console.print(f"{what}: {file}")
    return DONE


def _require_consistent(options: EvaluateOptions) -> None:
    if options.model is not None and options.factor is not None:
        raise ConfigurationError("--model and --factor exclude each other; give one of them")
    if options.save is not None and (options.model is not None or options.factor is not None):
        raise ConfigurationError("--save keeps a trained model; leave out --model and --factor")
    if options.trials is not None and options.trials_from is not None:
        raise ConfigurationError("--trials and --trials-from exclude each other; give one of them")


def evaluation_dataset(options: EvaluateOptions, settings: Settings) -> tuple[Dataset, str, bool]:
    """Return the dataset, the bars' source in words, and whether the market is invented."""
    with console.status("reading bars"):
        found = learning_data(options.bars, options.as_of, settings)
    return found.dataset, found.source, found.simulated


def _benchmark(file: Path | None, dataset: Dataset, settings: Settings) -> Benchmark | None:
    if file is None:
        return None
    found = load_benchmark(file, exchange=settings.data.exchange)
    return align_benchmark(found.symbol, found.panel(), dataset)


def _candidate(
    options: EvaluateOptions,
    place: tuple[int, int] | None,
    dataset: Dataset,
    folds: Sequence[Fold],
    settings: Settings,
) -> _Candidate:
    if place is not None:
        scorers = [factor_scorer(dataset, *place)] * len(folds)
        return _Candidate(f"Factor {options.factor}", scorers, {})
    if options.model is not None:
        artifact = Artifact.load(options.model)
        title = f"Model {artifact.manifest.version}"
    else:
        artifact = _train(options, dataset, settings)
        title = f"Recipe {', '.join(member.name for member in artifact.manifest.members)}"
    return _Candidate(
        title,
        fold_scorers(artifact, dataset, folds),
        member_scorers(artifact, dataset, folds),
        artifact,
    )


def _train(options: EvaluateOptions, dataset: Dataset, settings: Settings) -> Artifact:
    """Train the recipe of the settings, one member after another, and show how far it is."""
    # Imported here: the extra `training` is heavy, and a stored model does without.
    try:
        from trading.agents.job import plan_fits
        from trading.agents.recipe import Recipe, train_recipe
    except ImportError as error:
        raise ConfigurationError(
            "training needs the extra `training`: install it, or evaluate a --model"
        ) from error
    from trading.agents.revision import training_revision

    fits = plan_fits(dataset, settings)
    jobs = []
    with _progress() as progress:
        for algorithm in settings.training.algorithms:
            for seed in settings.training.seeds:
                recipe = Recipe(algorithm, seed, settings, fits, code_revision=training_revision())
                task = progress.add_task(recipe.member, total=1.0)
                kept = options.checkpoints
                jobs.append(
                    train_recipe(
                        dataset,
                        recipe,
                        None if kept is None else kept / recipe.member,
                        lambda _fit, fraction, _reward, task=task: progress.update(  # type: ignore[misc]
                            task, completed=fraction
                        ),
                    )
                )
    return merge(jobs)


def _cross_validated(
    options: EvaluateOptions,
    place: tuple[int, int] | None,
    dataset: Dataset,
    settings: Settings,
) -> PathDistribution:
    """Return the distribution over combinatorial histories of the recipe, or of the factor."""
    if options.model is not None:
        raise ConfigurationError("--cross-validate trains models; leave out --model")
    splits = combinatorial_splits(dataset, embargo_sessions=settings.training.embargo_sessions)
    if place is not None:
        scorers = [factor_scorer(dataset, *place)] * len(splits)
        return distribution(splits, path_records(dataset, splits, scorers, settings))
    from trading.agents.ensemble import Ensemble
    from trading.agents.training import train_policy

    scorers = []
    with _progress() as progress:
        for split in progress.track(splits, description="cross-validation"):
            policies = [
                train_policy(dataset, algorithm, seed, settings, split.train).policy
                for algorithm in settings.training.algorithms
                for seed in settings.training.seeds
            ]
            scorers.append(ensemble_scorer(dataset, Ensemble(tuple(policies))))
    return distribution(splits, path_records(dataset, splits, scorers, settings))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _require_factor(name: str | None) -> tuple[int, int] | None:
    """Return place and sign of a feature; raises `ConfigurationError` for an unknown one."""
    if name is None:
        return None
    plain = name.removeprefix("-")
    if plain not in FEATURE_NAMES:
        raise ConfigurationError(
            f"there is no feature {plain!r}; the features are {', '.join(FEATURE_NAMES)}"
        )
    return FEATURE_NAMES.index(plain), -1 if name.startswith("-") else 1


def _stored_scores(folder: Path) -> ScoreHistory:
    """Return the out-of-sample scores that a model folder keeps; raises `DataError`."""
    try:
        return ScoreHistory.from_bytes((folder / RECORD).read_bytes())
    except OSError as error:
        raise DataError(
            f"{folder} keeps no out-of-sample scores ({RECORD}): --champion takes a folder of "
            "`trading evaluate --save`, or a version's folder in the models store"
        ) from error


def _trials(options: EvaluateOptions) -> Trials:
    if options.trials_from is not None:
        found = count_trials(options.trials_from)
        return Trials.recorded(found.count, found.sharpe_deviation)
    return Trials(options.trials or 1)


def _write(options: EvaluateOptions, found: Evaluation) -> None:
    if options.output is not None:
        _replace(options.output, found.model_dump_json(indent=1))
    if options.report is not None:
        # Imported here: matplotlib is slow to load.
        from trading.evaluation.page import render

        _replace(options.report, render(found, datetime.now(UTC)))


def _save(
    folder: Path, artifact: Artifact, found: Evaluation, dataset: Dataset, settings: Settings
) -> None:
    card = model_card(
        artifact.manifest,
        found.verdict,
        dataset,
        settings,
        source=found.source,
        simulated=found.simulated,
    )
    artifact.save(folder / "model")
    _replace(folder / "model-card.json", card.model_dump_json(indent=1))
    _replace(folder / "model-card.md", card.to_markdown())


def _replace(file: Path, content: str | bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(file)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error}); choose another place") from error
