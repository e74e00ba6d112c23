"""Which of the permissions that a deployment grants were ever used.

A grant is one action pattern or one resource pattern of an Allow statement. It was used when a
decision of the audit trail names the statement and matches the pattern; what no run ever needed is
either explained in `unproven_grants.yaml` or too much.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud.errors import CloudError
from localcloud.identity.audit import read_audit
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
    """Why grants are there that local runs do not use; `statement` and `pattern` are patterns."""

    statement: str
    pattern: str
    reason: str

    def covers(self, grant: Grant) -> bool:
        """Tell whether a grant is meant."""
        return (
            pattern(self.statement).fullmatch(grant.statement) is not None
            and pattern(self.pattern).fullmatch(grant.pattern) is not None
        )


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


def save_usage(home: Path, folder: Path) -> None:
    """Add what a home grants and what its runs used to a folder that collects many homes."""
    state = home / "deployment.json"
    if not state.exists():
        return
    grants = granted(json.loads(state.read_text(encoding="utf-8")))
    used = {
        (str(one["statement"]), str(one["action"]), str(one["resource"]))
        for one in read_audit(home / "audit.jsonl")
        if one["decision"] == "allowed" and one["statement"]
    }
    folder.mkdir(parents=True, exist_ok=True)
    body = {"grants": [[g.statement, g.kind, g.pattern] for g in grants], "used": sorted(used)}
    (folder / f"{uuid.uuid4().hex}.json").write_text(_unnamed(json.dumps(body)), encoding="utf-8")


def load_usage(folder: Path) -> tuple[list[Grant], list[dict[str, Any]]]:
    """Return the grants and the decisions that a folder has collected, each once."""
    grants: set[Grant] = set()
    used: set[tuple[str, ...]] = set()
    for path in folder.glob("*.json"):
        loaded = json.loads(path.read_text(encoding="utf-8"))
        grants.update(Grant(*one) for one in loaded["grants"])
        used.update(tuple(one) for one in loaded["used"])
    names = ("statement", "action", "resource")
    decisions = [{**dict(zip(names, one, strict=True)), "decision": "allowed"} for one in used]
    return sorted(grants), decisions


def _unnamed(text: str) -> str:
    """Return a text without the random parts of ids, which differ from home to home."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"(:secret:[\w/+=.@-]+)-[A-Za-z0-9]{6}\b", r"\1-ID", text)


def explanations(path: Path = EXPLAINED) -> list[Explanation]:
    """Return why some grants are not used on one machine; raises `CloudError` for another form."""
    loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    try:
        return [Explanation(o["statement"], o.get("pattern", "*"), o["reason"]) for o in loaded]
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
