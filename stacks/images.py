"""The container images: what they are built from, and the registries they are pushed to."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker_build as docker_build
from pulumi_aws import ecr

from stacks.deployment import Deployment
from stacks.policies import Statement, document

ROOT = Path(__file__).parents[1]
KEEP_IMAGES = 10
UNTAGGED_DAYS = 7
IMAGES = ("functions", "training", "dashboard")
# What Docker is sent, and what it is chosen by. The provider builds and pushes every image again
# when any of it changes, a file's mode included: were a tag made of less, that push would meet the
# tag that it made before, which the registry refuses to move.
CONTEXT = (
    *(".dockerignore", "LICENSE", "README.md", "config", "containers", "functions"),
    *("pyproject.toml", "src", "streamlit_app"),
)

EXPIRY_RULES = (
    {
        "rulePriority": 1,
        "description": f"Forget after {UNTAGGED_DAYS} days what a failed push left",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    },
    {
        "rulePriority": 2,
        "description": f"Keep the last {KEEP_IMAGES} images",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": KEEP_IMAGES,
        },
        "action": {"type": "expire"},
    },
)


@dataclass(frozen=True)
class ImagesArgs:
    """The arguments of `Images`."""

    deployment: Deployment


class Images(pulumi.ComponentResource):
    """One registry and one image for each of `functions`, `training`, `dashboard`.

    The tag of all three is the hash of what they are built from: tags never move, equal sources are
    built once.

    Attributes
    ----------
    repositories : image to its registry
    references : image to `registry:tag@digest`
    """

    repositories: Mapping[str, ecr.Repository]
    references: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:images:Images", name, None, opts)
        self._deployment = args.deployment
        self.repositories = {image: self._repository(image) for image in IMAGES}
        self._admit_lambda(self.repositories["functions"])
        tag = source_hash(ROOT, CONTEXT)
        self.references = {
            image: self._build(image, repository, tag)
            for image, repository in self.repositories.items()
        }
        self.register_outputs({"references": dict(self.references)})

    def _repository(self, image: str) -> ecr.Repository:
        deployment = self._deployment
        repository = ecr.Repository(
            image,
            name=deployment.name(image),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=True
            ),
            encryption_configurations=[
                ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="KMS", kms_key=deployment.key
                )
            ],
            force_delete=not deployment.protect,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        ecr.LifecyclePolicy(
            image,
            repository=repository.name,
            policy=json.dumps({"rules": list(EXPIRY_RULES)}),
            opts=pulumi.ResourceOptions(parent=repository),
        )
        return repository

    def _admit_lambda(self, repository: ecr.Repository) -> None:
        functions = self._deployment.arn("lambda", f"function:{self._deployment.prefix}-*")
        ecr.RepositoryPolicy(
            "functions",
            repository=repository.name,
            policy=document(
                [
                    Statement(
                        sid="PullForFunctions",
                        actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                        principals={"Service": "lambda.amazonaws.com"},
                        conditions={"ArnLike": {"aws:SourceArn": functions}},
                    )
                ]
            ),
            opts=pulumi.ResourceOptions(parent=repository),
        )

    def _build(self, image: str, repository: ecr.Repository, tag: str) -> pulumi.Output[str]:
        token = ecr.get_authorization_token_output(registry_id=repository.registry_id)
        built = docker_build.Image(
            image,
            push=True,
            tags=[pulumi.Output.concat(repository.repository_url, ":", tag)],
            context=docker_build.BuildContextArgs(location="."),
            dockerfile=docker_build.DockerfileArgs(location=f"containers/{image}/Dockerfile"),
            platforms=[docker_build.Platform.LINUX_AMD64],
            build_on_preview=False,
            # The base image's security updates come with every build.
            pull=True,
            registries=[
                docker_build.RegistryArgs(
                    address=repository.repository_url,
                    username=token.user_name,
                    password=pulumi.Output.secret(token.password),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return built.ref


def source_hash(root: Path, sources: Sequence[str]) -> str:
    """Return 16 hexadecimal digits that name the content and modes of some files.

    Parameters
    ----------
    root : the folder that `sources` are relative to
    sources : files and folders; folders are taken whole, without caches; a missing one is empty
    """
    digest = hashlib.sha256()
    for source in sources:
        path = root / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                content, mode = file.read_bytes(), file.stat().st_mode
                name = file.relative_to(root).as_posix()
                digest.update(f"{name}\0{mode:o}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()[:16]
