"""What training jobs run as."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr, iam, s3

from stacks.access import object_statements
from stacks.deployment import Deployment
from stacks.functions_catalogue import TRAINING
from stacks.policies import Statement, document, trust

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class TrainingArgs:
    """The arguments of `Training`."""

    deployment: Deployment
    buckets: Mapping[str, s3.Bucket]
    repository: ecr.Repository


class Training(pulumi.ComponentResource):
    """The execution role of SageMaker training jobs.

    Attributes
    ----------
    role
    """

    role: iam.Role

    def __init__(
        self, name: str, args: TrainingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:training:Training", name, None, opts)
        deployment = args.deployment
        self.role = iam.Role(
            "training",
            name=deployment.name("training"),
            description="What SageMaker training jobs run as",
            assume_role_policy=trust("sagemaker.amazonaws.com", deployment.account),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        iam.RolePolicy(
            "training",
            name="training",
            role=self.role.name,
            policy=document(
                [
                    *(s for grant in TRAINING for s in object_statements(grant, args.buckets)),
                    *_image_statements(args.repository),
                    *_log_statements(deployment),
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self.role),
        )
        self.register_outputs({"role": self.role.arn})


def _image_statements(repository: ecr.Repository) -> list[Statement]:
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        Statement("PullImage", pull, [repository.arn]),
        Statement("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
    ]


def _log_statements(deployment: Deployment) -> list[Statement]:
    group = deployment.arn("logs", f"log-group:{LOG_GROUP}")
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
            conditions={"StringEquals": {"cloudwatch:namespace": LOG_GROUP}},
        ),
    ]
