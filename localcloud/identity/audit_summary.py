"""What a home's policies grant, what of it was used, and how many calls were refused, by role."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcloud.deployment import STATE
from localcloud.errors import CloudError
from localcloud.identity.audit import read_audit
from localcloud.identity.grants import Grant, explanations, granted, judge_grants

RESOURCES = "policies of resources"
OTHERS = "the operator"
COLUMNS = ("role", "allowed", "denied", "granted", "used", "unused", "explained")


@dataclass(frozen=True)
class RoleAudit:
    """The audit of one role.

    Attributes
    ----------
    role
        Its name; `policies of resources` and `the operator` stand for what belongs to no role.
    allowed, denied
        Decisions.
    granted, used
        Action and resource patterns of its policies, and those that a call has used.
    explained
        Unused ones whose reason `unproven_grants.yaml` gives; the rest of the unused belongs to
        paths that the home's runs did not take.
    """

    role: str
    allowed: int = 0
    denied: int = 0
    granted: int = 0
    used: int = 0
    explained: int = 0

    @property
    def unused(self) -> int:
        """Patterns that no call has used."""
        return self.granted - self.used


@dataclass(frozen=True)
class Refused:
    """A call that a role, or the operator, was denied so many times."""

    role: str
    action: str
    resource: str
    times: int


@dataclass(frozen=True)
class AuditSummary:
    """The audit of a home, as a whole and by role, sorted by name, and every kind of refusal."""

    total: RoleAudit
    roles: tuple[RoleAudit, ...]
    refused: tuple[Refused, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        total = {name: value for name, value in asdict(self.total).items() if name != "role"}
        return {
            "sentence": self.sentence(),
            **total,
            "roles": [asdict(role) for role in self.roles],
            "refused": [asdict(one) for one in self.refused],
        }

    def lines(self) -> list[str]:
        """Return the summary as text: roles in a table, refusals, and a sentence of the whole."""
        rows = [COLUMNS, *([str(getattr(role, c)) for c in COLUMNS] for role in self.roles)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
        table = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        told = [
            f"denied: {one.role} {one.action} {one.resource} ({one.times} times)"
            for one in self.refused
        ]
        return [*table, "", *told, self.sentence()]

    def sentence(self) -> str:
        """Return the whole in a sentence."""
        whole = self.total
        idle = whole.unused - whole.explained
        return (
            f"{whole.allowed + whole.denied:,} calls decided, {whole.denied:,} refused; of "
            f"{whole.granted:,} grants {whole.used:,} used, {whole.explained:,} unused for a "
            f"written reason, {idle:,} for what has not been run here"
        )


def audit_summary(home: Path) -> AuditSummary:
    """Return the audit of all that was ever decided in a home, against what is granted there now.

    Raises `CloudError` when nothing is deployed.
    """
    try:
        deployment = json.loads((home / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CloudError(f"nothing is deployed in {home}; run `trading month` first") from error
    audit = list(read_audit(home / "audit.jsonl"))
    decided = Counter((_role(str(one["principal"])), str(one["decision"])) for one in audit)
    verdict = judge_grants(granted(deployment), audit, explanations())
    used, explained = _by_role(verdict.used), _by_role(verdict.explained)
    grants = used + explained + _by_role(verdict.unexplained)
    names = sorted({*grants, *(role for role, _ in decided)})
    roles = tuple(
        RoleAudit(
            role=name,
            allowed=decided[name, "allowed"],
            denied=decided[name, "denied"],
            granted=grants[name],
            used=used[name],
            explained=explained[name],
        )
        for name in names
    )
    refused = Counter(
        (_role(str(one["principal"])), str(one["action"]), str(one["resource"]))
        for one in audit
        if one["decision"] == "denied"
    )
    told = tuple(Refused(*call, times) for call, times in sorted(refused.items()))
    return AuditSummary(_sum(roles), roles, told)


def _sum(roles: Iterable[RoleAudit]) -> RoleAudit:
    counted: Counter[str] = Counter()
    for role in roles:
        counted.update({name: value for name, value in asdict(role).items() if name != "role"})
    return RoleAudit(role="", **counted)


def _by_role(grants: Iterable[Grant] | Mapping[Grant, str]) -> Counter[str]:
    return Counter(
        RESOURCES if one.statement.startswith("policy of ") else one.statement.partition("/")[0]
        for one in grants
    )


def _role(principal: str) -> str:
    _, found, session = principal.partition(":assumed-role/")
    return session.partition("/")[0] if found else OTHERS
