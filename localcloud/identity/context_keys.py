"""The condition keys of a request: who asks, from where, with which tags, for which keys.

Source: AWS IAM User Guide, "AWS global condition context keys".
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from localcloud.identity.call import ApiCall
from localcloud.identity.principals import Principal
from localcloud.identity.resources import Place

Keys = dict[str, tuple[str, ...]]
_LOOPBACK = "127.0.0.1"


def principal_keys(principal: Principal, tags: Mapping[str, str], place: Place) -> Keys:
    """Return the keys that depend on the caller alone, and the time."""
    name = principal.role_name or principal.user_name or ""
    kind = "role" if principal.role_name else "user"
    now = datetime.now(UTC)
    found: Keys = {
        "aws:PrincipalArn": (place.global_arn("iam", f"{kind}/{name}"),),
        "aws:PrincipalAccount": (principal.account,),
        "aws:PrincipalType": ("AssumedRole" if principal.role_name else "User",),
        "aws:PrincipalIsAWSService": ("false",),
        "aws:ViaAWSService": ("false",),
        "aws:RequestedRegion": (place.region,),
        "aws:ResourceAccount": (place.account,),
        "aws:SourceIp": (_LOOPBACK,),
        "aws:CurrentTime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:EpochTime": (str(int(now.timestamp())),),
        # the loopback device stands in for TLS: nothing leaves the machine
        "aws:SecureTransport": ("true",),
    }
    if principal.user_name:
        found["aws:username"] = (principal.user_name,)
    return found | {f"aws:PrincipalTag/{key}": (value,) for key, value in tags.items()}


def request_keys(call: ApiCall) -> Keys:
    """Return the keys of the tags that a call gives."""
    tags = dict(_tags(call.parameters.get("Tags") or call.parameters.get("tags")))
    if not tags:
        return {}
    return {
        "aws:TagKeys": tuple(tags),
        **{f"aws:RequestTag/{name}": (value,) for name, value in tags.items()},
    }


def _tags(given: Any) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        yield from ((str(name), str(value)) for name, value in given.items())
    for one in given if isinstance(given, list) else ():
        if isinstance(one, Mapping):
            name = next((one[k] for k in ("Key", "key", "TagKey") if k in one), None)
            value = next((one[k] for k in ("Value", "value", "TagValue") if k in one), "")
            if name is not None:
                yield str(name), str(value)


def resource_tags(resource: str, place: Place) -> Keys:
    """Return the keys of a resource's tags, for tables, functions, queues and secrets."""
    service, name = resource.split(":")[2], resource.rpartition(":")[2]
    found: Any = ()
    if service == "dynamodb":
        from moto.dynamodb.models import dynamodb_backends

        tables = dynamodb_backends[place.account][place.region].tables
        table = tables.get(name.removeprefix("table/").partition("/")[0])
        found = getattr(table, "tags", None)
    elif service == "lambda":
        from moto.awslambda.exceptions import UnknownFunctionException
        from moto.awslambda.utils import get_backend

        with suppress(UnknownFunctionException):
            found = get_backend(place.account, place.region).get_function(resource, None).tags
    elif service == "sqs":
        from moto.sqs.models import sqs_backends

        found = getattr(sqs_backends[place.account][place.region].queues.get(name), "tags", None)
    elif service == "secretsmanager":
        from moto.secretsmanager.models import secretsmanager_backends

        secrets = secretsmanager_backends[place.account][place.region].secrets
        found = getattr(secrets.get(resource) if resource in secrets else None, "tags", None)
    return {f"aws:ResourceTag/{key}": (value,) for key, value in _tags(found or ())}


def leading_keys(table: Any, parameters: Mapping[str, Any], operation: str) -> Keys:
    """Return `dynamodb:LeadingKeys`: the partition keys that a call of one table names."""
    if table is None:
        return {}
    name = table.hash_key_attr
    items = [parameters.get("Key"), parameters.get("Item"), *(parameters.get("Keys") or ())]
    for one in parameters.get("Writes") or ():
        items += [one.get("PutRequest", {}).get("Item"), one.get("DeleteRequest", {}).get("Key")]
    values = [_value(item[name]) for item in items if item and name in item]
    if operation == "Query":
        values += _queried(name, parameters)
    return {"dynamodb:LeadingKeys": tuple(dict.fromkeys(values))} if values else {}


def _value(typed: Any) -> str:
    return str(next(iter(typed.values()), "")) if isinstance(typed, Mapping) else str(typed)


def _queried(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return the partition key that a Query's condition compares with."""
    names = parameters.get("ExpressionAttributeNames") or {}
    values = parameters.get("ExpressionAttributeValues") or {}
    condition = str(parameters.get("KeyConditionExpression") or "")
    return [
        _value(values[placed])
        for left, placed in re.findall(r"([#\w.]+)\s*=\s*(:\w+)", condition)
        if names.get(left, left) == name and placed in values
    ]
