"""Hand an event to a target: a function, a state machine, a topic, a queue, a log group.

A target with a role is called over the API with the role's credentials. Without one, the target's
own policy must admit the calling service, as on AWS.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.context import CloudContext
from localcloud.errors import CloudError
from localcloud.events.dispatcher import Again, Dead, Done, Result
from localcloud.events.outbox import Delivery, Pending
from localcloud.events.permission import policy_statements

TARGET = "target"
ASYNCHRONOUS = "lambda"
RETRIES = 185
MAX_AGE_SECONDS = 86_400
FINAL = ("AccessDenied", "NotFound", "DoesNotExist", "NonExistent", "Invalid", "Validation")


def target(
    arn: str,
    payload: str,
    *,
    service: str,
    source: str,
    role: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Delivery:
    """Return the delivery of a payload to a target.

    Parameters
    ----------
    arn
        The target.
    payload
        What it receives, text; JSON for a function, a state machine.
    service
        Service principal that calls it.
    source
        ARN of the rule, schedule, topic or function that it comes from.
    role
        Role that the service calls it with, if any.
    settings
        `RetryPolicy`, `DeadLetterConfig`, `SqsParameters` and their like of the target.
    """
    body = {"arn": arn, "payload": payload, "service": service, "source": source, "role": role}
    kept = ("RetryPolicy", "DeadLetterConfig", "SqsParameters")
    given = {name: (settings or {})[name] for name in kept if (settings or {}).get(name)}
    return Delivery(TARGET, {**body, "settings": given})


def asynchronous(function_arn: str, event: str) -> Delivery:
    """Return the delivery of an event (JSON text) to a function that is invoked later."""
    return Delivery(ASYNCHRONOUS, {"function": function_arn, "event": event})


class TargetRefusedError(CloudError):
    """The target does not exist, or its policy does not admit the call: a retry cannot help."""


class Targets:
    """Delivers to targets.

    Parameters
    ----------
    context
        The running cloud.
    """

    def __init__(self, context: CloudContext) -> None:
        self._context = context
        self._senders: Mapping[str, Callable[[Pending], tuple[Delivery, ...]]] = {
            "lambda": self._invoke,
            "states": self._start_execution,
            "sns": self._publish,
            "sqs": self._enqueue,
            "logs": self._log,
        }

    def deliver(self, pending: Pending) -> Result:
        """Hand over one payload; retries and dead letters follow the target's own settings."""
        body = pending.delivery.body
        send = self._senders.get(body["arn"].split(":")[2])
        if send is None:
            return self._dead(pending, f"{body['arn']} is no target that the local cloud calls")
        try:
            return Done(send(pending))
        except (TargetRefusedError, ClientError, BotoCoreError, CloudError) as error:
            return self._failed(pending, error)

    def _failed(self, pending: Pending, error: Exception) -> Result:
        policy = pending.delivery.body["settings"].get("RetryPolicy", {})
        retries = int(policy.get("MaximumRetryAttempts", RETRIES))
        oldest = float(policy.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS))
        expired = pending.attempts >= retries or time.time() - pending.created > oldest
        reason = f"{pending.delivery.body['arn']}: {error}"
        return self._dead(pending, reason) if expired or _is_final(error) else Again(reason)

    def _dead(self, pending: Pending, reason: str) -> Dead:
        body = pending.delivery.body
        queue = body["settings"].get("DeadLetterConfig", {}).get("Arn")
        if not queue:
            return Dead(reason)
        letter = target(
            queue,
            body["payload"],
            service=body["service"],
            source=body["source"],
            role=body["role"],
        )
        return Dead(reason, (letter,))

    def _client(self, pending: Pending, service: str) -> Any | None:
        """Return a client with the target's role; None when it has none."""
        body = pending.delivery.body
        if not body["role"]:
            return None
        name = f"localcloud-{pending.id}"
        keys = self._context.credentials_for_role(body["role"], name, service=body["service"])
        return self._context.client(service, keys)

    def _require(self, pending: Pending, action: str, statements: list[Mapping[str, Any]]) -> None:
        body = pending.delivery.body
        if not self._context.identity.service_allowed(
            body["service"], action, body["arn"], body["source"], statements
        ):
            raise TargetRefusedError(
                f"its policy does not let {body['service']} do {action} for {body['source']}"
            )

    def _invoke(self, pending: Pending) -> tuple[Delivery, ...]:
        body = pending.delivery.body
        client = self._client(pending, "lambda")
        if client is not None:
            client.invoke(
                FunctionName=body["arn"], InvocationType="Event", Payload=body["payload"].encode()
            )
            return ()
        from moto.awslambda.exceptions import UnknownFunctionException
        from moto.awslambda.utils import get_backend

        backend = get_backend(self._context.account, self._context.region)
        try:
            found = backend.get_function(body["arn"], None)
        except UnknownFunctionException as error:
            raise TargetRefusedError("there is no such function") from error
        self._require(pending, "lambda:InvokeFunction", list(found.policy.statements))
        return (asynchronous(body["arn"], body["payload"]),)

    def _start_execution(self, pending: Pending) -> tuple[Delivery, ...]:
        body = pending.delivery.body
        client = self._client(pending, "stepfunctions")
        if client is None:
            raise TargetRefusedError("a state machine is started with a role, and none is given")
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pending.id}-{pending.created}"))
        try:
            client.start_execution(stateMachineArn=body["arn"], name=name, input=body["payload"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
        return ()

    def _publish(self, pending: Pending) -> tuple[Delivery, ...]:
        body = pending.delivery.body
        client = self._client(pending, "sns")
        if client is not None:
            client.publish(TopicArn=body["arn"], Message=body["payload"])
            return ()
        from moto.sns.exceptions import TopicNotFound
        from moto.sns.models import sns_backends

        backend = sns_backends[self._context.account][self._context.region]
        try:
            topic = backend.get_topic(body["arn"])
        except TopicNotFound as error:
            raise TargetRefusedError("there is no such topic") from error
        self._require(pending, "sns:Publish", policy_statements(topic.policy))
        backend.publish(body["payload"], arn=body["arn"])
        return ()

    def _enqueue(self, pending: Pending) -> tuple[Delivery, ...]:
        body = pending.delivery.body
        group = body["settings"].get("SqsParameters", {}).get("MessageGroupId")
        name = body["arn"].rpartition(":")[2]
        client = self._client(pending, "sqs")
        if client is not None:
            url = f"{self._context.endpoint}/{self._context.account}/{name}"
            more = {"MessageGroupId": group} if group else {}
            client.send_message(QueueUrl=url, MessageBody=body["payload"], **more)
            return ()
        from moto.sqs.exceptions import QueueDoesNotExist
        from moto.sqs.models import sqs_backends

        backend = sqs_backends[self._context.account][self._context.region]
        try:
            queue = backend.get_queue(name)
        except QueueDoesNotExist as error:
            raise TargetRefusedError("there is no such queue") from error
        self._require(pending, "sqs:SendMessage", policy_statements(queue.policy))
        backend.send_message(name, body["payload"], group_id=group)
        return ()

    def _log(self, pending: Pending) -> tuple[Delivery, ...]:
        from moto.logs.models import logs_backends

        body = pending.delivery.body
        group = body["arn"].split(":log-group:")[-1].removesuffix(":*")
        backend = logs_backends[self._context.account][self._context.region]
        if group not in backend.groups:
            raise TargetRefusedError("there is no such log group")
        stream = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pending.id}-{pending.created}"))
        backend.create_log_stream(group, stream)
        event = {"timestamp": int(time.time() * 1000), "message": body["payload"]}
        backend.put_log_events(group, stream, [event])
        return ()


def _is_final(error: Exception) -> bool:
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        return any(word in code for word in FINAL)
    return isinstance(error, CloudError)


def as_json(value: Any) -> str:
    """Return a value as the JSON text that a target receives."""
    return json.dumps(value, separators=(",", ":"))
