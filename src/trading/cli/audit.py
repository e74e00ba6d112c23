"""`trading audit`: who was allowed and denied what on the embedded cloud."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from trading.cli.cloud import SOURCE_ROOT
from trading.cli.home import Home
from trading.cli.output import NOTHING_TO_DO, console


def audit(*, calls: bool, denied: bool, unused: bool, as_json: bool) -> int:
    """Print the audit of the market that ran last: by role, by call, or what nothing needed."""
    home = Home.from_environment()
    market = home.current()
    if market is None:
        console.print("no month has run here yet; run `trading month`")
        return NOTHING_TO_DO
    asked = {"--calls": calls, "--denied": denied, "--unused": unused, "--json": as_json}
    command = _command(home.of(market), *(option for option, wanted in asked.items() if wanted))
    return subprocess.run(command, cwd=SOURCE_ROOT, check=False).returncode  # noqa: S603


def audit_summary(cloud_home: Path) -> dict[str, Any] | None:
    """Return what was granted, used and denied in a cloud's home, None where nothing is deployed.

    What goes wrong is said, and None: a month that has ended does not fail by it.

    `sentence` holds it in words; the counts are there as a whole and by role.
    """
    if not (cloud_home / "deployment.json").exists():
        return None
    command = _command(cloud_home, "--json")
    told = subprocess.run(  # noqa: S603 - our own program, no shell
        command, cwd=SOURCE_ROOT, check=False, capture_output=True, text=True
    )
    if told.returncode:
        console.print(f"the audit could not be told: {told.stderr.strip()[-300:]}", markup=False)
        return None
    loaded: dict[str, Any] = json.loads(told.stdout)
    return loaded


def _command(cloud_home: Path, *options: str) -> list[str]:
    program = [sys.executable, "-m", "localcloud", "audit"]
    return [*program, "--home", str(cloud_home.absolute()), *options]
