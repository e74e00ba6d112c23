"""The state file: what was deployed, by URN."""

import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from localcloud.deployer.errors import StackFileError

FORMAT = 1
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Entry:
    """One deployed resource.

    Attributes
    ----------
    type : Pulumi type
    id : identity for the provider
    inputs : name of an input to the hash of its value, secrets included
    shown : the inputs themselves, secrets masked
    outputs : what the cloud gave it, such as its ARN
    dependencies : URNs of what it needs, its parent included
    protect : whether it may not be deleted
    retain : whether it stays in the cloud when it leaves the program
    """

    type: str
    id: str
    inputs: Mapping[str, str]
    dependencies: Sequence[str] = ()
    protect: bool = False
    retain: bool = False
    shown: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """The deployed resources, written whole and atomically after every change.

    Parameters
    ----------
    path : the state file; a missing one is an empty state
    """

    path: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, path: Path) -> "State":
        """Read the state; raises `StackFileError` when it is not one."""
        if not path.exists():
            return cls(path)
        names = {entry_field.name for entry_field in fields(Entry)}
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
            if loaded["format"] != FORMAT:
                raise StackFileError(
                    f"{path} has format {loaded['format']}, this version reads {FORMAT}:"
                    " delete the file, what exists is adopted"
                )
            entries = {
                urn: Entry(
                    **{k: v for k, v in entry.items() if k in names}
                    | {"dependencies": tuple(entry["dependencies"])}
                )
                for urn, entry in loaded["resources"].items()
            }
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise StackFileError(
                f"{path} is not a state file ({error}): delete it, what exists is adopted"
            ) from error
        return cls(path, entries)

    def put(self, urn: str, entry: Entry) -> None:
        """Remember a resource; nothing is written when nothing changed."""
        with self._lock:
            if self.entries.get(urn) != entry:
                self.entries[urn] = entry
                self._write()

    def remove(self, urn: str) -> None:
        """Forget a resource."""
        with self._lock:
            self.entries.pop(urn, None)
            self._write()

    def deletion_order(self, urns: Sequence[str]) -> list[str]:
        """Return `urns` so that each comes before what it needs."""
        wanted, ordered, seen = set(urns), [], set()

        def visit(urn: str) -> None:
            if urn in seen:
                return
            seen.add(urn)
            for needed in self.entries[urn].dependencies:
                if needed in self.entries:
                    visit(needed)
            if urn in wanted:
                ordered.append(urn)

        for urn in sorted(wanted):
            visit(urn)
        return ordered[::-1]

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        body = {
            "format": FORMAT,
            "resources": {urn: asdict(entry) for urn, entry in sorted(self.entries.items())},
        }
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(body, file, indent=1)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def input_hashes(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return a hash of each input's value.

    The cloud's own address, as in a queue's URL, is another one after each start: it counts as one.
    """
    return {
        name: hashlib.sha256(
            _ADDRESS.sub("", json.dumps(value, sort_keys=True)).encode()
        ).hexdigest()[:16]
        for name, value in sorted(inputs.items())
        if value is not None
    }
