"""SNS topics and SQS queues."""

import json
from typing import Any

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
    gone,
    handles,
    suppress_missing,
    tag_list,
)

DEFAULT_POLICY = "__default_policy_ID"


@handles("aws:sns/topic:Topic")
class Topic(Handler):
    """A topic."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the topic's ARN."""
        return f"arn:aws:sns:{self.cloud.region}:{self.cloud.account}:{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        if found(self.cloud.client("sns").get_topic_attributes, TopicArn=identity) is None:
            return None
        return Live(identity, {"arn": identity, "name": identity.rpartition(":")[2]})

    def create(self, inputs: Inputs) -> Live:
        """Create the topic."""
        client = self.cloud.client("sns")
        arn = str(client.create_topic(Name=inputs["name"], Tags=tag_list(inputs))["TopicArn"])
        self.update(arn, inputs)
        return Live(arn, {"arn": arn, "name": inputs["name"]})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the key that encrypts it."""
        self.cloud.client("sns").set_topic_attributes(
            TopicArn=identity,
            AttributeName="KmsMasterKeyId",
            AttributeValue=inputs.get("kmsMasterKeyId", ""),
        )

    def delete(self, identity: str) -> None:
        """Delete the topic."""
        gone(self.cloud.client("sns").delete_topic, TopicArn=identity)


@handles("aws:sns/topicPolicy:TopicPolicy")
class TopicPolicy(SettingHandler):
    """Who may publish; a topic without one has AWS's default."""

    replace_on = frozenset({"arn"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the topic's ARN."""
        return str(inputs["arn"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Return the policy; another one than the program's drifted, the default is none."""
        answer = found(self.cloud.client("sns").get_topic_attributes, TopicArn=identity)
        if answer is None:
            return None
        policy = json.loads(answer["Attributes"].get("Policy") or "{}")
        if policy.get("Id") == DEFAULT_POLICY:
            return None
        wanted = json.loads(inputs["policy"]) if "policy" in inputs else policy
        return Live(identity, drifted=policy != wanted)

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("sns").set_topic_attributes(
            TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
        )

    def delete(self, identity: str) -> None:
        """Leave the policy to the topic, which goes with it."""


@handles("aws:sns/topicSubscription:TopicSubscription")
class TopicSubscription(Handler):
    """A subscription; any change makes another one."""

    replace_on = frozenset({"endpoint", "protocol", "topic"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the ARN of an equal subscription of the topic, if there is one."""
        client = self.cloud.client("sns")
        answer = found(client.list_subscriptions_by_topic, TopicArn=inputs["topic"])
        for subscription in (answer or {}).get("Subscriptions", []):
            same = (subscription["Protocol"], subscription["Endpoint"])
            if same == (inputs["protocol"], inputs["endpoint"]):
                return str(subscription["SubscriptionArn"])
        return None

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN."""
        call = self.cloud.client("sns").get_subscription_attributes
        if found(call, SubscriptionArn=identity) is None:
            return None
        return Live(identity, {"arn": identity})

    def create(self, inputs: Inputs) -> Live:
        """Subscribe."""
        answer = self.cloud.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
        )
        arn = str(answer["SubscriptionArn"])
        return Live(arn, {"arn": arn})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Leave it: every input that could change makes another subscription."""

    def delete(self, identity: str) -> None:
        """Unsubscribe."""
        gone(self.cloud.client("sns").unsubscribe, SubscriptionArn=identity)


@handles("aws:sqs/queue:Queue")
class Queue(Handler):
    """A queue; its id is its URL."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the queue's URL, if it exists."""
        with suppress_missing():
            answer = self.cloud.client("sqs").get_queue_url(QueueName=inputs["name"])
            return str(answer["QueueUrl"])
        return None

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN, URL and name."""
        answer = found(
            self.cloud.client("sqs").get_queue_attributes,
            QueueUrl=identity,
            AttributeNames=["QueueArn"],
        )
        if answer is None:
            return None
        arn = answer["Attributes"]["QueueArn"]
        return Live(identity, {"arn": arn, "url": identity, "name": arn.rpartition(":")[2]})

    def create(self, inputs: Inputs) -> Live:
        """Create the queue."""
        answer = self.cloud.client("sqs").create_queue(
            QueueName=inputs["name"],
            Attributes=_queue_attributes(inputs),
            tags=inputs.get("tags") or {},
        )
        url, name = str(answer["QueueUrl"]), inputs["name"]
        arn = f"arn:aws:sqs:{self.cloud.region}:{self.cloud.account}:{name}"
        return Live(url, {"arn": arn, "url": url, "name": name})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the attributes."""
        self.cloud.client("sqs").set_queue_attributes(
            QueueUrl=identity, Attributes=_queue_attributes(inputs)
        )

    def delete(self, identity: str) -> None:
        """Delete the queue."""
        gone(self.cloud.client("sqs").delete_queue, QueueUrl=identity)


def _queue_attributes(inputs: Inputs) -> dict[str, Any]:
    names = {
        "messageRetentionSeconds": "MessageRetentionPeriod",
        "sqsManagedSseEnabled": "SqsManagedSseEnabled",
        "visibilityTimeoutSeconds": "VisibilityTimeout",
    }
    chosen = {name: inputs[key] for key, name in names.items() if inputs.get(key) is not None}
    return {name: str(value).lower() for name, value in chosen.items()}


@handles("aws:sqs/queuePolicy:QueuePolicy")
class QueuePolicy(SettingHandler):
    """Who may send; its id is the queue's URL."""

    replace_on = frozenset({"queueUrl"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the queue's URL."""
        return str(inputs["queueUrl"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the policy."""
        answer = found(
            self.cloud.client("sqs").get_queue_attributes,
            QueueUrl=identity,
            AttributeNames=["Policy"],
        )
        return Live(identity) if answer and "Policy" in answer.get("Attributes", {}) else None

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("sqs").set_queue_attributes(
            QueueUrl=inputs["queueUrl"], Attributes={"Policy": inputs["policy"]}
        )

    def delete(self, identity: str) -> None:
        """Remove the policy."""
        gone(
            self.cloud.client("sqs").set_queue_attributes,
            QueueUrl=identity,
            Attributes={"Policy": ""},
        )
