"""What many runs together used of what their deployments grant, and what they were refused."""

import json
import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.identity.audit import read_audit
from localcloud.identity.grants import Grant, granted

# a folder in which every cloud leaves, at its end, what it granted, used and refused
USAGE = "LOCALCLOUD_USAGE"


@dataclass(frozen=True, order=True)
class Refusal:
    """A call that was denied: in which home, to whom (an ARN), which action on what."""

    home: str
    principal: str
    action: str
    resource: str


@dataclass(frozen=True)
class Usage:
    """What the homes of a folder granted, used and refused, each once.

    Attributes
    ----------
    homes
        Paths of the homes that had something deployed.
    grants
        What was granted.
    used
        Allowed decisions, as the audit trail has them, without time and principal.
    refused
        Denied calls.
    """

    homes: frozenset[str]
    grants: Sequence[Grant]
    used: Sequence[dict[str, Any]]
    refused: Sequence[Refusal]


def keep_usage(home: Path) -> None:
    """Save what a home granted, used and refused where `$LOCALCLOUD_USAGE` says; else nothing."""
    folder = os.environ.get(USAGE)
    if folder:
        save_usage(home, Path(folder))


def save_usage(home: Path, folder: Path) -> None:
    """Add what a home grants, used and refused to a folder that collects many homes.

    A home in which nothing was deployed adds nothing.
    """
    state = home / "deployment.json"
    if not state.exists():
        return
    grants = granted(json.loads(state.read_text(encoding="utf-8")))
    used: set[tuple[str, str, str]] = set()
    denied: set[tuple[str, str, str]] = set()
    for one in read_audit(home / "audit.jsonl"):
        if one["decision"] == "denied":
            denied.add((str(one["principal"]), str(one["action"]), str(one["resource"])))
        elif one["statement"]:
            used.add((str(one["statement"]), str(one["action"]), str(one["resource"])))
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "home": str(home),
        "grants": [[g.statement, g.kind, g.pattern] for g in grants],
        "used": sorted(used),
        "denied": sorted(denied),
    }
    part = folder / f"{uuid.uuid4().hex}.part"
    part.write_text(_unnamed(json.dumps(body)), encoding="utf-8")
    part.rename(part.with_suffix(".json"))


def load_usage(folder: Path) -> Usage:
    """Return what a folder has collected."""
    homes: set[str] = set()
    grants: set[Grant] = set()
    used: set[tuple[str, ...]] = set()
    refused: set[Refusal] = set()
    for path in folder.glob("*.json"):
        loaded = json.loads(path.read_text(encoding="utf-8"))
        homes.add(loaded["home"])
        grants.update(Grant(*one) for one in loaded["grants"])
        used.update(tuple(one) for one in loaded["used"])
        refused.update(Refusal(loaded["home"], *one) for one in loaded["denied"])
    names = ("statement", "action", "resource")
    decisions = [
        {**dict(zip(names, one, strict=True)), "decision": "allowed"} for one in sorted(used)
    ]
    return Usage(frozenset(homes), sorted(grants), decisions, sorted(refused))


def _unnamed(text: str) -> str:
    """Return a text without the random parts of ids, which differ from home to home."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"(:secret:[\w/+=.@-]+)-[A-Za-z0-9]{6}\b", r"\1-ID", text)
