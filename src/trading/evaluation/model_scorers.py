"""The scorers of a model by fold: its ensemble, each member alone, and what they have seen."""

from collections.abc import Sequence

from trading.agents.artifact import Artifact, Manifest
from trading.agents.ensemble import Ensemble
from trading.errors import ModelError
from trading.evaluation.out_of_fold import Scorer, ensemble_scorer
from trading.evaluation.walk_forward import Fold
from trading.features.dataset import Dataset


def fold_scorers(artifact: Artifact, dataset: Dataset, folds: Sequence[Fold]) -> list[Scorer]:
    """Return a scorer a fold, of the ensemble that was trained for it.

    Raises `ModelError` where a fold's models have seen a session of its test months.
    """
    require_lineage(artifact.manifest, dataset, folds)
    return [ensemble_scorer(dataset, artifact.fold_ensemble(fold.index)) for fold in folds]


def member_scorers(
    artifact: Artifact, dataset: Dataset, folds: Sequence[Fold]
) -> dict[str, list[Scorer]]:
    """Return by member's name a scorer a fold; raises `ModelError` as `fold_scorers` does."""
    require_lineage(artifact.manifest, dataset, folds)
    ensembles = [artifact.fold_ensemble(fold.index) for fold in folds]
    return {
        member.name: [
            ensemble_scorer(dataset, Ensemble((ensemble.members[place],))) for ensemble in ensembles
        ]
        for place, member in enumerate(artifact.manifest.members)
    }


def require_lineage(manifest: Manifest, dataset: Dataset, folds: Sequence[Fold]) -> None:
    """Raise `ModelError` if a fold's model has seen a session of its test months."""
    if len(manifest.fold_trained_through) != len(folds):
        raise ModelError(
            f"the models have {len(manifest.fold_trained_through)} folds, the dataset"
            f" {len(folds)}; train again"
        )
    for fold, through in zip(folds, manifest.fold_trained_through, strict=True):
        first = dataset.sessions[fold.test_start].astype("datetime64[D]").item()
        if through >= first:
            raise ModelError(
                f"fold {fold.index} was trained through {through}, but is tested from {first} on"
            )
