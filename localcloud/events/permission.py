"""What a resource's own policy lets a service of AWS do."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.identity.policy import Requirement, Statement, evaluate, parse


def service_may(
    statements: Sequence[Mapping[str, Any]],
    service: str,
    action: str,
    resource: str,
    source: str,
) -> bool:
    """Tell whether a resource policy admits a call of a service on behalf of another resource.

    Parameters
    ----------
    statements
        Statements of the resource's policy.
    service
        Service principal, such as `events.amazonaws.com`.
    action
        Action, such as `lambda:InvokeFunction`.
    resource
        ARN of the resource.
    source
        ARN of what the call comes from: a rule, a topic, a configuration set.
    """
    document = json.dumps({"Statement": [dict(one) for one in statements]}, default=str)
    named: list[Statement] = [
        one for one in parse("resource policy", document) if one.admits("Service", service)
    ]
    account = source.split(":")[4] if source.count(":") >= 5 else ""
    context = {"aws:SourceArn": (source,), "aws:SourceAccount": (account,)}
    return evaluate(named, Requirement(action, resource, context)).allowed


def policy_statements(document: str | Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the statements of a policy document, JSON text or object; none when there is none."""
    loaded = json.loads(document) if isinstance(document, str) and document else document
    found = (loaded or {}).get("Statement", []) if isinstance(loaded, Mapping) else []
    return list(found) if isinstance(found, list) else [found]
