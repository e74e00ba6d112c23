"""What an operator does by hand: reach a deployment, pause and go on, approve, run again."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from trading.cli.backtest_options import nested, read_assignments
from trading.cli.cloud import NAMES_OF_OUTPUTS, embedded_cloud
from trading.cli.home import Home
from trading.cli.inspect import NO_MONTH, stored
from trading.cli.memory import PeakMemory
from trading.cli.models import OPERATOR
from trading.cli.month import close, show_phase, start, watch_run
from trading.cli.month_name import month_name
from trading.cli.options import AsJson, SetList
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result
from trading.cli.summary import Outcome
from trading.config import Settings, load_settings
from trading.errors import ConfigurationError, ConflictError, MonthError
from trading.month.approval import decide
from trading.month.ledger import RunRecord
from trading.month.pausing import pause_everything, resume_everything
from trading.month.payloads import StartRequest
from trading.month.resources import Resources

Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
OfMonth = Annotated[str, typer.Argument(metavar="YYYY-MM")]


def pause_command(
    reason: Reason,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop what runs now, and roll it back.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Pause everything: schedules off, and no month or day runs until `trading resume`."""
    settings = load_settings()
    with stored(settings) as resources:
        if resources is None:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        done = pause_everything(OPERATOR, reason, resources, stop=stop)
    told: dict[str, Any] = done.pause.model_dump(mode="json") | {"stopped": list(done.stopped)}
    if as_json:
        print_json(told)
        return DONE
    schedules = ", ".join(done.pause.schedules) or "none is on"
    result.print(f"paused: {escape(reason)}; schedules turned off: {schedules}")
    if stop:
        result.print(f"stopped: {', '.join(done.stopped) or 'nothing ran'}")
    return DONE


def resume_command(as_json: AsJson = False) -> int:
    """End the pause: the schedules that it turned off are on again."""
    settings = load_settings()
    with stored(settings) as resources:
        pause = resume_everything(resources) if resources else None
    if pause is None:
        console.print("nothing is paused")
        return NOTHING_TO_DO
    if as_json:
        print_json({"paused_since": pause.at.isoformat(), "schedules": list(pause.schedules)})
    else:
        result.print(f"resumed; schedules on: {', '.join(pause.schedules) or 'none was on before'}")
    return DONE


def approve_command(of_month: OfMonth, reason: Reason, as_json: AsJson = False) -> int:
    """Approve the challenger that a month waits with: it is deployed, and the month goes on."""
    return _decide(of_month, reason, approved=True, as_json=as_json)


def reject_command(of_month: OfMonth, reason: Reason, as_json: AsJson = False) -> int:
    """Reject the challenger that a month waits with: the champion stays, and the month goes on."""
    return _decide(of_month, reason, approved=False, as_json=as_json)


def _decide(month: str, reason: str, *, approved: bool, as_json: bool) -> int:
    settings = load_settings()
    month_name(month)
    with stored(settings) as resources:
        if resources is None:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        try:
            done = decide(month, approved=approved, reason=reason, resources=resources)
        except ConflictError as error:
            console.print(str(error), markup=False)
            return NOTHING_TO_DO
    word = "approved" if approved else "rejected"
    if as_json:
        print_json({"month": month, "version": done.version, "decision": word, "reason": reason})
    else:
        result.print(f"challenger {done.version} of {month} is {word}; {done.execution} goes on")
    return DONE


def redrive_command(
    of_month: Annotated[str | None, typer.Argument(metavar="[YYYY-MM]")] = None,
    sets: SetList = None,
    as_json: AsJson = False,
) -> int:
    """Run a month that failed or was stopped again, as it was asked for; the latest by default.

    Finished work is reused, nothing is stored or mailed twice. Exit code 3: there is none.
    """
    settings = load_settings(overrides=nested(read_assignments(sets or (), "--set")))
    if of_month is not None:
        month_name(of_month)
    with _alone():
        with stored(settings) as seen:  # before a deployment, which takes its time
            record = None if seen is None else _to_redrive(of_month, seen)
            if record is None:
                console.print(NO_MONTH if seen is None else _nothing_to_redrive(of_month, seen))
                return NOTHING_TO_DO
        return _redrive(record, settings, as_json=as_json)


def _redrive(record: RunRecord, settings: Settings, *, as_json: bool) -> int:
    with PeakMemory() as memory, _deployed(settings) as (resources, function, home):
        asked = StartRequest(as_of=record.as_of, exclude=record.exclude, overrides=record.overrides)
        started = start(function, asked)
        watch = watch_run(started, settings)
        return close(Outcome.read(started, watch, resources, home), memory, as_json=as_json)


def exports_command(
    outputs: Annotated[
        typer.FileText, typer.Argument(help="`pulumi stack output --json`, a file or - for stdin.")
    ],
) -> int:
    """Print the shell's export lines by which every command reaches a deployment on AWS."""
    try:
        told = json.load(outputs)
    except ValueError as error:
        raise ConfigurationError(
            f"the outputs are not JSON ({error}); give what `pulumi stack output --json` prints"
        ) from error
    wanted = {**NAMES_OF_OUTPUTS, "TRADING_ENVIRONMENT": "environment"}
    wanted |= {"AWS_REGION": "region", "AWS_DEFAULT_REGION": "region"}
    if not isinstance(told, dict) or (missing := sorted(set(wanted.values()) - set(told))):
        lacks = ", ".join(missing) if isinstance(told, dict) else "every one"
        raise ConfigurationError(f"these are not the outputs of a stack of ours: missing {lacks}")
    for name, output in sorted(wanted.items()):
        sys.stdout.write(f"export {name}={shlex.quote(str(told[output]))}\n")
    return DONE


def _alone() -> AbstractContextManager[None]:
    """Keep commands that fill or run the home off it, where it is the home that is worked on."""
    home = Home.from_environment()
    there = os.environ.get("TRADING_LEDGER_TABLE") or home.current() is None
    return nullcontext() if there else home.for_one_month()


@contextmanager
def _deployed(settings: Settings) -> Iterator[tuple[Resources, str, Path]]:
    """Yield resources, the function that starts a month, and a folder for the mail's page.

    Where the environment names a ledger these are of that deployment, else of the embedded cloud.
    Raises `MonthError` when no month has run there.
    """
    home = Home.from_environment()
    if os.environ.get("TRADING_LEDGER_TABLE"):
        function = f"trading-{settings.environment}-start-month"
        yield Resources(settings, dict(os.environ)), function, home.path
        return
    market = home.current()
    if market is None:
        raise MonthError(NO_MONTH)
    with embedded_cloud(home.of(market), settings, phase=show_phase) as cloud:
        yield cloud.resources(settings), cloud.outputs["functions"]["start_month"], cloud.home


def _to_redrive(month: str | None, resources: Resources) -> RunRecord | None:
    """Return the month's record, or the latest month's; None when it succeeded or never ran."""
    records = resources.ledger.runs()
    wanted = [record for record in records if month in (None, record.month)]
    if not wanted or wanted[-1].status == "SUCCEEDED":
        return None
    return wanted[-1]


def _nothing_to_redrive(month: str | None, resources: Resources) -> str:
    records = [record for record in resources.ledger.runs() if month in (None, record.month)]
    if not records:
        what = f"{month} has not run" if month else "no month has run"
        return f"{what} here; `trading signals` tells the months"
    latest = records[-1]
    return (
        f"{latest.month} succeeded: there is nothing to redrive; one that is wrong is taken back"
        f" first (`trading withdraw {latest.month}`)"
    )
