"""The graph of the registered resources as text that is read in diffs.

One line a resource, below the component that it belongs to: type, name, inputs, and what it needs.
An input that is another resource's identifier is written `@Type:name`.
Documents and long values stand as eight digits of their hash: that they changed is seen, what
changed is in the diff of their source.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackcheck.recording import ROOT, Recorded, Recording

FOLDER = ROOT / "tests" / "stacks" / "snapshots"
BASE = "prod"
LONGEST = 60
MANY = 12
IDENTIFIERS = ("arn", "url", "keyId")
# Named by the hash of the sources, an image has another tag after every change of the code.
TAG = re.compile(r":[0-9a-f]{16}(?![0-9a-f])")
NOT_SHOWN = frozenset({"tags"})
STACK = "pulumi:pulumi:Stack"


def graph(recording: Recording) -> str:
    """Return the graph, in the order of the resources' names."""
    children: dict[str, list[Recorded]] = {}
    for one in recording.resources:
        children.setdefault(one.parent, []).append(one)
    names = {one.urn: _name(one) for one in recording.resources}
    known = {
        str(one.outputs[key]): f"@{_name(one)}"
        for one in recording.aws
        for key in IDENTIFIERS
        if isinstance(one.outputs.get(key), str) and key not in one.inputs
    }
    known |= {one.id: f"@{_name(one)}" for one in recording.aws if one.id not in _names(one)}
    (root,) = (one for one in recording.resources if one.type == STACK)
    lines = [
        line
        for parent in ("", root.urn)
        for line in _lines(parent, children, names, _Shown(recording.stack, known), 0)
    ]
    return "\n".join(lines) + "\n"


def difference(base: str, other: str) -> str:
    """Return the lines that are in one graph only: `-` in the base, `+` in the other."""
    compared = difflib.ndiff(base.splitlines(), other.splitlines())
    return "".join(f"{line.rstrip()}\n" for line in compared if line[:1] in "-+")


def snapshots(recordings: Mapping[str, Recording]) -> dict[str, str]:
    """Return the content of each snapshot: production whole, the others as they differ from it."""
    graphs = {stack: graph(recording) for stack, recording in recordings.items()}
    base = graphs[BASE]
    return {
        stack: text if stack == BASE else difference(base, text) for stack, text in graphs.items()
    }


def path_of(stack: str) -> Path:
    """Return where the snapshot of a stack is kept."""
    return FOLDER / f"{stack}.txt"


def _lines(
    parent: str,
    children: Mapping[str, list[Recorded]],
    names: Mapping[str, str],
    shown: "_Shown",
    depth: int,
) -> Iterator[str]:
    for one in sorted(children.get(parent, []), key=_name):
        if one.type == STACK:
            continue
        needs = sorted(names[urn] for urn in one.depends_on if urn in names and urn != one.parent)
        words = [_name(one), *(["protected"] if one.protect and one.custom else [])]
        words += _inputs(one.inputs, shown) if one.custom else []
        words += [f"<- {_few(needs)}"] if needs and one.custom else []
        yield "  " * depth + " ".join(words)
        yield from _lines(one.urn, children, names, shown, depth + 1)


def _few(names: list[str]) -> str:
    """Return names, or of many how many they are and the hash of which."""
    if len(names) <= MANY:
        return ", ".join(names)
    return f"{len(names)} resources #{_digest(', '.join(names))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _name(one: Recorded) -> str:
    return f"{one.type.rpartition(':')[2]}:{one.name}"


def _names(one: Recorded) -> set[str]:
    return {value for value in one.inputs.values() if isinstance(value, str)}


def _inputs(inputs: Mapping[str, Any], shown: "_Shown") -> list[str]:
    return [
        f"{key}={shown.text(value)}"
        for key, value in sorted(inputs.items())
        if value is not None and key not in NOT_SHOWN
    ]


class _Shown:
    """How values are shown: identifiers by their resource, long ones by their hash."""

    def __init__(self, stack: str, known: Mapping[str, str]) -> None:
        self._prefix = f"trading-{stack}"
        self._known = known

    def text(self, value: Any) -> str:
        resolved = self._resolved(value)
        text = resolved if isinstance(resolved, str) else json.dumps(resolved, sort_keys=True)
        text = TAG.sub(":SOURCES", text).replace(self._prefix, "trading-ENV")
        if len(text) > LONGEST:
            return f"#{_digest(text)}"
        return text

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._known.get(value, value)
        if isinstance(value, list):
            return [self._resolved(one) for one in value]
        if isinstance(value, Mapping):
            return {key: self._resolved(one) for key, one in value.items()}
        return value
