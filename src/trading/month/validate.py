"""Validate: the recipe is judged by out-of-fold scores, against baselines and the champion."""

from dataclasses import replace

import numpy as np

from trading.agents.artifact import MANIFEST, Artifact, Manifest, Member, merge
from trading.agents.calibration import CALIBRATION
from trading.agents.ensemble import Ensemble, combine
from trading.agents.policy import FactorPolicy
from trading.config import Settings
from trading.evaluation.baselines import (
    Benchmark,
    align_benchmark,
    best_factor,
    factor_scorer,
    latest_factor,
)
from trading.evaluation.calibration import calibrate
from trading.evaluation.model_card import model_card
from trading.evaluation.model_scorers import fold_scorers, member_scorers
from trading.evaluation.out_of_fold import OutOfSample, Scorer
from trading.evaluation.study import describe
from trading.evaluation.validation import Validation
from trading.evaluation.validation import validate as judge_challenger
from trading.evaluation.walk_forward import Fold, make_folds
from trading.features.dataset import Dataset
from trading.monitoring.reference import Profile
from trading.month.champion_record import RECORD, champion_history
from trading.month.drift_reference import REFERENCE, load_profile, reference_of
from trading.month.lifecycle import VERDICT
from trading.month.payloads import MonthRun, Validated, ValidateRequest
from trading.month.pointers import key_of, put_folder, uri_of
from trading.month.prepare import load_dataset
from trading.month.resources import Resources
from trading.month.shadow import judge_with_shadow, shadow_history
from trading.month.tuning_record import trials_tried


def validate(request: ValidateRequest, resources: Resources) -> Validated:
    """Judge the challenger and write it, the evidence on it and (without a champion) the baseline.

    The gate's own checks come first; then what rejected challengers have shown in shadow.
    """
    month, settings = request.month, resources.settings
    dataset = load_dataset(request.prepared, resources)
    folds = make_folds(dataset, settings.training, min_months=settings.gate.min_months)
    challenger = merge([_trained(model.model_uri, resources) for model in request.models])
    scorers = fold_scorers(challenger, dataset, folds)
    champion = champion_history(request.resolved.champion, resources)
    validation = judge_challenger(
        dataset,
        folds,
        scorers,
        settings,
        champion=champion,
        benchmark=benchmark_of(dataset, resources),
        members=member_scorers(challenger, dataset, folds),
        trials=trials_tried(resources),
    )
    shadow = shadow_history(month.month, resources)
    verdict = judge_with_shadow(validation.verdict, dataset, shadow, champion, settings)
    validation = replace(validation, verdict=verdict)
    profile = load_profile(month, resources)
    extra = _record_files(dataset, folds, validation, scorers[-1])
    reference = _reference(dataset, profile, challenger.ensemble(), settings)
    challenger = challenger.with_files({**extra, REFERENCE: reference})
    prefix = f"{month.folder}/challenger"
    put_folder(resources.runs, prefix, challenger.to_files(), MANIFEST)
    _write_evidence(request, challenger.manifest, dataset, folds, validation, resources)
    baseline = ""
    if request.resolved.champion is None:
        baseline = _write_baseline(month, challenger.manifest, dataset, folds, profile, resources)
    return Validated(
        passed=verdict.passed,
        version=challenger.manifest.version,
        challenger_prefix=prefix,
        baseline_prefix=baseline,
        verdict_uri=uri_of(resources.runs, f"{evidence_folder(month)}/{VERDICT}"),
        reasons=tuple(reason[:300] for reason in verdict.reasons[:20]),
        approval_seconds=settings.approval.hours * 3600 if settings.approval.required else 0,
    )


def evidence_folder(month: MonthRun) -> str:
    """Return where a run leaves verdict, evaluation and model card, in the runs store."""
    return f"{month.folder}/evidence"


def benchmark_of(dataset: Dataset, resources: Resources) -> Benchmark | None:
    """Return the stored benchmark on the dataset's sessions, NaN where it has no bar."""
    found = resources.lake.benchmark(before=dataset.as_of)
    if found is None:
        return None
    name, panel = found
    return align_benchmark(name, panel, dataset)


def _record_files(
    dataset: Dataset,
    folds: tuple[Fold, ...],
    validation: Validation,
    last: Scorer,
) -> dict[str, bytes]:
    """Return the out-of-sample record of a challenger, and what its confidence has been worth."""
    record = _through_the_month(validation.challenger, dataset, folds, last)
    return {RECORD: record.to_bytes(), **_calibration_file(dataset, folds, validation.challenger)}


