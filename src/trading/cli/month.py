"""`trading month`: bring in the bars, run the state machine, show what came of it."""

import json
import os
import shlex
import uuid
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import boto3
from rich.markup import escape

from trading.cli.cloud import embedded_cloud
from trading.cli.home import Home, Market
from trading.cli.memory import PeakMemory
from trading.cli.month_history import fill_history, history_job
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json
from trading.cli.progress import follow
from trading.cli.summary import Outcome, print_summary, summary_json
from trading.cli.watch import ExecutionWatch
from trading.config import Settings
from trading.data.benchmark import load_benchmark
from trading.data.providers import DataProvider, FetchResult, open_provider
from trading.errors import ConfigurationError, DataError, MonthError
from trading.month.backfill import (
    Backfilled,
    continue_simulation,
    current_month_start,
    fetch_history,
    ingest_history,
    refuse_unseen,
)
from trading.month.payloads import Overrides, Started, StartRequest
from trading.month.resources import Resources
from trading.month.universe import store_constituents
from trading.universe.iwv import read_iwv


@dataclass(frozen=True)
class MonthOptions:
    """What `trading month` was asked for."""

    bars: tuple[Path, ...] = ()
    as_of: date | None = None
    benchmark: Path | None = None
    constituents: Path | None = None
    exclude: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    as_json: bool = False
    history_from: date | None = None
    yes: bool = False


def run_month(options: MonthOptions, settings: Settings) -> int:
    """Run the month on the embedded cloud and return the exit code.

    Raises `ConfigurationError` where the shell names a deployment on AWS: the month asked for would
    run here, and that deployment would still have none.
    """
    _refuse_deployment(options, settings)
    home = Home.from_environment()
    with home.for_one_month(), PeakMemory() as memory:
        provider = open_provider(settings, options.bars)
        fetched: FetchResult | None = None
        as_of = options.as_of or current_month_start(settings)
        if options.bars:
            with console.status("reading bars"):
                fetched, following = fetch_history(provider, settings)
            as_of = options.as_of or following
            refuse_unseen(fetched, as_of)
        _check_files(options, settings)
        _announce(as_of, fetched, provider)
        market = _market(provider)
        with embedded_cloud(home.of(market), settings, phase=show_phase) as cloud:
            home.remember(market)
            resources = cloud.resources(settings)
            filled = _bring_in(options, provider, fetched, resources, as_of)
            del fetched
            asked = StartRequest(as_of=as_of, exclude=options.exclude, overrides=options.overrides)
            started = start(cloud.outputs["functions"]["start_month"], asked)
            watch = watch_run(started, settings)
            outcome = Outcome.read(started, watch, resources, cloud.home, filled)
            return close(outcome, memory, as_json=options.as_json)


def _refuse_deployment(options: MonthOptions, settings: Settings) -> None:
    table = os.environ.get("TRADING_LEDGER_TABLE")
    if not table:
        return
    asked = StartRequest(
        as_of=options.as_of or current_month_start(settings),
        exclude=options.exclude,
        overrides=options.overrides,
    )
    call = (
        f"aws lambda invoke --function-name trading-{settings.environment}-start-month"
        " --cli-binary-format raw-in-base64-out --payload"
        f" {shlex.quote(asked.model_dump_json(exclude_defaults=True))} out.json"
    )
    raise ConfigurationError(
        f"this shell names a deployment on AWS (TRADING_LEDGER_TABLE is {table}), and `trading"
        f" month` runs on this machine's embedded cloud; start the month there with `{call}`, or"
        " say `unset TRADING_LEDGER_TABLE` to run one here"
    )


def _check_files(options: MonthOptions, settings: Settings) -> None:
    """Refuse files that cannot be used before anything is started; raises `DataError`."""
    if options.benchmark is not None:
        load_benchmark(options.benchmark, exchange=settings.data.exchange)
    if options.constituents is not None:
        if not options.constituents.is_file():
            raise DataError(f"there is no file {options.constituents}")
        read_iwv(options.constituents)


def _announce(as_of: date, fetched: FetchResult | None, provider: DataProvider) -> None:
    real = escape(fetched.report.source if fetched else provider.name)
    market = "on a [bold]SIMULATED[/] market" if provider.simulated else f"on {real}"
    console.print(f"[bold]The month {as_of:%Y-%m}[/] as of {as_of} {market}")


def show_phase(name: str) -> None:
    """Tell what the embedded cloud is at."""
    console.print(f"  cloud: {name}")


def _market(provider: DataProvider) -> Market:
    return "simulated" if provider.simulated else "real"


def _bring_in(
    options: MonthOptions,
    provider: DataProvider,
    fetched: FetchResult | None,
    resources: Resources,
    as_of: date,
) -> Backfilled:
    settings = resources.settings
    if fetched is None and not provider.simulated:
        job = history_job(
            settings,
            Home.from_environment(),
            as_of,
            first=options.history_from,
            constituents=options.constituents,
        )
        filled = fill_history(job, resources.data, confirm=not options.yes)
    else:
        with console.status("bringing in bars"):
            if fetched is None:
                filled = continue_simulation(provider, resources.lake, as_of, settings)
            else:
                filled = ingest_history(fetched, resources.lake, as_of)
        _show_bars(filled)
    if options.benchmark is not None:
        resources.lake.ingest_benchmark(options.benchmark)
    if options.constituents is not None:
        store_constituents(resources, options.constituents.read_bytes())
    return filled


def _show_bars(filled: Backfilled) -> None:
    if filled.report is None:
        console.print("  bars: the lake was complete")
        return
    report = filled.report
    console.print(
        f"  bars: {filled.rows:,} of {report['rows_read']:,} rows, {report['symbols']:,} symbols,"
        f" {report['first']} to {report['last']}"
    )
    for kind in ("repairs", "dropped"):
        for reason, count in report[kind].items():
            console.print(f"    {kind}: {reason} ({count:,})")


def start(function: str, request: StartRequest) -> Started:
    """Call the function that starts a month, as the schedule would.

    Raises `MonthError` with what the function refused, or while everything is paused.
    """
    asked = request.model_copy(update={"correlation_id": str(uuid.uuid4())})
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=asked.model_dump_json())
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise MonthError(str(payload.get("errorMessage", payload)))
    started = Started.model_validate(payload)
    if started.outcome == "paused":
        raise MonthError(started.reason)
    return started


def watch_run(started: Started, settings: Settings) -> ExecutionWatch | None:
    """Follow the month's execution to its end; None when none runs."""
    if started.outcome not in ("started", "already_running") or started.execution_arn is None:
        return None
    watch = ExecutionWatch(started.execution_arn)
    prefix = f"trading-{settings.environment}-{started.month}-r{started.run}-"
    follow(watch, prefix)
    return watch


def close(outcome: Outcome, memory: PeakMemory, *, as_json: bool) -> int:
    """Show what came of the month and return the exit code."""
    if as_json:
        print_json(summary_json(outcome, memory.peak_mb))
    else:
        print_summary(outcome, memory.peak_mb)
    if outcome.status != "SUCCEEDED":
        return FAILED
    return NOTHING_TO_DO if outcome.started.outcome == "already_done" else DONE
