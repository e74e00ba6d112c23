"""What watches over the account: the budget, the audit trail, AWS Config's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import budgets, cfg, cloudtrail, cloudwatch, iam, s3

from stacks.alarm_catalogue import METRICS_NAMESPACE
from stacks.alarms import AlarmSpec, Metric, make_alarm
from stacks.buckets import BucketArgs, PrivateBucket, make_bucket
from stacks.deployment import Deployment
from stacks.log_groups import make_log_group
from stacks.policies import Statement
from stacks.roles import RoleArgs, make_role

# Percent of the budget, of what was spent or of what the month is forecast to cost.
THRESHOLDS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
RECORD_DAYS = 400
# AWS's managed rules by what they judge; all are asked when something changes, none by the clock.
RULES: Mapping[str, str] = {
    "dynamodb-table-deletion-protection-enabled": "AWS::DynamoDB::Table",
    "iam-policy-no-statements-with-admin-access": "AWS::IAM::Policy",
    "lambda-function-public-access-prohibited": "AWS::Lambda::Function",
    "s3-bucket-level-public-access-prohibited": "AWS::S3::Bucket",
    "s3-bucket-ssl-requests-only": "AWS::S3::Bucket",
    "s3-bucket-versioning-enabled": "AWS::S3::Bucket",
    "s3-default-encryption-kms": "AWS::S3::Bucket",
    "secretsmanager-rotation-enabled-check": "AWS::SecretsManager::Secret",
}
# A call of one of this environment's roles that was refused.
DENIED = (
    '{{ ($.errorCode = "AccessDenied*" || $.errorCode = "*UnauthorizedOperation") &&'
    ' $.userIdentity.sessionContext.sessionIssuer.userName = "{prefix}-*" }}'
)


@dataclass(frozen=True)
class GovernanceArgs:
    """The arguments of `Governance`.

    Attributes
    ----------
    topics : severity to the ARN of its topic
    budget_usd : what the account may cost a month; none is no budget
    trail : whether writes to the buckets and administrative calls are recorded
    config : `off`; `rules`, where the account records already; `full`, rules and recorder
    logs : the bucket that requests to the bucket of records are logged in
    watched_buckets : the buckets whose objects matter
    """

    deployment: Deployment
    topics: Mapping[str, pulumi.Input[str]]
    budget_usd: float | None
    trail: bool
    config: str
    logs: PrivateBucket
    watched_buckets: Sequence[s3.Bucket]


class Governance(pulumi.ComponentResource):
    """Budget, trail and rules, each switched by the environment's configuration."""

    def __init__(
        self, name: str, args: GovernanceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:governance:Governance", name, None, opts)
        self._args = args
        if args.budget_usd is not None:
            self._budget(args.budget_usd)
        if args.trail or args.config == "full":
            records = BucketArgs(
                args.deployment, "audit", self._admit, expire_days=RECORD_DAYS, logs=args.logs
            )
            self._records = make_bucket(records, self)
        if args.trail:
            self._trail()
        if args.config != "off":
            self._rules()
        self.register_outputs({})

    def _budget(self, usd: float) -> None:
        """Watch what the whole account costs.

        A filter by tag would see nothing until someone has switched the tags on in the console.
        """
        deployment = self._args.deployment
        budgets.Budget(
            "budget",
            name=deployment.name("budget"),
            budget_type="COST",
            limit_amount=f"{usd:.2f}",
            limit_unit="USD",
            time_unit="MONTHLY",
            notifications=[
                budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_sns_topic_arns=[self._args.topics["warning"]],
                )
                for kind, percent in THRESHOLDS
            ],
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _admit(self, bucket: s3.Bucket) -> list[Statement]:
        """Return what CloudTrail and AWS Config need of the bucket that they write into."""
        deployment = self._args.deployment
        trail = deployment.arn("cloudtrail", f"trail/{deployment.name('trail')}")
        account = {"aws:SourceAccount": deployment.account}
        return [
            *_admit("cloudtrail", bucket, deployment, {"aws:SourceArn": trail}),
            *_admit("config", bucket, deployment, account),
        ]

    def _trail(self) -> None:
        deployment, records = self._args.deployment, self._records
        group = make_log_group("trail", "/aws/cloudtrail", deployment, self)
        role = make_role(
            RoleArgs(
                deployment=deployment,
                key="trail",
                name=deployment.name("trail"),
                description="What CloudTrail writes its log group as",
                service="cloudtrail.amazonaws.com",
                statements=[
                    Statement(
                        "WriteLogs",
                        ["logs:CreateLogStream", "logs:PutLogEvents"],
                        [pulumi.Output.concat(group.arn, ":*")],
                    )
                ],
            ),
            self,
        )
        cloudtrail.Trail(
            "trail",
            name=deployment.name("trail"),
            s3_bucket_name=records.bucket.bucket,
            s3_key_prefix="cloudtrail",
            kms_key_id=deployment.key,
            enable_log_file_validation=True,
            include_global_service_events=True,
            is_multi_region_trail=True,
            cloud_watch_logs_group_arn=pulumi.Output.concat(group.arn, ":*"),
            cloud_watch_logs_role_arn=role.arn,
            advanced_event_selectors=self._selectors(),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[records.policy, role.policy]),
        )
        self._count_denied(group)

    def _selectors(self) -> list[cloudtrail.TrailAdvancedEventSelectorArgs]:
        """Select what changes something: reads of a lake would cost more than the lake."""
        field = cloudtrail.TrailAdvancedEventSelectorFieldSelectorArgs
        objects = [pulumi.Output.concat(b.arn, "/") for b in self._args.watched_buckets]
        return [
            cloudtrail.TrailAdvancedEventSelectorArgs(
                name="Administrative writes",
                field_selectors=[
                    field(field="eventCategory", equals=["Management"]),
                    field(field="readOnly", equals=["false"]),
                ],
            ),
            cloudtrail.TrailAdvancedEventSelectorArgs(
                name="Writes to objects",
                field_selectors=[
                    field(field="eventCategory", equals=["Data"]),
                    field(field="resources.type", equals=["AWS::S3::Object"]),
                    field(field="readOnly", equals=["false"]),
                    field(field="resources.ARN", starts_withs=objects),
                ],
            ),
        ]

    def _count_denied(self, group: cloudwatch.LogGroup) -> None:
        deployment = self._args.deployment
        namespace = f"{METRICS_NAMESPACE}/{deployment.environment}"
        cloudwatch.LogMetricFilter(
            "access-denied",
            name=deployment.name("access-denied"),
            log_group_name=group.name,
            pattern=DENIED.format(prefix=deployment.prefix),
            metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=namespace, name="AccessDenied", value="1"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        spec = AlarmSpec(
            "access-denied",
            "A role of this environment was refused a call: a defect, or someone trying.",
            "critical",
            {"denied": Metric(namespace, "AccessDenied", {})},
        )
        make_alarm(spec, deployment, self._args.topics, self)

    def _rules(self) -> None:
        deployment = self._args.deployment
        needs = [self._recorder()] if self._args.config == "full" else []
        for rule, judged in RULES.items():
            cfg.Rule(
                rule,
                name=deployment.name(rule),
                source=cfg.RuleSourceArgs(
                    owner="AWS", source_identifier=rule.upper().replace("-", "_")
                ),
                scope=cfg.RuleScopeArgs(compliance_resource_types=[judged]),
                tags=deployment.tags,
                opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
            )

    def _recorder(self) -> cfg.RecorderStatus:
        """Record every change of every resource, as AWS's own role for it."""
        deployment = self._args.deployment
        role = iam.ServiceLinkedRole(
            "config",
            aws_service_name="config.amazonaws.com",
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        recorder = cfg.Recorder(
            "recorder",
            name=deployment.name("recorder"),
            role_arn=role.arn,
            recording_group=cfg.RecorderRecordingGroupArgs(
                all_supported=True, include_global_resource_types=True
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        channel = cfg.DeliveryChannel(
            "channel",
            name=deployment.name("records"),
            s3_bucket_name=self._records.bucket.bucket,
            s3_key_prefix="config",
            s3_kms_key_arn=deployment.key,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[recorder, self._records.policy]),
        )
        return cfg.RecorderStatus(
            "recorder",
            name=recorder.name,
            is_enabled=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[channel]),
        )


def _admit(
    service: str, bucket: s3.Bucket, deployment: Deployment, source: Mapping[str, str]
) -> list[Statement]:
    """Return what a service needs to write records under the prefix of its name."""
    name, whoever = service.capitalize(), {"Service": f"{service}.amazonaws.com"}
    records = pulumi.Output.concat(bucket.arn, f"/{service}/AWSLogs/{deployment.account}/*")
    owned = {"s3:x-amz-acl": "bucket-owner-full-control"}
    return [
        Statement(
            f"{name}LooksAtBucket",
            ["s3:GetBucketAcl", "s3:ListBucket"],
            [bucket.arn],
            principals=whoever,
            conditions={"StringEquals": source},
        ),
        Statement(
            f"{name}WritesRecords",
            ["s3:PutObject"],
            [records],
            principals=whoever,
            conditions={"StringEquals": {**source, **owned}},
        ),
    ]