def _calibration_file(
    dataset: Dataset, folds: tuple[Fold, ...], record: OutOfSample
) -> dict[str, bytes]:
    judged = np.concatenate([fold.test for fold in folds])
    calibration = calibrate(dataset, judged, record)
    return {} if calibration is None else {CALIBRATION: calibration.to_bytes()}


def _write_evidence(
    request: ValidateRequest,
    manifest: Manifest,
    dataset: Dataset,
    folds: tuple[Fold, ...],
    validation: Validation,
    resources: Resources,
) -> None:
    """Write the verdict, the evaluation that it rests on, and the model's card."""
    source, simulated = request.resolved.source, request.resolved.simulated
    settings, month = resources.settings, request.month
    title = f"Challenger {manifest.version} of {month.month}"
    evaluation = describe(
        dataset, folds, validation, settings, title=title, source=source, simulated=simulated
    )
    card = model_card(
        manifest, validation.verdict, dataset, settings, source=source, simulated=simulated
    )
    files = {
        "evaluation.json": evaluation.model_dump_json(indent=1),
        "model-card.json": card.model_dump_json(indent=1),
        "model-card.md": card.to_markdown(),
        VERDICT: validation.verdict.model_dump_json(indent=1),
    }
    folder = evidence_folder(month)
    put_folder(resources.runs, folder, {n: b.encode() for n, b in files.items()}, VERDICT)


def _trained(uri: str, resources: Resources) -> Artifact:
    return Artifact.from_tar(resources.runs.get(key_of(resources.runs, uri)).body, uri)


def _through_the_month(
    record: OutOfSample, dataset: Dataset, folds: tuple[Fold, ...], last: Scorer
) -> OutOfSample:
    """Add the months between the last test month and this one, scored by the last fold's model.

    Their outcome is not known yet, but they are out of sample all the same, and without them the
    record would have a gap before its first live month.
    """
    history = record.history
    later = np.flatnonzero(dataset.phases == 0)
    for index in later[(later > folds[-1].test[-1]) & (later < len(dataset.decisions) - 1)]:
        scores, confidence = last(int(index), np.zeros(len(dataset.symbols)))
        sure = np.full(len(scores), np.nan) if confidence is None else confidence
        scores = np.where(dataset.eligible[index], scores, np.nan)
        history = history.with_month(dataset.months[index], dataset.symbols, scores, sure)
    return OutOfSample(history, record.track)


def _reference(dataset: Dataset, profile: Profile, ensemble: Ensemble, settings: Settings) -> bytes:
    """Return the drift reference of a model, for the months that it will score."""
    return reference_of(dataset, profile, ensemble, settings.monitoring.drift).to_bytes()


def _write_baseline(
    month: MonthRun,
    challenger: Manifest,
    dataset: Dataset,
    folds: tuple[Fold, ...],
    profile: Profile,
    resources: Resources,
) -> str:
    """Write the best single factor as a model, with its own out-of-sample record."""
    factor = latest_factor(dataset)
    policy = FactorPolicy(factor.name, factor.sign)
    judged = best_factor(dataset, folds, resources.settings)
    last = factor_scorer(dataset, factor.index, factor.sign)
    record = _through_the_month(judged, dataset, folds, last)
    artifact = Artifact.pack(
        Manifest(
            kind="baseline",
            members=(Member(name="baseline", final="final.npz"),),
            trained_through=challenger.trained_through,
            features_version=challenger.features_version,
            data_hash=challenger.data_hash,
            dataset_hash=challenger.dataset_hash,
            slots_version=challenger.slots_version,
            code_revision=challenger.code_revision,
            metrics={
                "mean_information": factor.mean_information,
                "factor": f"{'-' if factor.sign < 0 else '+'}{factor.name}",
            },
        ),
        {
            "final.npz": policy.to_bytes(),
            RECORD: record.to_bytes(),
            REFERENCE: _reference(dataset, profile, Ensemble((policy,)), resources.settings),
            **_calibration_file(dataset, folds, _of_one_member(judged)),
        },
    )
    prefix = f"{month.folder}/baseline"
    put_folder(resources.runs, prefix, artifact.to_files(), MANIFEST)
    return prefix


def _of_one_member(record: OutOfSample) -> OutOfSample:
    """Give a factor's scores the confidence that an ensemble of it alone has when it serves."""
    history = record.history
    ranked = np.isfinite(history.scores)
    confidence = [
        np.where(given, combine(scores[None].astype(np.float32), given).confidence, np.nan)
        for scores, given in zip(history.scores, ranked, strict=True)
    ]
    sure = np.array(confidence).reshape(history.scores.shape)
    return OutOfSample(replace(history, confidence=sure), record.track)
