"""The ceiling of every role: what no policy of this program can grant beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

from stacks.deployment import Deployment
from stacks.policies import Statement, document

SYNC_RULE = "StepFunctionsGetEventsForSageMakerTrainingJobsRule"
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"

# By service: the actions, and the resources of this environment that they may touch.
# `{p}` is the environment's prefix (`trading-dev`).
CEILING: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "dynamodb": (
        (
            *("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
            *("UpdateItem",),
        ),
        ("table/{p}-*",),
    ),
    "ecr": (
        ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"),
        ("repository/{p}-*",),
    ),
    "events": (("DescribeRule", "PutRule", "PutTargets"), (f"rule/{SYNC_RULE}",)),
    "kms": (("Decrypt", "GenerateDataKey"), ("key/*",)),
    "lambda": (("InvokeFunction",), ("function:{p}-*",)),
    "logs": (
        ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"),
        ("log-group:/*{p}*", f"log-group:{TRAINING_LOGS}*"),
    ),
    "sagemaker": (
        (
            *("AddTags", "CreateModelPackage", "CreateTrainingJob", "DescribeModelPackage"),
            *("DescribeTrainingJob", "StopTrainingJob", "UpdateModelPackage"),
        ),
        ("training-job/{p}-*", "model-package/{p}-*", "model-package-group/{p}-*"),
    ),
    "secretsmanager": (
        ("DescribeSecret", "GetSecretValue", "UpdateSecretVersionStage"),
        ("secret:{p}/*",),
    ),
    "ses": (("SendEmail", "SendRawEmail"), ("identity/*", "configuration-set/{p}-*")),
    "sns": (("Publish",), ("{p}-*",)),
    "sqs": (("SendMessage",), ("{p}-*",)),
    "states": (
        (
            *("DescribeExecution", "DescribeStateMachine", "GetExecutionHistory"),
            *("StartExecution",),
        ),
        ("stateMachine:{p}-*", "execution:{p}-*"),
    ),
}
UNSCOPED = (
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


@dataclass(frozen=True)
class BoundaryArgs:
    """The arguments of `Boundary`."""

    deployment: Deployment


class Boundary(pulumi.ComponentResource):
    """The permissions boundary of all roles: this environment's resources, and no administration.

    A role can do what its policy *and* this allow. No role of the environment can change IAM,
    read another environment, or delete a table or a bucket, whatever becomes of its policy.

    Attributes
    ----------
    policy : the managed policy
    """

    policy: iam.Policy

    def __init__(
        self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:boundary:Boundary", name, None, opts)
        deployment = args.deployment
        self.policy = iam.Policy(
            "boundary",
            name=deployment.name("boundary"),
            description=f"What no role of {deployment.prefix} can do more than",
            policy=document(ceiling(deployment)),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"policy": self.policy.arn})


def ceiling(deployment: Deployment) -> list[Statement]:
    """Return the statements of the boundary."""
    buckets = f"arn:{deployment.partition}:s3:::{deployment.prefix}-*"
    training = f"arn:{deployment.partition}:iam::{deployment.account}:role/{deployment.prefix}-*"
    return [
        *(_service(service, deployment) for service in CEILING),
        Statement(
            "Objects",
            ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            [buckets],
        ),
        Statement(
            "PassRole",
            ["iam:PassRole"],
            [training],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        Statement("Unscoped", UNSCOPED, ["*"]),
    ]


def _service(service: str, deployment: Deployment) -> Statement:
    actions, resources = CEILING[service]
    return Statement(
        service.capitalize(),
        [f"{service}:{action}" for action in actions],
        [deployment.arn(service, r.replace("{p}", deployment.prefix)) for r in resources],
    )
