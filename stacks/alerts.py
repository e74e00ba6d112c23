"""Who is told when something fails: a topic for each severity, and the queue of dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import kms, sns, sqs

from stacks.deployment import Deployment
from stacks.encryption import make_key
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
# Alarms, and the budget.
PUBLISHERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com")
DEAD_LETTER_SECONDS = 14 * 24 * 3600
# Critical: the month or the day did not come, or nobody would be told. Warning: look at it today.
SEVERITIES = ("critical", "warning")


@dataclass(frozen=True)
class AlertsArgs:
    """The arguments of `Alerts`.

    Attributes
    ----------
    emails : severity to the address that is subscribed, if any
    """

    deployment: Deployment
    emails: Mapping[str, str | None]


class Alerts(pulumi.ComponentResource):
    """The topics of alerts, their key, and the queue of events that could not be delivered.

    The key is not that of the data: alerts go out whatever happens to the other.

    Attributes
    ----------
    topics : severity (`critical`, `warning`) to topic
    key, dead_letters
    """

    topics: Mapping[str, sns.Topic]
    key: kms.Key
    dead_letters: sqs.Queue

    def __init__(
        self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:alerts:Alerts", name, None, opts)
        self._deployment = args.deployment
        self.key = self._key()
        self.topics = {
            severity: self._topic(severity, args.emails.get(severity)) for severity in SEVERITIES
        }
        self.dead_letters = self._dead_letters()
        self.register_outputs(
            {
                "topics": {severity: topic.arn for severity, topic in self.topics.items()},
                "dead_letters": self.dead_letters.arn,
            }
        )

    def _key(self) -> kms.Key:
        """Return a key of our own: alarms and budgets cannot publish under the managed one."""
        deployment = self._deployment
        publish = Statement(
            "PublishEncrypted",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            ["*"],
            principals={"Service": list(PUBLISHERS)},
            conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
        )
        what = f"Alerts of {deployment.prefix}"
        return make_key(deployment, "alerts", what, [publish], self)

    def _topic(self, severity: str, email: str | None) -> sns.Topic:
        deployment, key = self._deployment, f"alerts-{severity}"
        topic = sns.Topic(
            key,
            name=deployment.name(key),
            kms_master_key_id=self.key.arn,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        inside = pulumi.ResourceOptions(parent=topic)
        publish = Statement(
            "PublishAlarms",
            ["sns:Publish"],
            [topic.arn],
            principals={"Service": list(PUBLISHERS)},
            conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
        )
        sns.TopicPolicy(
            key,
            arn=topic.arn,
            policy=document([publish, require_tls(TOPIC_ACTIONS, [topic.arn])]),
            opts=inside,
        )
        if email:
            sns.TopicSubscription(
                key, topic=topic.arn, protocol="email", endpoint=email, opts=inside
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
