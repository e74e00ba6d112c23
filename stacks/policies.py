"""IAM policy documents as data: statements in, JSON out.

A statement on every resource (`*`) needs a `sid` that `WILDCARD_REASONS` explains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

VERSION = "2012-10-17"
WILDCARD_REASONS: Mapping[str, str] = {
    "Trace": "X-Ray's write and sampling actions take no resource.",
    "DeliverLogs": "The log delivery actions, which Step Functions needs, take no resource.",
    "FindLogGroup": "A flow log looks for its group; logs:DescribeLogGroups lists all of them.",
    "LogInToRegistry": "ecr:GetAuthorizationToken takes no resource.",
    "AdministerKey": "In a key policy, * is the key itself; without this the key is lost.",
    "PublishEncrypted": "In a key policy, * is the key itself.",
    "UseThroughServices": "In a key policy, * is the key itself; who and through what are bound.",
    "GrantToServices": "In a key policy, * is the key itself; grants to AWS services only.",
    "EncryptLogs": "In a key policy, * is the key itself; for this environment's log groups.",
    "EncryptTrail": "In a key policy, * is the key itself; for this environment's trail.",
    "EncryptHistory": "In a key policy, * is the key itself; for AWS Config of this account.",
    "Unscoped": "The boundary's ceiling for the actions above that take no resource.",
    "OwnStores": "A gateway endpoint's ceiling: whatever is this account's; roles decide the rest.",
    "OpenSession": "The actions of Session Manager's channels take no resource.",
    "PutMetrics": "cloudwatch:PutMetricData takes no resource; its namespace is a condition.",
}


@dataclass(frozen=True)
class Statement:
    """One statement of a policy document.

    Attributes
    ----------
    sid : what the statement is for, letters and digits
    actions : `service:Action`
    resources : ARNs; none for a trust policy
    effect : Allow or Deny
    principals : kind (`Service`, `AWS`) to values; none for an identity's policy; `{"*": "*"}` all
    conditions : operator to key to value

    Raises
    ------
    ValueError
        When the statement covers every resource, and no reason is written down.
    """

    sid: str
    actions: Sequence[str]
    resources: Sequence[pulumi.Input[str]] = ()
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        everything = any(isinstance(r, str) and r == "*" for r in self.resources)
        if everything and self.sid not in WILDCARD_REASONS:
            raise ValueError(
                f"statement {self.sid} covers every resource: name the resources, or write the"
                " reason in stacks/policies.py, WILDCARD_REASONS"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the statement in IAM's JSON form."""
        rendered: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": self.effect,
            "Action": list(self.actions),
        }
        if self.principals:
            everyone = self.principals == {"*": "*"}
            rendered["Principal"] = "*" if everyone else dict(self.principals)
        if self.resources:
            rendered["Resource"] = list(self.resources)
        if self.conditions:
            rendered["Condition"] = {name: dict(keys) for name, keys in self.conditions.items()}
        return rendered


def document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Return a policy document as JSON; raises `ValueError` when a `sid` is used twice."""
    sids = [statement.sid for statement in statements]
    if len(set(sids)) != len(sids):
        raise ValueError(f"every sid of a policy must be its own, found {sorted(sids)}")
    body = {"Version": VERSION, "Statement": [statement.to_dict() for statement in statements]}
    return pulumi.Output.json_dumps(body)


def trust(service: str, account: str | None = None) -> pulumi.Output[str]:
    """Return the trust policy of a role that an AWS service assumes.

    With `account`, only for resources of that account (the confused deputy).
    """
    conditions = {"StringEquals": {"aws:SourceAccount": account}} if account else {}
    return document(
        [
            Statement(
                sid="Assume",
                actions=["sts:AssumeRole"],
                principals={"Service": service},
                conditions=conditions,
            )
        ]
    )


def require_tls(actions: Sequence[str], resources: Sequence[pulumi.Input[str]]) -> Statement:
    """Return the statement that refuses every request without TLS."""
    return Statement(
        sid="RequireTls",
        effect="Deny",
        actions=actions,
        resources=resources,
        principals={"*": "*"},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
