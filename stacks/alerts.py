"""Who is told when something fails: the encrypted topic, dead letters and alarms."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, kms, sns, sqs

from stacks.deployment import Deployment
from stacks.policies import Statement, document, require_tls

TOPIC_ACTIONS = (
    "sns:AddPermission",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sns:RemovePermission",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
)
DEAD_LETTER_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class AlertsArgs:
    """The arguments of `Alerts`; `email` is subscribed to the topic, if given."""

    deployment: Deployment
    email: str | None = None


class Alerts(pulumi.ComponentResource):
    """The topic of alerts, with its key, and the queue of events that could not be delivered.

    Attributes
    ----------
    topic, key, dead_letters
    """

    topic: sns.Topic
    key: kms.Key
    dead_letters: sqs.Queue

    def __init__(
        self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:alerts:Alerts", name, None, opts)
        self._deployment = args.deployment
        self.key = self._key()
        self.topic = self._topic(args.email)
        self.dead_letters = self._dead_letters()
        self.register_outputs({"topic": self.topic.arn, "dead_letters": self.dead_letters.arn})

    def _key(self) -> kms.Key:
        """Return a key of our own: CloudWatch alarms cannot publish under the managed one."""
        deployment = self._deployment
        root = f"arn:{deployment.partition}:iam::{deployment.account}:root"
        key = kms.Key(
            "alerts",
            description=f"Alerts of {deployment.prefix}",
            enable_key_rotation=True,
            deletion_window_in_days=30 if deployment.protect else 7,
            policy=document(
                [
                    Statement("AdministerKey", ["kms:*"], ["*"], principals={"AWS": root}),
                    Statement(
                        "PublishEncrypted",
                        ["kms:Decrypt", "kms:GenerateDataKey"],
                        ["*"],
                        principals={"Service": "cloudwatch.amazonaws.com"},
                        conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
                    ),
                ]
            ),
            tags=deployment.tags,
            opts=deployment.stateful(self),
        )
        kms.Alias(
            "alerts",
            name=f"alias/{deployment.name('alerts')}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=key),
        )
        return key

    def _topic(self, email: str | None) -> sns.Topic:
        deployment = self._deployment
        topic = sns.Topic(
            "alerts",
            name=deployment.name("alerts"),
            kms_master_key_id=self.key.arn,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        inside = pulumi.ResourceOptions(parent=topic)
        alarms = Statement(
            "PublishAlarms",
            ["sns:Publish"],
            [topic.arn],
            principals={"Service": "cloudwatch.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
        )
        sns.TopicPolicy(
            "alerts",
            arn=topic.arn,
            policy=document([alarms, require_tls(TOPIC_ACTIONS, [topic.arn])]),
            opts=inside,
        )
        if email:
            sns.TopicSubscription(
                "alerts", topic=topic.arn, protocol="email", endpoint=email, opts=inside
            )
        return topic

    def _dead_letters(self) -> sqs.Queue:
        deployment = self._deployment
        queue = sqs.Queue(
            "dead-letters",
            name=deployment.name("dead-letters"),
            message_retention_seconds=DEAD_LETTER_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        rules = deployment.arn("events", f"rule/{deployment.prefix}-*")
        sqs.QueuePolicy(
            "dead-letters",
            queue_url=queue.url,
            policy=document(
                [
                    Statement(
                        "TakeUndelivered",
                        ["sqs:SendMessage"],
                        [queue.arn],
                        principals={"Service": "events.amazonaws.com"},
                        conditions={"ArnLike": {"aws:SourceArn": rules}},
                    ),
                    require_tls(["sqs:*"], [queue.arn]),
                ]
            ),
            opts=pulumi.ResourceOptions(parent=queue),
        )
        return queue


@dataclass(frozen=True)
class AlarmsArgs:
    """The arguments of `Alarms`.

    Attributes
    ----------
    topic : ARN that alarms are published to
    state_machines : name for its alarms to ARN
    dead_letters : name of the queue
    functions : names of the functions that nobody waits for
    """

    deployment: Deployment
    topic: pulumi.Input[str]
    state_machines: Mapping[str, pulumi.Input[str]]
    dead_letters: pulumi.Input[str]
    functions: Mapping[str, pulumi.Input[str]]


class Alarms(pulumi.ComponentResource):
    """Alarms on what fails where no state machine could tell of it."""

    def __init__(
        self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:alerts:Alarms", name, None, opts)
        self._args = args
        for machine, arn in args.state_machines.items():
            for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
                dimensions = {"StateMachineArn": arn}
                self._alarm(f"{machine}-{metric}", "AWS/States", metric, dimensions)
        queue = {"QueueName": args.dead_letters}
        visible = "ApproximateNumberOfMessagesVisible"
        self._alarm("dead-letters", "AWS/SQS", visible, queue, statistic="Maximum")
        for function, deployed in args.functions.items():
            self._alarm(f"{function}-errors", "AWS/Lambda", "Errors", {"FunctionName": deployed})
        self.register_outputs({})

    def _alarm(
        self,
        name: str,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, pulumi.Input[str]],
        statistic: str = "Sum",
    ) -> None:
        deployment = self._args.deployment
        cloudwatch.MetricAlarm(
            name,
            name=deployment.name(name.lower()),
            alarm_description=f"{namespace} {metric} is above zero in {deployment.prefix}",
            namespace=namespace,
            metric_name=metric,
            dimensions=dimensions,
            statistic=statistic,
            period=300,
            evaluation_periods=1,
            threshold=0,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic],
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
