"""What a call needs: its actions, on which resources, in which context.

Source: AWS Service Authorization Reference.
"""

import base64
import binascii
from collections.abc import Iterator
from email import message_from_bytes
from email.utils import parseaddr
from typing import Any

from localcloud.identity.call import ApiCall
from localcloud.identity.policy import Requirement
from localcloud.identity.resources import Place, named_resource
from localcloud.identity.storage_access import dynamodb_requirements, key_use, s3_requirements

_PREFIXES = {
    "stepfunctions": "states",
    "sesv2": "ses",
}
_ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "ListTags"): "lambda:ListTags",
}
# (service, operation) -> the service a role is passed to, and where the call names the role
_PASSED_ROLES = {
    ("lambda", "CreateFunction"): ("lambda.amazonaws.com", ("Role",)),
    ("lambda", "UpdateFunctionConfiguration"): ("lambda.amazonaws.com", ("Role",)),
    ("stepfunctions", "CreateStateMachine"): ("states.amazonaws.com", ("roleArn",)),
    ("stepfunctions", "UpdateStateMachine"): ("states.amazonaws.com", ("roleArn",)),
    ("sagemaker", "CreateTrainingJob"): ("sagemaker.amazonaws.com", ("RoleArn",)),
    ("scheduler", "CreateSchedule"): ("scheduler.amazonaws.com", ("Target", "RoleArn")),
    ("scheduler", "UpdateSchedule"): ("scheduler.amazonaws.com", ("Target", "RoleArn")),
    ("events", "PutTargets"): ("events.amazonaws.com", ("Targets", "RoleArn")),
}


def requirements(call: ApiCall, place: Place) -> list[Requirement]:
    """Return every permission that the caller needs for a call; all must be given."""
    if call.service == "s3":
        return list(s3_requirements(call, place))
    if call.service == "dynamodb":
        return list(dynamodb_requirements(call, place))
    if call.service in {"ses", "sesv2"} and call.operation in {"SendEmail", "SendRawEmail"}:
        return list(_sending(call, place))
    prefix = _PREFIXES.get(call.service, call.service)
    action = _ACTIONS.get((call.service, call.operation), f"{prefix}:{call.operation}")
    found = [Requirement(action, _resource(call, place), _context(call))]
    if call.service == "sagemaker" and call.parameters.get("Tags"):
        found.append(Requirement("sagemaker:AddTags", found[0].resource))
    if call.service == "sns" and call.operation in {"Publish", "PublishBatch"}:
        found += _topic_key(found[0].resource, place)
    if call.service == "secretsmanager":
        found += _secret_key(call, found[0].resource, place)
    return found + list(_passed_roles(call))


def _topic_key(topic: str, place: Place) -> list[Requirement]:
    """Return what it takes to publish on a topic that a customer's key encrypts."""
    from moto.sns.models import sns_backends

    held = sns_backends[place.account][place.region].topics.get(topic)
    key = getattr(held, "kms_master_key_id", None)
    return [
        *key_use("kms:GenerateDataKey", key, "sns", place),
        *key_use("kms:Decrypt", key, "sns", place),
    ]


def _secret_key(call: ApiCall, secret: str, place: Place) -> list[Requirement]:
    """Return what it takes to read or write a secret that a customer's key encrypts."""
    from moto.secretsmanager.models import secretsmanager_backends

    actions = {"GetSecretValue": "kms:Decrypt", "PutSecretValue": "kms:GenerateDataKey"}
    if call.operation not in actions:
        return []
    secrets = secretsmanager_backends[place.account][place.region].secrets
    held = secrets.get(secret) if secret in secrets else None
    key = getattr(held, "kms_key_id", None)
    return list(key_use(actions[call.operation], key, "secretsmanager", place))


def _resource(call: ApiCall, place: Place) -> str:
    parameters = call.parameters
    match call.service:
        case "iam":
            return _iam_resource(call, place)
        case "sts":
            return str(parameters.get("RoleArn", "*"))
        case "scheduler":
            group = parameters.get("GroupName") or parameters.get("groupName") or "default"
            name = parameters.get("Name")
            if name is None:
                return str(parameters.get("ResourceArn", "*"))
            if call.operation.endswith("ScheduleGroup"):
                return place.arn("scheduler", f"schedule-group/{name}")
            return place.arn("scheduler", f"schedule/{group}/{name}")
        case "events" if call.operation == "PutEvents":
            buses = {str(e.get("EventBusName", "default")) for e in parameters.get("Entries", [])}
            bus = min(buses, default="default").rpartition("/")[2]
            return place.arn("events", f"event-bus/{bus}")
        case "sesv2":
            return _ses_resource(call, place)
        case "secretsmanager" if call.operation != "CreateSecret":
            return _secret(str(parameters.get("SecretId", "")), place)
    return named_resource(call.service, call.operation, parameters, place)


