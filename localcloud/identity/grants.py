"""Which of the permissions that a deployment grants were ever used.

A grant is one action pattern or one resource pattern of an Allow statement. It was used when a
decision of the audit trail names the statement and matches the pattern; what no run ever needed is
either explained in `unproven_grants.yaml` or too much.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud.errors import CloudError
from localcloud.identity.conditions import pattern
from localcloud.identity.policy import Statement, parse

EXPLAINED = Path(__file__).with_name("unproven_grants.yaml")


@dataclass(frozen=True, order=True)
class Grant:
    """One thing that a statement allows.

    Attributes
    ----------
    statement
        `<policy>#<Sid>`, as the audit trail names it.
    kind
        `action` or `resource`.
    pattern
        The pattern, such as `s3:GetObject` or `arn:aws:s3:::models/*`.
    """

    statement: str
    kind: str
    pattern: str


@dataclass(frozen=True)
class Explanation:
    """Why grants are there that local runs do not use.

    Attributes
    ----------
    statement, pattern
        Patterns over a grant's `statement` and `pattern`.
    reason
        A sentence.
    environment
        The one environment that grants them, where it is not the one that runs here; else empty.
    """

    statement: str
    pattern: str
    reason: str
    environment: str = ""

    def covers(self, grant: Grant) -> bool:
        """Tell whether a grant is meant."""
        return (
            pattern(self.statement).fullmatch(grant.statement) is not None
            and pattern(self.pattern).fullmatch(grant.pattern) is not None
        )


@dataclass(frozen=True)
class Verdict:
    """What became of every grant.

    Attributes
    ----------
    used
        Grants that a call needed.
    explained
        Unused grants, with the reason.
    unexplained
        Unused grants without a reason: a path that was not run, or too much.
    stale
        Explanations of grants that are used, or that nothing grants; those of what only another
        environment grants are left out.
    """

    used: Sequence[Grant]
    explained: Mapping[Grant, str]
    unexplained: Sequence[Grant]
    stale: Sequence[Explanation]


def granted(deployment: Mapping[str, Any]) -> list[Grant]:
    """Return every grant of a deployment, from its state file's resources."""
    found: set[Grant] = set()
    for entry in deployment["resources"].values():
        for statement in _statements(entry):
            if statement.allows:
                found.update(_grants_of(statement))
    return sorted(found)


def unused(grants: Iterable[Grant], audit: Iterable[Mapping[str, Any]]) -> list[Grant]:
    """Return the grants that no allowed decision of an audit trail used."""
    used: dict[str, set[tuple[str, str]]] = {}
    for one in audit:
        if one["decision"] == "allowed" and one["statement"]:
            seen = used.setdefault(one["statement"], set())
            seen |= {("action", one["action"]), ("resource", one["resource"])}
    return [
        one
        for one in grants
        if not any(
            kind == one.kind and pattern(one.pattern, ignore_case=kind == "action").fullmatch(value)
            for kind, value in used.get(one.statement, ())
        )
    ]


def judge_grants(
    grants: Iterable[Grant],
    audit: Iterable[Mapping[str, Any]],
    reasons: Sequence[Explanation],
) -> Verdict:
    """Hold what is granted against what an audit trail shows used and what is explained."""
    wanted = sorted(set(grants))
    left = unused(wanted, audit)
    explained: dict[Grant, str] = {}
    for grant in left:
        reason = next((why.reason for why in reasons if why.covers(grant)), None)
        if reason is not None:
            explained[grant] = reason
    used = set(wanted) - set(left)
    stale = [
        why
        for why in reasons
        if not why.environment
        and (any(map(why.covers, used)) or not any(map(why.covers, explained)))
    ]
    return Verdict(
        used=sorted(used),
        explained=explained,
        unexplained=[grant for grant in left if grant not in explained],
        stale=stale,
    )


def explanations(path: Path = EXPLAINED) -> list[Explanation]:
    """Return why some grants are not used on one machine; raises `CloudError` for another form."""
    loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    try:
        return [
            Explanation(
                one["statement"],
                one.get("pattern", "*"),
                one["reason"],
                one.get("environment", ""),
            )
            for one in loaded
        ]
    except (KeyError, TypeError) as error:
        raise CloudError(f"{path} must list statement, pattern and reason: {error}") from error


def _grants_of(statement: Statement) -> Iterator[Grant]:
    for action in statement.actions:
        yield Grant(statement.name, "action", action)
    for resource in statement.resources:
        yield Grant(statement.name, "resource", resource)


def _statements(entry: Mapping[str, Any]) -> Iterable[Statement]:
    shown, outputs, identity = entry["shown"], entry.get("outputs") or {}, entry["id"]
    match entry["type"]:
        case "aws:iam/rolePolicy:RolePolicy":
            return parse(f"{shown['role']}/{shown['name']}", shown["policy"])
        case "aws:lambda/permission:Permission":
            statement = {
                "Sid": shown["statementId"],
                "Effect": "Allow",
                "Action": shown["action"],
                "Principal": {"Service": shown["principal"]},
            }
            document = json.dumps({"Statement": [statement]})
            return parse(f"policy of {_last(shown['function'])}", document)
        case "aws:sns/topicPolicy:TopicPolicy":
            return parse(f"policy of {_last(shown['arn'])}", shown["policy"])
        case "aws:sqs/queuePolicy:QueuePolicy":
            return parse(f"policy of {shown['queueUrl'].rpartition('/')[2]}", shown["policy"])
        case "aws:s3/bucketPolicy:BucketPolicy":
            return parse(f"policy of {shown['bucket']}", shown["policy"])
        case "aws:ecr/repositoryPolicy:RepositoryPolicy":
            return parse(f"policy of repository/{shown['repository']}", shown["policy"])
        case "aws:kms/key:Key":
            return parse(f"policy of {_last(outputs.get('arn', identity))}", shown["policy"])
    return ()


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]
