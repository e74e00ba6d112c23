"""checkov's AWS rules on the plan of the program."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcheck.errors import StackCheckError
from stackcheck.recording import ROOT

SECONDS = 600
DOCUMENT = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| (?P<rule>CKV2?_AWS_\d+) \| (?P<where>[^|]+) \| (?P<reason>[^|]+) \|$", re.M)


@dataclass(frozen=True)
class Failed:
    """A rule that a resource fails."""

    rule: str
    says: str
    resource: str


def checkov() -> Path:
    """Return the program; raises `StackCheckError` where `make checkov` has not been run.

    Its pins clash with ours, so it has an environment of its own inside ours.
    """
    found = Path(sys.prefix) / "checkov" / "bin" / "checkov"
    if not found.exists():
        raise StackCheckError(f"there is no checkov at {found}: run `make checkov`")
    return found


def scan(plan: Mapping[str, Any], folder: Path) -> list[Failed]:
    """Return the rules that a plan fails.

    Parameters
    ----------
    plan : as `terraform show -json` prints it
    folder : to work in

    Raises
    ------
    StackCheckError
        When checkov is missing, fails, or has looked at nothing.
    """
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    command = [str(checkov()), "--file", "plan.json", "--framework", "terraform_plan"]
    finished = subprocess.run(  # noqa: S603  no shell
        [*command, "--output", "json", "--soft-fail", "--skip-download", "--quiet", "--compact"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
        check=False,
    )
    try:
        found = json.loads(finished.stdout)
        results, passed = found["results"], found["summary"]["passed"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        said = " ".join((finished.stderr or finished.stdout).split()[-40:])
        raise StackCheckError(f"checkov failed: {said}") from error
    if not passed:
        raise StackCheckError("checkov passed no rule: it has not understood the plan")
    return [
        Failed(one["check_id"], one["check_name"], one["resource"])
        for one in results["failed_checks"]
    ]


def excuses(document: Path = DOCUMENT) -> dict[str, str]:
    """Return the rules that are excused, and why, by the table in docs/security.md."""
    text = document.read_text(encoding="utf-8")
    return {one["rule"]: one["reason"].strip() for one in ROW.finditer(text)}
