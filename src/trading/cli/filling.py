"""Fill a lake from a provider: plan, confirm, ask and store, account."""

import shutil
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import typer

from trading.cli.intake_view import duration, print_plan, shown_progress, size
from trading.cli.interrupts import stoppable
from trading.cli.lake import LakeChoice
from trading.cli.which_symbols import WhichSymbols
from trading.config import Settings
from trading.data.backfill import BackfillPlan, Finished, Pace, PaceBook, plan_span, run_plan
from trading.data.intake import SessionStatus, open_intake, recent_symbols
from trading.data.lake import Lake
from trading.data.store import ObjectStore
from trading.errors import ConfigurationError, StoreError

PACE = "provider-pace.json"
# Providers that answer with every symbol of the market.
LISTING = frozenset({"polygon", "simulated"})
TO_COME = (SessionStatus.FAILED, SessionStatus.QUARANTINED, SessionStatus.LEFT)


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

    def wanted(self, store: ObjectStore) -> WhichSymbols:
        """Return who is asked for: the named ones, else the lake's own, else the market.

        Raises `ConfigurationError` where nobody is named and the provider cannot list the market.
        """
        if self.which.symbols is not None:
            return self.which
        provider = self.settings.data.provider
        own = () if self.which.market else recent_symbols(Lake(store))
        if own:
            return WhichSymbols(own, f"{len(own):,} of the lake's last sessions")
        if provider not in LISTING:
            raise ConfigurationError(
                f"{provider} answers one symbol at a time and cannot list the market; name the "
                "symbols (--symbols, --symbols-file, a month's --constituents), keep a universe "
                "(`trading universe build`), or ask polygon"
            )
        return WhichSymbols(None, "the whole market", market=True)

    def plan(self, store: ObjectStore, pace: Pace) -> BackfillPlan:
        """Return the plan by what the lake in `store` holds."""
        wanted = self.wanted(store)
        return plan_span(
            store,
            self.settings,
            first=self.first,
            last=self.last,
            symbols=wanted.symbols,
            universe=wanted.words,
            now=self.now,
            pace=pace,
            free_bytes=_free_bytes(self.lake.folder),
        )


@dataclass(frozen=True)
class Filled:
    """What a filling did.

    Attributes
    ----------
    plan : what was planned
    finished : what came of it, None when there was nothing to ask
    stopped : whether the user ended it
    """

    plan: BackfillPlan
    finished: Finished | None = None
    stopped: bool = False

    @property
    def is_to_come(self) -> bool:
        """Whether something is not stored, is held back, or may come when it is asked again."""
        if self.finished is None:
            return False
        done = self.finished.result
        return bool(done.count(*TO_COME)) or any(gap.may_pass for gap in done.missing)


def fill(job: Job, store: ObjectStore, *, confirm: bool) -> Filled:
    """Show the plan, have one that is long or may fill the disk confirmed, and do it.

    Raises `ConfigurationError` when nobody can confirm it, `StoreError` when the lake fails.
    """
    pace = job.book.read()
    plan = job.plan(store, pace)
    print_plan(plan)
    if not plan.ask:
        return Filled(plan)
    if confirm and (plan.long or not plan.fits):
        _confirm(plan)
    intake = open_intake(job.settings, store, expected=job.wanted(store).symbols)
    with stoppable("what is being asked") as interrupts, shown_progress(len(plan.ask)) as report:
        try:
            finished = run_plan(
                plan,
                intake,
                job.which.symbols,
                report=report,
                stop=interrupts.stop,
                pace=pace,
                measure_disk=lambda: _bytes_of(job.lake.folder),
            )
        except StoreError as error:
            raise StoreError(
                f"{error}; the same command then continues where this one ended"
            ) from error
    job.book.write(finished.pace)
    return Filled(plan, finished, interrupts.stop())


def _confirm(plan: BackfillPlan) -> None:
    """Ask whether to begin; raises `ConfigurationError` where nobody can answer."""
    days = f" over {plan.quota_days:,} days" if plan.quota_days > 1 else ""
    told = f"{plan.calls:,} requests, about {duration(plan.seconds)}{days}"
    if not plan.fits:
        told += f", and up to {size(plan.disk_bytes)} where {size(plan.free_bytes or 0)} are free"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"this takes much ({told}); begin it with --yes")
    typer.confirm(f"begin ({told})?", abort=True, err=True)


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
