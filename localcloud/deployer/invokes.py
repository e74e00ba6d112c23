"""What the program asks AWS: its account, region, partition, zones, registry login, policies."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.deployer.cloud import Cloud
from localcloud.deployer.errors import UnknownResourceError

Arguments = Mapping[str, Any]


def answer(token: str, arguments: Arguments, cloud: Cloud) -> dict[str, Any]:
    """Return what an AWS data source answers; an unknown one raises `UnknownResourceError`."""
    if token not in _ANSWERS:
        raise UnknownResourceError(
            f"the program asks for {token}, which the embedded cloud does not answer:"
            " add it in localcloud/deployer/invokes.py"
        )
    return _ANSWERS[token](arguments, cloud)


def _caller_identity(_: Arguments, cloud: Cloud) -> dict[str, Any]:
    caller = cloud.client("sts").get_caller_identity()
    return {
        "accountId": caller["Account"],
        "arn": caller["Arn"],
        "id": caller["Account"],
        "userId": caller["UserId"],
    }


def _region(_: Arguments, cloud: Cloud) -> dict[str, Any]:
    region = cloud.region
    return {
        "id": region,
        "name": region,
        "region": region,
        "description": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def _partition(_: Arguments, cloud: Cloud) -> dict[str, Any]:  # noqa: ARG001
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def _availability_zones(_: Arguments, cloud: Cloud) -> dict[str, Any]:
    zones = cloud.client("ec2").describe_availability_zones()["AvailabilityZones"]
    return {
        "id": cloud.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": [cloud.region],
    }


def _authorization_token(_: Arguments, cloud: Cloud) -> dict[str, Any]:
    data = cloud.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _colon, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "id": cloud.region,
        "region": cloud.region,
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].isoformat(),
        "proxyEndpoint": data["proxyEndpoint"],
        "userName": user,
        "password": password,
    }


def _policy_document(arguments: Arguments, cloud: Cloud) -> dict[str, Any]:  # noqa: ARG001
    statements = [_statement(statement) for statement in arguments.get("statements") or []]
    document = {"Version": arguments.get("version") or "2012-10-17", "Statement": statements}
    text = json.dumps(document)
    return {"id": str(hash(text)), "json": text, "minifiedJson": text}


_STATEMENT_NAMES = {
    "sid": "Sid",
    "actions": "Action",
    "notActions": "NotAction",
    "resources": "Resource",
    "notResources": "NotResource",
}


def _statement(statement: Arguments) -> dict[str, Any]:
    rendered: dict[str, Any] = {"Effect": statement.get("effect") or "Allow"}
    rendered |= {
        rendered_as: statement[key]
        for key, rendered_as in _STATEMENT_NAMES.items()
        if statement.get(key)
    }
    if principals := statement.get("principals"):
        rendered["Principal"] = {one["type"]: one["identifiers"] for one in principals}
    conditions: dict[str, dict[str, Any]] = {}
    for condition in statement.get("conditions") or []:
        conditions.setdefault(condition["test"], {})[condition["variable"]] = condition["values"]
    return rendered | ({"Condition": conditions} if conditions else {})


_ANSWERS: Mapping[str, Callable[[Arguments, Cloud], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _authorization_token,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
}
