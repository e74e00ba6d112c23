"""`trading cloud`: what deploying to the embedded cloud would change, and its end."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Annotated, Any

import typer
from rich.markup import escape

from trading.cli.backtest_options import nested, read_assignments
from trading.cli.cloud import SOURCE_ROOT, stack_configuration, without_aws
from trading.cli.home import Home, Market
from trading.cli.options import AsJson, SetList
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result, table
from trading.config import Settings, load_settings
from trading.errors import MonthError

cloud_app = typer.Typer(help="Deploy to the embedded cloud and take it down.", no_args_is_help=True)
Real = Annotated[bool, typer.Option("--real", help="The cloud of the real market's months.")]
# An unchanged resource is made again at each start of the cloud, which keeps it in memory.
AS_BEFORE = frozenset({"restored", "unchanged"})
WIDEST = 60
BEFORE = 12


@cloud_app.command("preview")
def preview_command(sets: SetList = None, real: Real = False, as_json: AsJson = False) -> int:
    """Show what a deployment would create, change, replace and delete, property by property.

    Secrets are masked. Exit code 3: it would change nothing.
    """
    told = _deployer("preview", _settings(sets), _market(real=real))
    changes = [one for one in told["changes"] if one["action"] not in AS_BEFORE]
    if as_json:
        print_json({name: told[name] for name in told if name != "outputs"})
    else:
        _show(changes, told)
    return DONE if changes else NOTHING_TO_DO


@cloud_app.command("destroy")
def destroy_command(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sets: SetList = None,
    real: Real = False,
    as_json: AsJson = False,
) -> int:
    """Delete everything that was deployed to the embedded cloud, stored data included.

    What is protected stays, and nothing is deleted then. Exit code 3: nothing was deployed.
    """
    home, market = Home.from_environment(), _market(real=real)
    if not (home.of(market) / "deployment.json").exists():
        console.print(f"nothing is deployed in {home.of(market)}")
        return NOTHING_TO_DO
    if not yes:
        typer.confirm(f"Delete all resources and data of {home.of(market)}?", abort=True, err=True)
    with home.for_one_month():
        told = _deployer("destroy", _settings(sets), market)
        if not told["retained"]:
            home.forget(market)
    nothing = not told["deleted"] + told["retained"]
    if as_json:
        print_json({"deleted": told["deleted"], "retained": told["retained"]})
    elif nothing:
        console.print(f"nothing is deployed in {home.of(market)}")
    else:
        result.print(f"deleted {told['deleted']} resources, kept {told['retained']}")
    return NOTHING_TO_DO if nothing else DONE


def _settings(sets: list[str] | None) -> Settings:
    return load_settings(overrides=nested(read_assignments(sets or (), "--set")))


def _market(*, real: bool) -> Market:
    return "real" if real else (Home.from_environment().current() or "simulated")


def _deployer(command: str, settings: Settings, market: Market) -> dict[str, Any]:
    """Run the deployer on a home; raises `MonthError` with its sentence."""
    home = Home.from_environment().of(market)
    home.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "localcloud", command, "--home", str(home)]
    line += ["--stack", settings.environment]
    line += ["--config", json.dumps(stack_configuration(settings))]
    ended = subprocess.run(  # noqa: S603 - our own program, no shell
        line,
        cwd=SOURCE_ROOT,
        env=without_aws(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout.strip().splitlines()
    told: dict[str, Any] = json.loads(said[-1]) if said else {}
    if ended.returncode != 0:
        reason = told.get("error") or ended.stderr.strip() or f"status {ended.returncode}"
        raise MonthError(f"the {command} failed: {reason}")
    return told


def _show(changes: Iterable[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
    shown = table("what a deployment would change", "action", "type", "name", "property: old → new")
    for one in changes:
        *_, kind, name = one["urn"].split("::")
        properties = "\n".join(_property(each) for each in one.get("properties", ()))
        shown.add_row(one["action"], kind.rpartition("$")[2], name, properties)
    if shown.row_count:
        result.print(shown)
    counts = ", ".join(
        f"{told[action]} {action}"
        for action in ("created", "updated", "replaced", "deleted", "adopted", "retained")
        if told[action]
    )
    as_before = sum(told[action] for action in AS_BEFORE)
    result.print(f"{counts or 'nothing changes'}; {as_before} stay as they are")
    reasons = Counter(str(one["reason"]) for one in told["inert_resources"])
    for reason, number in sorted(reasons.items()):
        result.print(f"  {number} not provisioned here: {escape(reason)}")


def _property(each: Mapping[str, Any]) -> str:
    old, new = (_text(each[side]) for side in ("old", "new"))
    pairs = zip(old, new, strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    alike = alike if max(len(old), len(new)) > WIDEST else 0
    return escape(f"{each['path']}: {_from(alike, old)} → {_from(alike, new)}")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _from(alike: int, text: str) -> str:
    """Return the part of a long text that begins a little before two texts differ."""
    start = max(0, alike - BEFORE)
    shown = text[start : start + WIDEST]
    return ("…" if start else "") + shown + ("…" if len(text) > start + WIDEST else "")
