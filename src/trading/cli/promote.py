"""`trading promote`: what one environment runs and has proved goes to the next."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import boto3
import typer
from rich.markup import escape

from trading.cli.cloud import SOURCE_ROOT
from trading.cli.output import DONE, FAILED, console, result
from trading.errors import ConfigurationError, MonthError
from trading.month.ledger import Ledger


class Target(StrEnum):
    """Where a release can be promoted to."""

    STAGING = "staging"
    PROD = "prod"


BEFORE: Mapping[Target, str] = {Target.STAGING: "dev", Target.PROD: "staging"}
"""Where a release must have proved itself before."""


def promote_command(
    to: Annotated[Target, typer.Argument(help="The environment that the release goes to.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deploying.")] = False,
) -> int:
    """Deploy this checkout to staging or prod, if the environment before it proves the release.

    It proves it when it runs exactly this checkout, which is clean, its latest month succeeded, and
    none of its alarms is on but those that tell nobody.
    """
    source = BEFORE[to]
    revision = _clean_revision()
    outputs = json.loads(_run("pulumi", "stack", "output", "--json", "--stack", source))
    console.print(f"  {source}: comparing what it runs with {revision}")
    if _status("pulumi", "preview", "--expect-no-changes", "--stack", source):
        raise MonthError(
            f"{source} does not run this checkout ({revision}); deploy it there first "
            f"(`pulumi up --stack {source}`), or check out the release that it runs"
        )
    _require_proof(source, outputs)
    console.print(f"  {source} proves {revision}; deploying it to {to.value}")
    up = ["pulumi", "up", "--stack", to.value, *(["--yes"] if yes else [])]
    if _status(*up):
        console.print(f"[red]error:[/] {escape(to.value)} was not deployed; see above")
        return FAILED
    result.print(f"{to.value} runs {revision}")
    return DONE


def _clean_revision() -> str:
    if changed := _run("git", "status", "--porcelain").split("\n")[:-1]:
        raise MonthError(
            f"the checkout has {len(changed)} changes that no commit holds ({changed[0].strip()});"
            " commit them, deploy that to dev, and promote it"
        )
    return _run("git", "describe", "--tags", "--always").strip()


def _require_proof(environment: str, outputs: Mapping[str, Any]) -> None:
    """Raise `MonthError` unless the latest month succeeded and no alarm with actions is on."""
    region = outputs["region"]
    table = boto3.resource("dynamodb", region_name=region)
    runs = Ledger(str(outputs["ledger_table"]), table).runs()
    if not runs:
        raise MonthError(f"no month has run in {environment}: it proves nothing yet")
    if runs[-1].status != "SUCCEEDED":
        raise MonthError(
            f"the latest month of {environment}, {runs[-1].month}, is {runs[-1].status}"
            f" ({runs[-1].reason or 'no reason'}); redrive it there first"
        )
    pages = (
        boto3.client("cloudwatch", region_name=region)
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"trading-{environment}-", StateValue="ALARM")
    )
    on = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if ringing := [alarm["AlarmName"] for alarm in on if alarm["ActionsEnabled"]]:
        raise MonthError(
            f"alarms of {environment} are on: {', '.join(ringing)}; docs/operations.md says what"
            " to do about each"
        )


def _run(*command: str) -> str:
    finished = subprocess.run(  # noqa: S603 - git or pulumi, found on PATH, no shell
        _found(command), cwd=SOURCE_ROOT, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise MonthError(f"`{' '.join(command)}` failed: {last}")
    return finished.stdout


def _status(*command: str) -> int:
    """Run a command that speaks for itself, and return its exit code."""
    return subprocess.run(_found(command), cwd=SOURCE_ROOT, check=False).returncode  # noqa: S603


def _found(command: Sequence[str]) -> list[str]:
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(
            f"{command[0]} is not on the PATH; a promotion needs git and the Pulumi CLI"
        )
    return [program, *command[1:]]
