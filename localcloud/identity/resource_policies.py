"""Policies that hang on a resource: buckets, topics, queues, keys, functions, secrets, registries.

Source: AWS IAM User Guide, "Identity-based policies and resource-based policies" and "Policy
evaluation logic"; AWS KMS Developer Guide, "Key policies".
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.identity.policy import Statement, parse
from localcloud.identity.resources import Place

_S3 = "arn:aws:s3:::"


@dataclass(frozen=True)
class ResourcePolicy:
    """What a resource's policy says of one caller.

    Attributes
    ----------
    naming
        Statements that name the caller, its role, or everybody: an Allow among them suffices.
    delegating
        Statements that name the account: an Allow lets the caller's own policies decide.
    rules
        Whether nothing is allowed that it does not allow, as with keys.
    """

    naming: tuple[Statement, ...] = ()
    delegating: tuple[Statement, ...] = ()
    rules: bool = False


def resource_policy(
    resource: str, names: Iterable[str], account: Iterable[str], place: Place
) -> ResourcePolicy:
    """Return what the policy of a resource says of a caller.

    `names` are the ARNs by which a policy can mean the caller itself, `account` those of its
    account. Raises `CloudError` for a policy that is not evaluated here.
    """
    service = resource.split(":")[2] if resource.count(":") >= 5 else ""
    read = _READERS.get(service)
    found = read(resource, place) if read is not None else None
    if found is None:
        return ResourcePolicy()
    statements = parse(*found)
    naming = tuple(one for one in statements if _admits(one, names))
    delegating = tuple(one for one in statements if one not in naming and _admits(one, account))
    return ResourcePolicy(naming, delegating, rules=service == "kms")


def _admits(statement: Statement, names: Iterable[str]) -> bool:
    return any(statement.admits("AWS", one) for one in names)


_Named = tuple[str, str]


def _bucket(resource: str, place: Place) -> _Named | None:
    from moto.s3.models import s3_backends

    name = resource.removeprefix(_S3).partition("/")[0]
    bucket = s3_backends[place.account]["aws"].buckets.get(name)
    return _policy(f"policy of {name}", bucket.policy if bucket is not None else None)


def _topic(resource: str, place: Place) -> _Named | None:
    from moto.sns.models import sns_backends

    topic = sns_backends[place.account][place.region].topics.get(resource)
    return _policy(f"policy of {_last(resource)}", getattr(topic, "policy", None))


def _queue(resource: str, place: Place) -> _Named | None:
    from moto.sqs.models import sqs_backends

    name = _last(resource)
    queue = sqs_backends[place.account][place.region].queues.get(name)
    return _policy(f"policy of {name}", getattr(queue, "policy", None))


def _key(resource: str, place: Place) -> _Named | None:
    from moto.kms.models import kms_backends

    backend = kms_backends[place.account][place.region]
    identity = resource.rpartition("key/")[2]
    key = backend.keys.get(identity)
    return _policy(f"policy of key/{identity}", getattr(key, "policy", None))


def _function(resource: str, place: Place) -> _Named | None:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.utils import get_backend

    name = resource.partition(":function:")[2].partition(":")[0]
    try:
        found = get_backend(place.account, place.region).get_function(name, None)
    except UnknownFunctionException:
        return None
    if not found.policy.statements:
        return None
    statements = [_with_principal(one) for one in found.policy.statements]
    document = json.dumps({"Statement": statements}, default=str)
    return _policy(f"policy of {name}", document)


def _with_principal(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a statement that says what kind its principal is, which moto leaves out for roles."""
    named = statement.get("Principal")
    if not isinstance(named, str) or named == "*":
        return statement
    return {**statement, "Principal": {"AWS": named}}


def _secret(resource: str, place: Place) -> _Named | None:
    from moto.secretsmanager.models import secretsmanager_backends

    secrets: Any = secretsmanager_backends[place.account][place.region].secrets
    secret = secrets.get(resource) if resource in secrets else None
    return _policy(f"policy of {_last(resource)}", getattr(secret, "policy", None))


def _repository(resource: str, place: Place) -> _Named | None:
    from moto.ecr.models import ecr_backends

    name = resource.partition(":repository/")[2]
    repository = ecr_backends[place.account][place.region].repositories.get(name)
    return _policy(f"policy of repository/{name}", getattr(repository, "policy", None))


_READERS: Mapping[str, Callable[[str, Place], _Named | None]] = {
    "ecr": _repository,
    "kms": _key,
    "lambda": _function,
    "s3": _bucket,
    "secretsmanager": _secret,
    "sns": _topic,
    "sqs": _queue,
}


def _policy(name: str, document: bytes | str | None) -> _Named | None:
    if not document:
        return None
    return name, document.decode() if isinstance(document, bytes) else str(document)


def _last(resource: str) -> str:
    return resource.rpartition(":")[2]
