"""Tiny models in a models store, for tests."""

from datetime import date

from trading.agents.artifact import MANIFEST, Artifact, Manifest, Member
from trading.agents.policy import FactorPolicy
from trading.features.specification import FEATURES_VERSION
from trading.month.payloads import ChampionRef
from trading.month.pointers import put_folder
from trading.month.resources import Resources


def small_artifact(feature: str = "momentum_252_21", month: str = "2024-01") -> Artifact:
    """Return a model of one factor, whose version depends on both arguments."""
    return Artifact.pack(
        Manifest(
            kind="baseline",
            members=(Member(name="baseline", final="final.npz"),),
            trained_through=date.fromisoformat(f"{month}-02"),
            features_version=FEATURES_VERSION,
            data_hash=f"data of {month}",
            slots_version="slots",
        ),
        {"final.npz": FactorPolicy(feature, 1).to_bytes()},
    )


def store_model(resources: Resources, month: str, folder: str = "production") -> ChampionRef:
    """Put a model of a month into the models store."""
    artifact = small_artifact(month=month)
    version = artifact.manifest.version
    prefix = f"{folder}/{month}/{version}"
    put_folder(resources.models, prefix, artifact.to_files(), MANIFEST)
    return ChampionRef(version=version, kind="baseline", prefix=prefix, month=month)
