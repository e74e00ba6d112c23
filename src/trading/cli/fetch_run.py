"""Run what `trading fetch` and `trading backfill` were asked for."""

import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import typer
from rich.markup import escape

from trading.cli.backtest_options import nested, read_assignments
from trading.cli.intake_view import (
    duration,
    outcome_json,
    print_account,
    print_outcome,
    print_plan,
    shown_progress,
)
from trading.cli.interrupts import stoppable
from trading.cli.lake import LakeChoice, choose_lake
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json
from trading.cli.quality_pages import write_pages
from trading.cli.which_symbols import WhichSymbols, which_symbols
from trading.config import Settings, load_settings
from trading.data.backfill import (
    BackfillPlan,
    Finished,
    Pace,
    PaceBook,
    plan_span,
    requested_sessions,
    run_plan,
)
from trading.data.intake import IntakeResult, SessionStatus, open_intake, recent_symbols
from trading.data.lake import Lake
from trading.data.providers import NETWORK_PROVIDERS, open_provider
from trading.data.providers.vendor_bars import finished_sessions
from trading.data.store import ObjectStore
from trading.errors import ConfigurationError

INTERRUPTED = 130
PACE = "provider-pace.json"
PROVIDERS = (*NETWORK_PROVIDERS, "simulated")
# Calendar days that contain a session that is over, whatever the holidays.
RECENT_DAYS = 20
TO_COME = (SessionStatus.FAILED, SessionStatus.QUARANTINED, SessionStatus.LEFT)


@dataclass(frozen=True)
class FetchOptions:
    """What the options of `trading fetch` and `trading backfill` say."""

    provider: str | None = None
    symbols: tuple[str, ...] = ()
    symbols_file: Path | None = None
    whole_market: bool = False
    exchange: str | None = None
    home: Path | None = None
    lake: str | None = None
    sets: tuple[str, ...] = ()
    as_json: bool = False
    yes: bool = False
    dry_run: bool = False

    def settings(self) -> Settings:
        """Return the configuration with what the options change; raises `ConfigurationError`."""
        assigned = read_assignments(self.sets, "--set")
        if self.provider is not None:
            if self.provider not in PROVIDERS:
                raise ConfigurationError(
                    f"--provider {self.provider!r} is unknown; expected one of "
                    f"{', '.join(PROVIDERS)}"
                )
            assigned["data.provider"] = self.provider
        if self.exchange is not None:
            assigned["data.exchange"] = self.exchange
        settings = load_settings(overrides=nested(assigned))
        if settings.data.provider not in PROVIDERS:
            raise ConfigurationError(
                "data.provider is 'files', which are brought in by `trading month --bars FILE...`; "
                f"choose another with --provider: {', '.join(PROVIDERS)}"
            )
        return settings


@dataclass(frozen=True)
class Job:
    """One filling of a lake: settings, lake, days and symbols, read and checked."""

    settings: Settings
    lake: LakeChoice
    first: date
    last: date
    which: WhichSymbols
    now: datetime

    @property
    def book(self) -> PaceBook:
        """Where the measured times of the providers are kept."""
        return PaceBook(self.lake.home.path / PACE)

    def wanted(self, store: ObjectStore) -> tuple[str, ...] | None:
        """Return who is asked for: the named ones, else the lake's own, None for the market."""
        if self.which.symbols is not None or self.which.market:
            return self.which.symbols
        return recent_symbols(Lake(store)) or None

    def plan(self, store: ObjectStore, pace: Pace) -> BackfillPlan:
        """Return the plan by what the lake in `store` holds."""
        return plan_span(
            store,
            self.settings,
            first=self.first,
            last=self.last,
            symbols=self.wanted(store),
            universe=self.which.words,
            now=self.now,
            pace=pace,
            free_bytes=_free_bytes(self.lake.folder),
        )


def run_backfill(options: FetchOptions, first: date, last: date | None) -> int:
    """Plan, confirm and fill; return the exit code."""
    settings, now = options.settings(), datetime.now(UTC)
    job = _job(options, settings, first, last or _last_session(settings, now), now)
    sessions, _ = requested_sessions(job.first, job.last, settings.data.exchange)
    if not sessions:
        exchange = settings.data.exchange
        return _nothing(options, f"{exchange} has no session from {job.first} to {job.last}")
    _refuse_unfinished(sessions[0], settings, now)
    if options.dry_run:
        return _dry_run(options, job)
    return _run(options, job, confirm=not options.yes)


def run_fetch(options: FetchOptions, session: date | None) -> int:
    """Fetch and judge one session, the last one that is over by default; return the exit code."""
    settings, now = options.settings(), datetime.now(UTC)
    day = session or _last_session(settings, now)
    sessions, _ = requested_sessions(day, day, settings.data.exchange)
    if not sessions:
        return _nothing(options, f"{day} is no session of {settings.data.exchange}")
    _refuse_unfinished(day, settings, now)
    return _run(options, _job(options, settings, day, day, now), confirm=False)


