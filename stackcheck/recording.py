"""What a run of the Pulumi program registers, recorded in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcheck.errors import StackCheckError

ROOT = Path(__file__).parents[1]
STACKS = ("dev", "staging", "prod")
SECONDS = 240


@dataclass(frozen=True)
class Recorded:
    """One registered resource.

    Attributes
    ----------
    urn, type, name, custom, protect : as the engine is told
    inputs : plain JSON values; secrets are unwrapped
    parent : the parent's URN
    id : the identifier that it would have
    outputs : its attributes as AWS would answer them
    provider : the reference of an explicit provider, or ""
    depends_on : URNs that it waits for
    property_depends_on : input to the URNs that its value was made of
    secret : inputs that hold a secret, which the engine encrypts in its state
    """

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    protect: bool
    parent: str
    id: str
    outputs: Mapping[str, Any]
    provider: str
    depends_on: tuple[str, ...]
    property_depends_on: Mapping[str, tuple[str, ...]]
    secret: tuple[str, ...]

    @property
    def aws(self) -> bool:
        """Whether it is a resource of AWS, and not a component, a provider or an image."""
        return self.custom and self.type.startswith("aws:")


@dataclass(frozen=True)
class Recording:
    """All that a run of the program registered and exported."""

    stack: str
    resources: tuple[Recorded, ...]
    outputs: Mapping[str, Any]

    def of(self, type_: str) -> list[Recorded]:
        """Return the resources of a type."""
        return [one for one in self.resources if one.type == type_]

    @property
    def aws(self) -> list[Recorded]:
        """The resources of AWS, in the order of their registration."""
        return [one for one in self.resources if one.aws]


def record(
    stack: str, overrides: Mapping[str, Any] | None = None, program: Path = ROOT
) -> Recording:
    """Record a stack.

    Parameters
    ----------
    stack : `Pulumi.<stack>.yaml` is its configuration
    overrides : configuration that wins over the file, by key
    program : the folder of the program

    Raises
    ------
    StackCheckError
        When the program fails, with its own words.
    """
    command = [sys.executable, "-m", "stackcheck.monitor", stack, json.dumps(overrides or {})]
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    try:
        finished = subprocess.run(  # noqa: S603  our own module, no shell
            [*command, str(program)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackCheckError(f"the program of {stack} took longer than {SECONDS} s") from error
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StackCheckError(f"the program of {stack} failed: {last}")
    loaded = json.loads(finished.stdout)
    return Recording(stack, tuple(_recorded(one) for one in loaded["resources"]), loaded["outputs"])


def _recorded(loaded: dict[str, Any]) -> Recorded:
    properties = {key: tuple(urns) for key, urns in loaded["property_depends_on"].items()}
    lists = {key: tuple(loaded[key]) for key in ("depends_on", "secret")}
    return Recorded(**loaded | lists | {"property_depends_on": properties})
