"""ECR repositories and their policies."""

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
    gone,
    handles,
    tag_list,
)


@handles("aws:ecr/repository:Repository")
class Repository(Handler):
    """An image registry."""

    replace_on = frozenset({"name", "encryptionConfigurations"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the repository's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN, URL and registry."""
        client = self.cloud.client("ecr")
        answer = found(client.describe_repositories, repositoryNames=[identity])
        if answer is None:
            return None
        return _live(answer["repositories"][0])

    def create(self, inputs: Inputs) -> Live:
        """Create the repository."""
        encryption = (inputs.get("encryptionConfigurations") or [{}])[0]
        answer = self.cloud.client("ecr").create_repository(
            repositoryName=inputs["name"],
            imageTagMutability=inputs.get("imageTagMutability", "MUTABLE"),
            imageScanningConfiguration={
                "scanOnPush": bool(
                    (inputs.get("imageScanningConfiguration") or {}).get("scanOnPush")
                )
            },
            encryptionConfiguration={"encryptionType": encryption.get("encryptionType", "AES256")},
            tags=tag_list(inputs),
        )
        return _live(answer["repository"])

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put mutability and scanning."""
        client = self.cloud.client("ecr")
        client.put_image_tag_mutability(
            repositoryName=identity, imageTagMutability=inputs.get("imageTagMutability", "MUTABLE")
        )
        client.put_image_scanning_configuration(
            repositoryName=identity,
            imageScanningConfiguration={
                "scanOnPush": bool(
                    (inputs.get("imageScanningConfiguration") or {}).get("scanOnPush")
                )
            },
        )

    def delete(self, identity: str) -> None:
        """Delete the repository with its images."""
        gone(self.cloud.client("ecr").delete_repository, repositoryName=identity, force=True)


def _live(repository: Inputs) -> Live:
    return Live(
        repository["repositoryName"],
        {
            "arn": repository["repositoryArn"],
            "name": repository["repositoryName"],
            "repositoryUrl": repository["repositoryUri"],
            "registryId": repository["registryId"],
        },
    )


class RepositorySetting(SettingHandler):
    """A setting of a repository, whose id is the repository's name."""

    replace_on = frozenset({"repository"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the repository's name."""
        return str(inputs["repository"])


@handles("aws:ecr/lifecyclePolicy:LifecyclePolicy")
class LifecyclePolicy(RepositorySetting):
    """Which images are kept."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the policy."""
        call = self.cloud.client("ecr").get_lifecycle_policy
        return Live(identity) if found(call, repositoryName=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("ecr").put_lifecycle_policy(
            repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"]
        )

    def delete(self, identity: str) -> None:
        """Remove the policy."""
        gone(self.cloud.client("ecr").delete_lifecycle_policy, repositoryName=identity)


@handles("aws:ecr/repositoryPolicy:RepositoryPolicy")
class RepositoryPolicy(RepositorySetting):
    """Who may pull."""

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the policy."""
        call = self.cloud.client("ecr").get_repository_policy
        return Live(identity) if found(call, repositoryName=identity) else None

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("ecr").set_repository_policy(
            repositoryName=inputs["repository"], policyText=inputs["policy"]
        )

    def delete(self, identity: str) -> None:
        """Remove the policy."""
        gone(self.cloud.client("ecr").delete_repository_policy, repositoryName=identity)
