"""What all the policies of a request decide together.

Source: AWS IAM User Guide, "Policy evaluation for requests within a single account".
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localcloud.identity.policy import Decision, Requirement, Statement, evaluate, parse
from localcloud.identity.resource_policies import ResourcePolicy


def judge(
    requirement: Requirement,
    own: Sequence[Statement],
    boundary: Sequence[Statement] | None,
    theirs: ResourcePolicy,
    session_arn: str,
) -> Decision:
    """Decide a request within one account.

    A Deny anywhere wins. Then the caller's policies or the resource's must allow it, and the
    permissions boundary as well, unless the resource's policy names this very session or user. A
    key's policy must always allow it, or hand the decision to the account.

    Parameters
    ----------
    requirement
        The permission that is needed.
    own
        Statements of the caller's policies.
    boundary
        Statements of its permissions boundary; None when it has none.
    theirs
        What the resource's policy says of the caller.
    session_arn
        ARN of the caller: a session of a role, or a user.
    """
    everything = [*own, *(boundary or ()), *theirs.naming, *theirs.delegating]
    for statement in everything:
        if not statement.allows and statement.applies(requirement):
            return Decision(allowed=False, statement=statement.name)
    granted = _allowing(own, requirement)
    named = _allowing(theirs.naming, requirement)
    if theirs.rules and named is None and _allowing(theirs.delegating, requirement) is None:
        return Decision(allowed=False, statement=None, missing="resource-based policy")
    found = named or granted
    if found is None:
        return Decision(allowed=False, statement=None)
    beyond = named is not None and session_arn in (named.principals or {}).get("AWS", ())
    if boundary is not None and not beyond and _allowing(boundary, requirement) is None:
        return Decision(allowed=False, statement=None, missing="permissions boundary")
    return Decision(allowed=True, statement=(granted or found).name)


def _allowing(statements: Iterable[Statement], requirement: Requirement) -> Statement | None:
    return next((one for one in statements if one.allows and one.applies(requirement)), None)


def judge_service(
    service: str,
    action: str,
    resource: str,
    source: str,
    statements: Sequence[Mapping[str, Any]],
) -> Decision:
    """Decide whether the policy of a resource admits a call of a service of AWS.

    Parameters
    ----------
    service
        Service principal, such as `events.amazonaws.com`.
    action
        Action, such as `lambda:InvokeFunction`.
    resource
        ARN of the resource.
    source
        ARN of what the call comes from: a rule, a topic, a configuration set.
    statements
        Statements of the resource's policy.
    """
    context = {
        "aws:SourceArn": (source,),
        "aws:SourceAccount": (source.split(":")[4] if source.count(":") >= 5 else "",),
        "aws:PrincipalServiceName": (service,),
        "aws:PrincipalIsAWSService": ("true",),
        "aws:SecureTransport": ("true",),
    }
    document = json.dumps({"Statement": [dict(one) for one in statements]}, default=str)
    parsed = parse(f"policy of {resource.rpartition(':')[2]}", document)
    admitting = [one for one in parsed if one.admits("Service", service)]
    return evaluate(admitting, Requirement(action, resource, context))