def _job(options: FetchOptions, settings: Settings, first: date, last: date, now: datetime) -> Job:
    simulated = settings.data.provider == "simulated"
    lake = choose_lake(options.home, options.lake, simulated=simulated)
    named = bool(options.symbols) or options.symbols_file is not None
    which = which_symbols(
        options.symbols,
        options.symbols_file,
        whole_market=options.whole_market or (simulated and not named),
        home=lake.home,
        first=first,
        last=last,
    )
    return Job(settings, lake, first, last, which, now)


def _dry_run(options: FetchOptions, job: Job) -> int:
    """Show the plan; neither a key nor a lake is needed for it, and nothing is written."""
    with job.lake.looked_at(job.settings) as store:
        plan = job.plan(store, job.book.read())
    if options.as_json:
        print_json({"plan": plan.to_dict()})
    else:
        print_plan(plan)
    return DONE if plan.ask else NOTHING_TO_DO


def _run(options: FetchOptions, job: Job, *, confirm: bool) -> int:
    # A missing key is told before a cloud is started for it.
    open_provider(job.settings)
    with job.lake.alone("`trading fetch` or `backfill`"), job.lake.opened(job.settings) as store:
        pace = job.book.read()
        plan = job.plan(store, pace)
        print_plan(plan)
        if not plan.ask:
            return _nothing(options, "what is over is held already", plan)
        if plan.long and confirm:
            _confirm(plan)
        finished, stopped = _fill(job, plan, store, pace)
        pages = write_pages(store, finished.result, job.lake, job.settings)
    return _close(options, plan, finished, pages, stopped=stopped)


def _fill(job: Job, plan: BackfillPlan, store: ObjectStore, pace: Pace) -> tuple[Finished, bool]:
    wanted = job.wanted(store)
    intake = open_intake(job.settings, store, expected=wanted)
    with stoppable("what is being asked") as interrupts, shown_progress() as report:
        finished = run_plan(
            plan,
            intake,
            job.which.symbols,
            report=report,
            stop=interrupts.stop,
            pace=pace,
            measure_disk=lambda: _bytes_of(job.lake.folder),
        )
    job.book.write(finished.pace)
    return finished, interrupts.stop()


def _close(
    options: FetchOptions,
    plan: BackfillPlan,
    finished: Finished,
    pages: dict[date, str],
    *,
    stopped: bool,
) -> int:
    done = finished.result
    if options.as_json:
        print_json(
            {
                "plan": plan.to_dict(),
                "outcome": outcome_json(done, pages),
                "account": finished.account.to_dict(),
            }
        )
    else:
        print_outcome(done, pages)
        print_account(finished.account)
    if stopped:
        return INTERRUPTED
    return FAILED if _is_to_come(done) else DONE


def _is_to_come(done: IntakeResult) -> bool:
    """Tell whether something was not stored, is held back, or may come when it is asked again."""
    return bool(done.count(*TO_COME)) or any(gap.may_pass for gap in done.missing)


def _nothing(options: FetchOptions, why: str, plan: BackfillPlan | None = None) -> int:
    console.print(f"nothing to do: {escape(why)}", soft_wrap=True)
    if options.as_json:
        print_json({"plan": plan.to_dict() if plan else None, "outcome": None, "why": why})
    return NOTHING_TO_DO


def _confirm(plan: BackfillPlan) -> None:
    """Ask whether to begin; raises `ConfigurationError` where nobody can answer."""
    days = f" over {plan.quota_days:,} days" if plan.quota_days > 1 else ""
    told = f"{plan.calls:,} requests, about {duration(plan.seconds)}{days}"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"this takes long ({told}); begin it with --yes")
    typer.confirm(f"begin ({told})?", abort=True, err=True)


def _last_session(settings: Settings, now: datetime) -> date:
    """Return the last session whose bars are final."""
    day = now.date()
    over = finished_sessions(day - timedelta(days=RECENT_DAYS), day, settings.data.exchange, now)
    last: date = over[-1].astype(object)
    return last


def _refuse_unfinished(first: date, settings: Settings, now: datetime) -> None:
    last = _last_session(settings, now)
    if first > last:
        raise ConfigurationError(
            f"the session {first} is not over at {now:%Y-%m-%d %H:%M} UTC by this machine's clock; "
            f"the last one that is over is {last}"
        )


def _free_bytes(folder: Path | None) -> int | None:
    if folder is None:
        return None
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _bytes_of(folder: Path | None) -> int | None:
    """Return what the files below a folder take, None for no folder."""
    if folder is None:
        return None
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            # Removed since it was listed: scratch files and parts come and go.
            continue
    return total