def _iam_resource(call: ApiCall, place: Place) -> str:
    for name, kind in (("RoleName", "role"), ("UserName", "user"), ("GroupName", "group")):
        if call.parameters.get(name):
            return place.global_arn("iam", f"{kind}/{call.parameters[name]}")
    if call.parameters.get("PolicyName"):
        return place.global_arn("iam", f"policy/{call.parameters['PolicyName']}")
    return str(call.parameters.get("PolicyArn", "*"))


def _secret(name: str, place: Place) -> str:
    """Return a secret's whole ARN, with the random suffix that its name does not have."""
    from moto.secretsmanager.models import secretsmanager_backends

    if name.startswith("arn:") or not name:
        return name or "*"
    found = secretsmanager_backends[place.account][place.region].secrets.get(name)
    return str(found.arn) if found is not None else place.arn("secretsmanager", f"secret:{name}")


def _ses_resource(call: ApiCall, place: Place) -> str:
    for name, kind in (
        ("ConfigurationSetName", "configuration-set"),
        ("EmailIdentity", "identity"),
        ("ContactListName", "contact-list"),
    ):
        if call.parameters.get(name):
            return place.arn("ses", f"{kind}/{call.parameters[name]}")
    return str(call.parameters.get("ResourceArn", "*"))


def _context(call: ApiCall) -> dict[str, tuple[str, ...]]:
    context: dict[str, tuple[str, ...]] = {}
    if call.service == "cloudwatch" and call.parameters.get("Namespace"):
        context["cloudwatch:namespace"] = (str(call.parameters["Namespace"]),)
    if call.service == "sagemaker" and call.operation == "CreateTrainingJob":
        instance = call.parameters.get("ResourceConfig", {}).get("InstanceType")
        if instance:
            context["sagemaker:InstanceTypes"] = (str(instance),)
    return context


def _passed_roles(call: ApiCall) -> Iterator[Requirement]:
    service, path = _PASSED_ROLES.get((call.service, call.operation), ("", ()))
    nodes: list[Any] = [call.parameters] if path else []
    for name in path:
        nodes = [node[name] for node in nodes if isinstance(node, dict) and node.get(name)]
        nodes = [one for node in nodes for one in (node if isinstance(node, list) else [node])]
    for role in dict.fromkeys(nodes):
        yield Requirement("iam:PassRole", str(role), {"iam:PassedToService": (service,)})


def _sending(call: ApiCall, place: Place) -> Iterator[Requirement]:
    """Yield what sending a mail needs: the identity it is from, and the configuration set."""
    parameters = call.parameters
    content = parameters.get("Content", {})
    raw = content.get("Raw", {}).get("Data") if isinstance(content, dict) else None
    sender = parameters.get("FromEmailAddress") or parameters.get("Source")
    if not sender:
        sender = _header_sender(raw or parameters.get("RawMessage.Data"))
    address = parseaddr(str(sender or ""))[1]
    is_raw = raw is not None or call.operation == "SendRawEmail"
    action = "ses:SendRawEmail" if is_raw else "ses:SendEmail"
    context = {"ses:FromAddress": (address,)}
    yield Requirement(action, place.arn("ses", f"identity/{identity_of(address, place)}"), context)
    configuration_set = parameters.get("ConfigurationSetName")
    if configuration_set:
        resource = place.arn("ses", f"configuration-set/{configuration_set}")
        yield Requirement(action, resource, context)


def _header_sender(raw: Any) -> str:
    try:
        return str(message_from_bytes(base64.b64decode(raw or b""))["From"] or "")
    except (binascii.Error, ValueError):
        return ""


def identity_of(address: str, place: Place) -> str:
    """Return the SES identity that an address sends under: itself, else its domain."""
    from moto.ses.models import ses_backends

    known = ses_backends[place.account][place.region].email_identities
    domain = address.rpartition("@")[2]
    return domain if address not in known and domain in known else address
