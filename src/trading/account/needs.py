"""What an environment needs of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trading.config import Settings, load_settings
from trading.errors import ConfigurationError

DEFAULT_REGION = "us-east-1"
# A call of each service that costs nothing and reads next to nothing.
SERVICES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "apigatewayv2": ("get_apis", {"MaxResults": "1"}),
    "application-autoscaling": ("describe_scalable_targets", {"ServiceNamespace": "ecs"}),
    "cloudtrail": ("describe_trails", {}),
    "cloudwatch": ("describe_alarms", {"MaxRecords": 1}),
    "cognito-idp": ("list_user_pools", {"MaxResults": 1}),
    "config": ("describe_configuration_recorders", {}),
    "dynamodb": ("list_tables", {"Limit": 1}),
    "ec2": ("describe_vpcs", {"MaxResults": 5}),
    "ecr": ("describe_repositories", {"maxResults": 1}),
    "ecs": ("list_clusters", {"maxResults": 1}),
    "elbv2": ("describe_load_balancers", {"PageSize": 1}),
    "events": ("list_rules", {"Limit": 1}),
    "kms": ("list_keys", {"Limit": 1}),
    "lambda": ("list_functions", {"MaxItems": 1}),
    "logs": ("describe_log_groups", {"limit": 1}),
    "s3": ("list_buckets", {}),
    "sagemaker": ("list_training_jobs", {"MaxResults": 1}),
    "scheduler": ("list_schedules", {"MaxResults": 1}),
    "secretsmanager": ("list_secrets", {"MaxResults": 1}),
    "sns": ("list_topics", {}),
    "sqs": ("list_queues", {"MaxResults": 1}),
    "stepfunctions": ("list_state_machines", {"maxResults": 1}),
}
# What `pulumi up` does first with each kind of resource: who may not do these cannot deploy.
DEPLOYING = (
    *("apigateway:POST", "application-autoscaling:RegisterScalableTarget", "budgets:ModifyBudget"),
    *("cloudtrail:CreateTrail", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm"),
    *("config:PutConfigRule", "config:PutConfigurationRecorder", "dynamodb:CreateTable"),
    *("dynamodb:UpdateContinuousBackups", "ec2:CreateSecurityGroup", "ec2:CreateSubnet"),
    *("ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ecr:CreateRepository", "ecr:PutImage"),
    *("ecr:InitiateLayerUpload", "ecs:CreateCluster", "ecs:CreateService"),
    *("ecs:RegisterTaskDefinition", "elasticloadbalancing:CreateLoadBalancer"),
    *("events:PutRule", "events:PutTargets", "iam:CreatePolicy", "iam:CreateRole"),
    *("iam:CreateServiceLinkedRole", "iam:PassRole", "iam:PutRolePolicy", "kms:CreateKey"),
    *("kms:CreateAlias", "lambda:AddPermission", "lambda:CreateFunction", "logs:CreateLogGroup"),
    *("logs:PutMetricFilter", "logs:PutRetentionPolicy", "s3:CreateBucket", "s3:PutBucketPolicy"),
    *("s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"),
    *("sagemaker:CreateModelPackageGroup", "scheduler:CreateSchedule"),
    *("secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "ses:CreateConfigurationSet"),
    *("ses:CreateEmailIdentity", "sns:CreateTopic", "sns:Subscribe", "sqs:CreateQueue"),
    *("states:CreateStateMachine", "cognito-idp:CreateUserPool"),
)


@dataclass(frozen=True)
class Needs:
    """What one environment needs, by its `Pulumi.<stack>.yaml`.

    Attributes
    ----------
    environment : part of every name
    region : where it is deployed
    settings : of the domain
    sender, recipients : of the mail
    verifies_recipients : whether the program makes identities for the recipients
    reserves_concurrency : whether functions reserve executions of the account
    judges_configuration : whether the program makes AWS Config's rules, which need a recorder
    records_configuration : whether the program makes the recorder too
    """

    environment: str
    region: str
    settings: Settings
    sender: str
    recipients: tuple[str, ...]
    verifies_recipients: bool
    reserves_concurrency: bool
    judges_configuration: bool
    records_configuration: bool

    @property
    def training_jobs(self) -> int:
        """How many training jobs run at once."""
        training = self.settings.training
        models = len(training.algorithms) * len(training.seeds)
        return min(models, training.max_parallel_jobs)


def read_needs(root: Path, stack: str) -> Needs:
    """Return the needs of an environment.

    Raises
    ------
    ConfigurationError
        When there is no such environment, or its file is malformed.
    """
    path = root / f"Pulumi.{stack}.yaml"
    known = sorted(one.name.split(".")[1] for one in root.glob("Pulumi.*.yaml"))
    if stack not in known:
        raise ConfigurationError(
            f"there is no environment {stack!r}; there are {', '.join(known) or 'none here'}"
        )
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    config = loaded.get("config") if isinstance(loaded, dict) else None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} must hold a mapping `config`")
    recipients = config.get("trading:recipients") or []
    if not isinstance(recipients, list):
        raise ConfigurationError(f"{path}: trading:recipients must be a list of addresses")
    config_mode = config.get("trading:awsConfig")
    return Needs(
        environment=str(config.get("trading:environment") or stack),
        region=str(config.get("aws:region") or DEFAULT_REGION),
        settings=load_settings(overrides=config.get("trading:settings") or {}, environ={}),
        sender=str(config.get("trading:mailIdentity") or config.get("trading:sender") or ""),
        recipients=tuple(map(str, recipients)),
        verifies_recipients=bool(config.get("trading:verifyRecipients")),
        reserves_concurrency=bool(config.get("trading:reservedConcurrency")),
        judges_configuration=config_mode in ("rules", "full"),
        records_configuration=config_mode == "full",
    )
