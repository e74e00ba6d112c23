"""A model folder: policies, what is said about them, and a manifest that vouches for every byte.

    manifest.json             lineage, members, and the sha256 of every other file
    <member>.npz files        `final.npz`, `fold-<k>.npz`; in an ensemble under the member's name
    anything else registered  `progress.csv`, out-of-sample scores, a verdict

A training job leaves a folder of one member; `merge` makes the month's model of the jobs' folders.
Nothing in a folder depends on when or where it was written, so equal inputs give equal bytes.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trading.agents.calibration import CALIBRATION, Calibration
from trading.agents.ensemble import Ensemble
from trading.agents.policy import Policy, load_policy
from trading.errors import ModelError

MANIFEST = "manifest.json"
_VERSION_LENGTH = 16


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Member(_Frozen):
    """One policy of a model, and its siblings of the walk-forward folds."""

    name: str = Field(description="Which policy: `<algorithm>-s<seed>`, or `baseline`.")
    final: str = Field(description="File of the policy that scores the month.")
    folds: tuple[str, ...] = Field((), description="Files of the policies of the folds, in order.")


class Manifest(_Frozen):
    """What a model is and where it comes from."""

    format: Literal[1] = 1
    version: str = Field("", description="Content address: the sha256 of all that follows.")
    kind: Literal["job", "ensemble", "baseline"]
    members: tuple[Member, ...] = Field(min_length=1)
    algorithms: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    trained_through: date = Field(description="Last session whose return the final fit has seen.")
    fold_trained_through: tuple[date, ...] = Field((), description="The same, fold by fold.")
    features_version: str
    data_hash: str
    dataset_hash: str = Field("", description="Content hash of the dataset that it learnt from.")
    slots_version: str
    code_revision: str = "unknown"
    parent: str | None = Field(None, description="Version whose weights the final fit started at.")
    libraries: dict[str, str] = Field({}, description="Versions of what trained it.")
    settings: dict[str, Any] = Field({}, description="What the settings changed from the defaults.")
    metrics: dict[str, float | int | str | None] = {}
    files: dict[str, str] = Field({}, description="The sha256 of every file but the manifest.")

    def addressed(self) -> "Manifest":
        """Return the manifest with the version that its content gives it."""
        body = self.model_dump_json(exclude={"version"})
        canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return self.model_copy(update={"version": digest[:_VERSION_LENGTH]})


@dataclass(frozen=True)
class Artifact:
    """A model folder in memory: its manifest and the bytes of its other files by name.

    Build one with `pack`, `load`, `from_files`, `from_tar` or `merge`: they verify it.
    """

    manifest: Manifest
    files: Mapping[str, bytes]

    @classmethod
    def pack(cls, manifest: Manifest, files: Mapping[str, bytes]) -> Self:
        """Return the artefact of these files; hashes and version are computed here."""
        hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
        manifest = manifest.model_copy(update={"files": hashes}).addressed()
        artifact = cls(manifest, dict(files))
        artifact.verify()
        return artifact

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], where: str = "the model") -> Self:
        """Return the verified artefact of a folder's files by name; raises `ModelError`."""
        if MANIFEST not in files:
            raise ModelError(
                f"{where} has no {MANIFEST}, found {', '.join(sorted(files)) or 'nothing'}"
            )
        try:
            manifest = Manifest.model_validate_json(files[MANIFEST])
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "(top)"
            raise ModelError(
                f"{where} has a manifest that cannot be read: {place}: {first['msg']}"
            ) from error
        rest = {name: body for name, body in files.items() if name != MANIFEST}
        artifact = cls(manifest, rest)
        artifact.verify(where)
        return artifact

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the verified artefact of a folder; raises `ModelError`."""
        if not folder.is_dir():
            raise ModelError(f"there is no model folder {folder}")
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        return cls.from_files(files, str(folder))

    @classmethod
    def from_tar(cls, body: bytes, where: str = "model.tar.gz") -> Self:
        """Return the verified artefact of the `model.tar.gz` that SageMaker leaves."""
        files: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(body), mode="r:*") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    if content is not None:
                        files[member.name.removeprefix("./")] = content.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ModelError(f"{where} is not a tar archive of a model: {error}") from error
        return cls.from_files(files, where)

    def verify(self, where: str = "the model") -> None:
        """Check that version, files and members agree; raises `ModelError` with what does not."""
        expected, found = set(self.manifest.files), set(self.files)
        if expected - found:
            raise ModelError(f"{where} lacks {', '.join(sorted(expected - found))}")
        if found - expected:
            raise ModelError(
                f"{where} holds files that its manifest does not name: "
                f"{', '.join(sorted(found - expected))}"
            )
        for name, digest in self.manifest.files.items():
            if hashlib.sha256(self.files[name]).hexdigest() != digest:
                raise ModelError(f"{name} of {where} is not what the manifest vouches for")
        if self.manifest.addressed().version != self.manifest.version:
            raise ModelError(f"the manifest of {where} was changed after it was written")
        for member in self.manifest.members:
            missing = {member.final, *member.folds} - found
            if missing:
                raise ModelError(
                    f"{where} lacks {', '.join(sorted(missing))} of member {member.name}"
                )
            if len(member.folds) != len(self.manifest.fold_trained_through):
                raise ModelError(
                    f"member {member.name} of {where} has {len(member.folds)} folds, "
                    f"expected {len(self.manifest.fold_trained_through)}"
                )

    def to_files(self) -> dict[str, bytes]:
        """Return every file by name, the manifest included."""
        text = self.manifest.model_dump_json(indent=1) + "\n"
        return {**self.files, MANIFEST: text.encode()}

    def save(self, folder: Path) -> None:
        """Write the folder, the manifest last: a folder without one is unfinished."""
        for name, body in self.to_files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def with_files(self, more: Mapping[str, bytes]) -> "Artifact":
        """Return the artefact with further files (scores, verdict) registered: a new version."""
        return Artifact.pack(self.manifest, {**self.files, **more})

    @property
    def fold_count(self) -> int:
        """Walk-forward folds that every member has a policy for."""
        return len(self.manifest.fold_trained_through)

    def policy(self, member: str) -> Policy:
        """Return the final policy of a member; raises `ModelError`."""
        for candidate in self.manifest.members:
            if candidate.name == member:
                return load_policy(self.files[candidate.final], candidate.final)
        names = ", ".join(candidate.name for candidate in self.manifest.members)
        raise ModelError(
            f"model {self.manifest.version} has no member {member!r}, its members are {names}"
        )

    def ensemble(self) -> Ensemble:
        """Return the ensemble that scores the month, calibrated where the folder says how."""
        body = self.files.get(CALIBRATION)
        return Ensemble(
            self._ensemble([member.final for member in self.manifest.members]).members,
            Calibration.from_bytes(body) if body is not None else None,
        )

    def fold_ensemble(self, fold: int) -> Ensemble:
        """Return the ensemble of one fold, 0-based; raises `ModelError`."""
        if not 0 <= fold < self.fold_count:
            raise ModelError(
                f"model {self.manifest.version} has folds 0..{self.fold_count - 1}, not {fold}"
            )
        return self._ensemble([member.folds[fold] for member in self.manifest.members])

    def _ensemble(self, names: Sequence[str]) -> Ensemble:
        return Ensemble(tuple(load_policy(self.files[name], name) for name in names))


def merge(jobs: Sequence[Artifact]) -> Artifact:
    """Return the month's model: the members of all the training jobs' artefacts, ordered by name.

    Raises `ModelError` when there is none, when two give the same member, or when they were not
    trained on the same data, slots, features, settings and folds.
    """
    if not jobs:
        raise ModelError("there is no training job's model to merge")
    members: dict[str, Member] = {}
    files: dict[str, bytes] = {}
    first = jobs[0].manifest
    for job in jobs:
        _require_same_origin(first, job.manifest)
        for member in job.manifest.members:
            if member.name in members:
                raise ModelError(f"two training jobs left the member {member.name}")
            members[member.name] = Member(
                name=member.name,
                final=f"{member.name}/{member.final}",
                folds=tuple(f"{member.name}/{fold}" for fold in member.folds),
            )
            files |= {f"{member.name}/{name}": body for name, body in job.files.items()}
    manifests = [job.manifest for job in jobs]
    parents = {manifest.parent for manifest in manifests if manifest.parent is not None}
    manifest = first.model_copy(
        update={
            "kind": "ensemble",
            "members": tuple(members[name] for name in sorted(members)),
            "algorithms": tuple(sorted({name for m in manifests for name in m.algorithms})),
            "seeds": tuple(sorted({seed for m in manifests for seed in m.seeds})),
            "parent": min(parents) if parents else None,
            "metrics": {
                f"{m.members[0].name}.{name}": value
                for m in sorted(manifests, key=lambda m: m.members[0].name)
                for name, value in m.metrics.items()
            },
        }
    )
    return Artifact.pack(manifest, files)


def load_ensemble(source: Path | Mapping[str, bytes]) -> Ensemble:
    """Return the ensemble of a model folder, or of its files by name, after verifying it."""
    artifact = Artifact.load(source) if isinstance(source, Path) else Artifact.from_files(source)
    return artifact.ensemble()


def _require_same_origin(first: Manifest, other: Manifest) -> None:
    fields = (
        "trained_through", "fold_trained_through", "features_version", "data_hash",
        "dataset_hash", "slots_version", "code_revision", "libraries", "settings",
    )  # fmt: skip
    differing = [name for name in fields if getattr(first, name) != getattr(other, name)]
    if differing:
        raise ModelError(
            f"training jobs {first.members[0].name} and {other.members[0].name} differ in "
            f"{', '.join(differing)}; a month's model is made of jobs of one month"
        )
