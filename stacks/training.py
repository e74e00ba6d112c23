"""What training jobs run as, and where their models are registered."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr, iam, s3, sagemaker

from stacks.access import object_statements
from stacks.boundary import TRAINING_LOGS
from stacks.deployment import Deployment
from stacks.functions_catalogue import TRAINING
from stacks.policies import Statement
from stacks.roles import RoleArgs, make_role


@dataclass(frozen=True)
class TrainingArgs:
    """The arguments of `Training`."""

    deployment: Deployment
    buckets: Mapping[str, s3.Bucket]
    repository: ecr.Repository


def group_name(deployment: Deployment) -> str:
    """Return the name of the model package group."""
    return deployment.name("models")


def registry_arns(deployment: Deployment) -> tuple[str, str]:
    """Return the ARNs of the group and of every package in it."""
    group = group_name(deployment)
    return (
        deployment.arn("sagemaker", f"model-package-group/{group}"),
        deployment.arn("sagemaker", f"model-package/{group}/*"),
    )


class Training(pulumi.ComponentResource):
    """The execution role of SageMaker training jobs, and the registry of their models.

    Attributes
    ----------
    role : what the jobs run as
    registry : the model package group
    """

    role: iam.Role
    registry: sagemaker.ModelPackageGroup

    def __init__(
        self, name: str, args: TrainingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:training:Training", name, None, opts)
        deployment = args.deployment
        self.role = make_role(
            RoleArgs(
                deployment=deployment,
                key="training",
                name=deployment.name("training"),
                description="What SageMaker training jobs run as",
                service="sagemaker.amazonaws.com",
                statements=[
                    *(s for grant in TRAINING for s in object_statements(grant, args.buckets)),
                    *_image_statements(args.repository),
                    *_log_statements(deployment),
                ],
            ),
            self,
        ).role
        self.registry = sagemaker.ModelPackageGroup(
            "models",
            model_package_group_name=group_name(deployment),
            model_package_group_description="Every judged model, with what became of it",
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"role": self.role.arn, "registry": self.registry.arn})


def _image_statements(repository: ecr.Repository) -> list[Statement]:
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        Statement("PullImage", pull, [repository.arn]),
        Statement("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
    ]


def _log_statements(deployment: Deployment) -> list[Statement]:
    group = deployment.arn("logs", f"log-group:{TRAINING_LOGS}")
    return [
        Statement(
            "WriteLogs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            [group, f"{group}:*"],
        ),
        Statement(
            "PutMetrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": TRAINING_LOGS}},
        ),
    ]
