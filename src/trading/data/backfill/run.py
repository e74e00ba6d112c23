"""Find the work of a span, and do it: the plan and the run ask the same question of the lake."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from trading.config import Settings
from trading.data.backfill.account import Account, take_account
from trading.data.backfill.pace import Pace, ProviderPace
from trading.data.backfill.plan import (
    BackfillPlan,
    plan_backfill,
    requested_sessions,
    seconds_to_ask,
)
from trading.data.intake import (
    Intake,
    IntakeProgress,
    IntakeResult,
    sessions_to_do,
)
from trading.data.intake.outcome import STORED
from trading.data.lake import Lake
from trading.data.store.base import ObjectStore
from trading.errors import DataError


@dataclass(frozen=True)
class Finished:
    """What a run did, what it took, and the pace that the next plan reckons with."""

    result: IntakeResult
    account: Account
    pace: Pace


def plan_span(
    store: ObjectStore,
    settings: Settings,
    *,
    first: date,
    last: date,
    symbols: Sequence[str] | None,
    universe: str,
    now: datetime,
    pace: Pace,
    free_bytes: int | None,
) -> BackfillPlan:
    """Return the plan of filling the lake in `store` from `first` to `last`, both included.

    Parameters
    ----------
    store : the lake's
    settings : `data.provider`, `data.providers`, `data.exchange`
    symbols, universe : who is wanted (None: the whole market), and who that is in words
    now : UTC
    pace, free_bytes : see `plan_backfill`

    Raises `ConfigurationError` for days, a plan or an address that cannot be, and `DataError` when
    the lake holds another kind of market.
    """
    _refuse_mixing(store, settings)
    sessions, _ = requested_sessions(first, last, settings.data.exchange)
    todo = sessions_to_do(store, sessions, symbols, settings, now=now)
    asked = None
    if symbols is not None:
        lacking = {symbol for names in todo.partial.values() for symbol in names}
        asked = len(set(symbols)) if todo.new else len(lacking)
    return plan_backfill(
        settings,
        first=first,
        last=last,
        ask=todo.ask,
        held=len(todo.held),
        future=len(todo.unfinished),
        symbols=asked,
        universe=universe,
        today=now.date(),
        pace=pace,
        free_bytes=free_bytes,
    )


def _refuse_mixing(store: ObjectStore, settings: Settings) -> None:
    held = Lake(store).source()
    if held is not None and held.simulated != (settings.data.provider == "simulated"):
        kind = "simulated" if held.simulated else "real"
        raise DataError(
            f"{store.uri} holds {kind} bars ({held.name}), and those of {settings.data.provider} "
            "would mix with them; choose another --lake or --home"
        )


def run_plan(
    plan: BackfillPlan,
    intake: Intake,
    symbols: Sequence[str] | None,
    *,
    report: Callable[[IntakeProgress], None] | None,
    stop: Callable[[], bool] | None,
    pace: Pace,
    measure_disk: Callable[[], int | None] = lambda: None,
) -> Finished:
    """Do what `plan` says, and measure it.

    Parameters
    ----------
    plan : of `plan_span`, for the same lake and symbols
    intake : asks and stores
    symbols : who is wanted, None for those that the intake expects
    report, stop : see `Intake.run`
    pace : what the plan reckoned with
    measure_disk : returns the bytes that the lake takes, None where nobody knows
    """
    before, begun = measure_disk(), time.monotonic()
    result = intake.run(plan.ask, symbols=symbols, report=report, stop=stop)
    seconds, after = time.monotonic() - begun, measure_disk()
    account = take_account(
        plan,
        result.calls,
        seconds=seconds,
        bars=result.bars,
        bytes_written=None if before is None or after is None else max(0, after - before),
    )
    return Finished(result, account, _measured(pace, plan, result, seconds))


def _measured(pace: Pace, plan: BackfillPlan, result: IntakeResult, seconds: float) -> Pace:
    """Return the pace with what this run showed: answers first, and the rest of the time."""
    for name, count in result.calls.items():
        pace = pace.with_calls(name, count.answered, count.answering, plan.today)
    asked = result.calls.get(plan.provider)
    asking = 0.0
    if asked is not None and asked.answered:
        seen = ProviderPace(asked.answering / asked.answered, asked.answered, plan.today)
        asking = seconds_to_ask(asked.attempts, plan.limits, seen, plan.at_once) + asked.waited
    return pace.with_handling(result.count(*STORED), result.bars, seconds - asking)
