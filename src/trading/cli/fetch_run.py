"""Run what `trading fetch` and `trading backfill` were asked for."""

from datetime import UTC, date, datetime, timedelta

from rich.markup import escape

from trading.cli.backtest_options import nested, read_assignments
from trading.cli.fetch import BackfillOptions, FetchOptions, SessionOptions
from trading.cli.filling import Filled, Job, fill
from trading.cli.intake_view import outcome_json, print_account, print_outcome, print_plan
from trading.cli.lake import choose_lake
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, print_json
from trading.cli.quality_pages import write_pages
from trading.cli.which_symbols import which_symbols
from trading.config import Settings, load_settings
from trading.data.backfill import BackfillPlan, Finished, requested_sessions
from trading.data.providers import NETWORK_PROVIDERS, open_provider
from trading.data.providers.vendor_bars import finished_sessions
from trading.errors import ConfigurationError

INTERRUPTED = 130
PROVIDERS = (*NETWORK_PROVIDERS, "simulated")
# Calendar days that contain a session that is over, whatever the holidays.
RECENT_DAYS = 20


def settings_of(options: FetchOptions) -> Settings:
    """Return the configuration with what the options change; raises `ConfigurationError`."""
    assigned = read_assignments(options.sets, "--set")
    if options.provider is not None:
        if options.provider not in PROVIDERS:
            raise ConfigurationError(
                f"--provider {options.provider!r} is unknown; expected one of "
                f"{', '.join(PROVIDERS)}"
            )
        assigned["data.provider"] = options.provider
    if options.exchange is not None:
        assigned["data.exchange"] = options.exchange
    settings = load_settings(overrides=nested(assigned))
    if settings.data.provider not in PROVIDERS:
        raise ConfigurationError(
            "data.provider is 'files', which are brought in by `trading month --bars FILE...`; "
            f"choose another with --provider: {', '.join(PROVIDERS)}"
        )
    return settings


def run_backfill(options: BackfillOptions) -> int:
    """Plan, confirm and fill; return the exit code."""
    settings, now = settings_of(options), datetime.now(UTC)
    job = _job(options, settings, options.first, options.last or _last_session(settings, now), now)
    sessions, _ = requested_sessions(job.first, job.last, settings.data.exchange)
    if not sessions:
        exchange = settings.data.exchange
        return _nothing(options, f"{exchange} has no session from {job.first} to {job.last}")
    _refuse_unfinished(sessions[0], settings, now)
    if options.dry_run:
        return _dry_run(options, job)
    return _run(options, job, confirm=not options.yes)


def run_fetch(options: SessionOptions) -> int:
    """Fetch and judge one session, the last one that is over by default; return the exit code."""
    settings, now = settings_of(options), datetime.now(UTC)
    day = options.session or _last_session(settings, now)
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
    with job.lake.alone(), job.lake.opened(job.settings) as store:
        filled = fill(job, store, confirm=confirm)
        if filled.finished is None:
            return _nothing(options, "what is over is held already", filled.plan)
        pages = write_pages(store, filled.finished.result, job.lake, job.settings)
    return _close(options, filled, filled.finished, pages)


def _close(
    options: FetchOptions, filled: Filled, finished: Finished, pages: dict[date, str]
) -> int:
    done = finished.result
    if options.as_json:
        print_json(
            {
                "plan": filled.plan.to_dict(),
                "outcome": outcome_json(done, pages),
                "account": finished.account.to_dict(),
            }
        )
    else:
        print_outcome(done, pages)
        print_account(finished.account)
    if filled.stopped:
        return INTERRUPTED
    return FAILED if filled.is_to_come else DONE


def _nothing(options: FetchOptions, why: str, plan: BackfillPlan | None = None) -> int:
    console.print(f"nothing to do: {escape(why)}", soft_wrap=True)
    if options.as_json:
        print_json({"plan": plan.to_dict() if plan else None, "outcome": None, "why": why})
    return NOTHING_TO_DO


def _last_session(settings: Settings, now: datetime) -> date:
    """Return the last session whose bars are final."""
    day = now.date()
    over = finished_sessions(day - timedelta(days=RECENT_DAYS), day, settings.data.exchange, now)
    if not len(over):
        raise ConfigurationError(
            f"the calendar of {settings.data.exchange} knows no session before {day}; expected "
            "another --exchange"
        )
    last: date = over[-1].astype(object)
    return last


def _refuse_unfinished(first: date, settings: Settings, now: datetime) -> None:
    last = _last_session(settings, now)
    if first > last:
        raise ConfigurationError(
            f"the session {first} is not over at {now:%Y-%m-%d %H:%M} UTC by this machine's clock; "
            f"the last one that is over is {last}"
        )
