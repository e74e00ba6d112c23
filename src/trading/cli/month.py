"""`trading month`: bring in the bars, run the state machine, show what came of it."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import boto3

from trading.cli.cloud import Cloud, embedded_cloud
from trading.cli.home import Home, Market
from trading.cli.memory import PeakMemory
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json
from trading.cli.progress import follow
from trading.cli.summary import Outcome, print_summary, summary_json
from trading.cli.watch import ExecutionWatch
from trading.config import Settings
from trading.data.providers import DataProvider, open_provider
from trading.errors import MonthError
from trading.market.calendar import first_session_from, first_session_of_month, today
from trading.month.backfill import Backfilled, backfill
from trading.month.payloads import Started
from trading.month.universe import store_constituents
from trading.month.resources import Resources


@dataclass(frozen=True)
class MonthOptions:
    """What `trading month` was asked for."""

    bars: tuple[Path, ...] = ()
    as_of: date | None = None
    benchmark: Path | None = None
    constituents: Path | None = None
    exclude: tuple[str, ...] = ()
    as_json: bool = False


def run_month(options: MonthOptions, settings: Settings) -> int:
    """Run the month on the embedded cloud and return the exit code."""
    provider = open_provider(settings, options.bars)
    as_of = options.as_of or _default_as_of(provider, settings)
    home, market = Home.from_environment(), _market(provider)
    console.print(
        f"[bold]The month {as_of:%Y-%m}[/] as of {as_of}"
        + (" on a [bold]SIMULATED[/] market" if provider.simulated else f" on {provider.name}")
    )
    with (
        PeakMemory() as memory,
        embedded_cloud(
            home.of(market), settings, phase=lambda name: console.print(f"  cloud: {name}")
        ) as cloud,
    ):
        home.remember(market)
        resources = cloud.resources(settings)
        filled = _bring_in(options, provider, resources, as_of, settings)
        started = _start(cloud, as_of, options.exclude)
        watch = _watch(started, settings)
        return _close(options, started, watch, resources, cloud, filled, memory)


def _default_as_of(provider: DataProvider, settings: Settings) -> date:
    """Return the first session after the files' last bar, or of the running month."""
    last = provider.last_session()
    if last is not None:
        return first_session_from(date.fromordinal(last.toordinal() + 1), settings.data.exchange)
    now = today(settings.schedule.timezone)
    first = first_session_of_month(now, settings.data.exchange)
    if first <= now:
        return first
    return first_session_of_month(
        date.fromordinal(now.replace(day=1).toordinal() - 1), settings.data.exchange
    )


def _market(provider: DataProvider) -> Market:
    return "simulated" if provider.simulated else "real"


def _bring_in(
    options: MonthOptions,
    provider: DataProvider,
    resources: Resources,
    as_of: date,
    settings: Settings,
) -> Backfilled:
    with console.status("bringing in bars"):
        filled = backfill(provider, resources.lake, as_of, settings)
        if options.benchmark is not None:
            resources.lake.ingest_benchmark(options.benchmark)
        if options.constituents is not None:
            store_constituents(resources, options.constituents.read_bytes())
    if filled.report is None:
        console.print("  bars: the lake was complete")
        return filled
    report = filled.report
    console.print(
        f"  bars: {filled.rows:,} of {report['rows_read']:,} rows, {report['symbols']:,} symbols,"
        f" {report['first']} to {report['last']}"
    )
    for kind in ("repairs", "dropped"):
        for reason, count in report[kind].items():
            console.print(f"    {kind}: {reason} ({count:,})")
    return filled


def _start(cloud: Cloud, as_of: date, exclude: Sequence[str]) -> Started:
    """Call the `start_month` function as the schedule would."""
    answer = boto3.client("lambda").invoke(
        FunctionName=cloud.outputs["functions"]["start_month"],
        Payload=json.dumps(
            {
                "as_of": as_of.isoformat(),
                "correlation_id": str(uuid.uuid4()),
                "exclude": list(exclude),
            }
        ),
    )
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise MonthError(str(payload.get("errorMessage", payload)))
    return Started.model_validate(payload)


def _watch(started: Started, settings: Settings) -> ExecutionWatch | None:
    if started.outcome not in ("started", "already_running") or started.execution_arn is None:
        return None
    watch = ExecutionWatch(started.execution_arn)
    prefix = f"trading-{settings.environment}-{started.month}-r{started.run}-"
    follow(watch, prefix)
    return watch


def _close(
    options: MonthOptions,
    started: Started,
    watch: ExecutionWatch | None,
    resources: Resources,
    cloud: Cloud,
    filled: Backfilled,
    memory: PeakMemory,
) -> int:
    outcome = Outcome.read(started, watch, resources, cloud.home, filled)
    if options.as_json:
        print_json(summary_json(outcome, memory.peak_mb))
    else:
        print_summary(outcome, memory.peak_mb)
    if outcome.status != "SUCCEEDED":
        return FAILED
    return NOTHING_TO_DO if started.outcome == "already_done" else DONE
