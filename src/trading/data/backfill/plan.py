"""The plan of a backfill: sessions, requests, time and disk, before anything is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any, Final

import numpy as np

from trading.config import ProviderName, Settings
from trading.data.backfill.cost import CallCost, Work, by_symbol, call_costs
from trading.data.backfill.pace import Pace, ProviderPace
from trading.data.intake.chain import BLOCK_MINUTES, BLOCK_SESSIONS
from trading.data.providers import NETWORK_PROVIDERS
from trading.data.providers.plans import DEFAULT_PLANS, Plan, base_url_of, plan_of
from trading.errors import ConfigurationError
from trading.market.calendar import known_days, sessions_between

# Stocks and funds with a bar on a day of the US market without OTC; from above.
MARKET_SYMBOLS: Final = 11_000
# A bar on disk: 26 bytes in a day's raw object, 17 in a curated year, measured on the real Russell
# bars of 2018; and what is written beside them: provenance, manifests, records, the audit of the
# embedded cloud.
BYTES_A_BAR: Final = 60
BYTES_A_SESSION: Final = 100_000
# The catalog, and what the embedded cloud writes whenever it starts.
BYTES_A_RUN: Final = 500_000
# A plan of more than this is confirmed before it starts.
LONG_SECONDS: Final = 120.0
LONG_CALLS: Final = 1_000


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill will ask, how long it will take, and what it will leave on disk.

    Attributes
    ----------
    provider, plan_name : who is asked, and the plan that tells its limits
    backups : asked for what the provider leaves out; not part of the estimate
    first, last : the days that were requested
    exchange : whose calendar
    today : the day of the plan
    sessions, holidays : sessions requested, and weekdays of that time that are none
    held, future : sessions that are held already, and that are not over yet
    ask : sessions to ask, ascending
    symbols : how many symbols are asked; None for the whole market
    universe : which symbols, in words
    costs : requests by kind
    limits : the plan's limits; None for a provider that is not asked over the network
    pace : how long answers took here, or what is assumed
    at_once : requests that run at once
    waiting_seconds : time that requests take by limits and pace
    handling_seconds : time to read, judge and store the bars
    quota_days : days that the plan's requests a day spread the work over; 0 without such a limit
    bars, disk_bytes : how many bars are expected, and what they take, from above
    free_bytes : free space where the lake lies, None when it is not on this machine
    """

    provider: str
    plan_name: str
    backups: tuple[str, ...]
    first: date
    last: date
    exchange: str
    today: date
    sessions: int
    holidays: int
    held: int
    future: int
    ask: tuple[date, ...]
    symbols: int | None
    universe: str
    costs: tuple[CallCost, ...]
    limits: Plan | None
    pace: ProviderPace
    at_once: int
    waiting_seconds: float
    handling_seconds: float
    quota_days: int
    bars: int
    disk_bytes: int
    free_bytes: int | None

    @property
    def calls(self) -> int:
        """All requests of the estimate."""
        return sum(cost.calls for cost in self.costs)

    @property
    def seconds(self) -> float:
        """The whole time, without the days that a daily quota adds."""
        return self.waiting_seconds + self.handling_seconds

    @property
    def long(self) -> bool:
        """Whether it takes so long, or so many requests, that it is confirmed before it starts."""
        return self.seconds > LONG_SECONDS or self.calls > LONG_CALLS or self.quota_days > 1

    @property
    def fits(self) -> bool:
        """Whether what it leaves fits on the disk, as far as that is known."""
        return self.free_bytes is None or self.disk_bytes <= self.free_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; days as ISO text."""
        limits = self.limits
        return {
            "provider": self.provider,
            "plan": self.plan_name,
            "backups": list(self.backups),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "exchange": self.exchange,
            "sessions": {
                "requested": self.sessions,
                "holidays": self.holidays,
                "held": self.held,
                "not_over": self.future,
                "to_ask": len(self.ask),
                "first": self.ask[0].isoformat() if self.ask else None,
                "last": self.ask[-1].isoformat() if self.ask else None,
            },
            "symbols": self.symbols,
            "universe": self.universe,
            "calls": {
                "total": self.calls,
                "by_kind": [
                    {"provider": c.provider, "what": c.what, "calls": c.calls, "exact": c.exact}
                    for c in self.costs
                ],
            },
            "limits": None
            if limits is None
            else {
                "requests_per_minute": limits.per_minute,
                "concurrency": limits.concurrency,
                "requests_per_day": limits.per_day,
            },
            "seconds_a_call": self.pace.seconds_a_call,
            "seconds_a_call_measured": self.pace.measured.isoformat()
            if self.pace.measured
            else None,
            "seconds": {
                "requests": round(self.waiting_seconds, 1),
                "handling": round(self.handling_seconds, 1),
                "total": round(self.seconds, 1),
            },
            "days_of_quota": self.quota_days,
            "bars": self.bars,
            "disk_bytes": self.disk_bytes,
            "free_bytes": self.free_bytes,
            "long": self.long,
        }


def requested_sessions(first: date, last: date, exchange: str) -> tuple[tuple[date, ...], int]:
    """Return the sessions from `first` to `last`, both included, and the weekdays that are none.

    Raises `ConfigurationError` when the days are reversed, or lie where the exchange's calendar is
    not known.
    """
    if first > last:
        raise ConfigurationError(
            f"--from {first} is after --to {last}; expected the earlier day first"
        )
    begins, ends = known_days(exchange)
    if first < begins or last > ends:
        raise ConfigurationError(
            f"the sessions of {exchange} are known from {begins} to {ends}, and {first} to {last} "
            "reaches beyond; choose days within"
        )
    sessions = sessions_between(first, last, exchange)
    days = np.arange(np.datetime64(first), np.datetime64(last + timedelta(days=1)))
    closed = np.setdiff1d(days[np.is_busday(days)], sessions)
    return tuple(session.astype(object) for session in sessions), len(closed)


def plan_backfill(
    settings: Settings,
    *,
    first: date,
    last: date,
    ask: Sequence[date],
    held: int,
    future: int,
    symbols: int | None,
    universe: str,
    today: date,
    pace: Pace,
    free_bytes: int | None,
) -> BackfillPlan:
    """Return the plan of asking `data.provider` for the sessions `ask`.

    Parameters
    ----------
    settings : `data.provider` and `data.providers`
    first, last : the days that were requested
    ask, held, future : sessions to ask, and how many are held, and not over yet
    symbols, universe : how many symbols are asked (None: the whole market), and which, in words
    today : the day of the fetch
    pace : what was measured before
    free_bytes : free space where the lake lies, None when it is not on this machine

    Raises `ConfigurationError` for days or a plan that cannot be, or an unknown address.
    """
    sessions, holidays = requested_sessions(first, last, settings.data.exchange)
    work = Work(tuple(ask), symbols, today)
    name, limits = _limits(settings)
    costs = () if name is None else call_costs(name, work)
    calls = sum(cost.calls for cost in costs)
    bars = len(work.sessions) * (_market(settings, name) if symbols is None else symbols)
    measured = pace.of(settings.data.provider)
    at_once = _at_once(name, work, limits)
    return BackfillPlan(
        provider=settings.data.provider,
        plan_name=_plan_name(settings, name),
        backups=tuple(b for b in settings.data.providers.backups if b != name) if name else (),
        first=first,
        last=last,
        exchange=settings.data.exchange,
        today=today,
        sessions=len(sessions),
        holidays=holidays,
        held=held,
        future=future,
        ask=work.sessions,
        symbols=symbols,
        universe=universe,
        costs=costs,
        limits=limits,
        pace=measured,
        at_once=at_once,
        waiting_seconds=seconds_to_ask(calls, limits, measured, at_once),
        handling_seconds=pace.seconds_to_handle(len(work.sessions), bars),
        quota_days=_quota_days(calls, limits),
        bars=bars,
        disk_bytes=_disk(len(work.sessions), bars),
        free_bytes=free_bytes,
    )


def _market(settings: Settings, name: ProviderName | None) -> int:
    """Return how many symbols the whole market has."""
    return settings.data.simulated.symbols if name is None else MARKET_SYMBOLS


def _quota_days(calls: int, limits: Plan | None) -> int:
    """Return the days that the plan's requests a day spread the calls over; 0 without a quota."""
    return ceil(calls / limits.per_day) if limits and limits.per_day else 0


def _disk(sessions: int, bars: int) -> int:
    """Return the bytes that so many sessions and bars take, from above."""
    return bars * BYTES_A_BAR + sessions * BYTES_A_SESSION + BYTES_A_RUN if sessions else 0


def _limits(settings: Settings) -> tuple[ProviderName | None, Plan | None]:
    """Return the network provider and its limits; `None, None` for another provider."""
    name = settings.data.provider
    if name not in NETWORK_PROVIDERS:
        return None, None
    base_url_of(name, settings.data.providers)
    return name, plan_of(name, settings.data.providers)


def _plan_name(settings: Settings, name: ProviderName | None) -> str:
    if name is None:
        return ""
    chosen = str(getattr(settings.data.providers, name).plan)
    return DEFAULT_PLANS[name] if chosen == "default" else chosen


def _at_once(name: ProviderName | None, work: Work, limits: Plan | None) -> int:
    """Return how many requests run at once: blocks of sessions are asked one after the other."""
    if name is None or limits is None:
        return 1
    return limits.concurrency if by_symbol(name, work) else min(limits.concurrency, _block(limits))


def _block(limits: Plan) -> int:
    """Return how many sessions the intake asks together, see `intake.chain.block_sessions`."""
    return min(BLOCK_SESSIONS, max(1, int(limits.per_minute * BLOCK_MINUTES)))


def seconds_to_ask(calls: int, limits: Plan | None, pace: ProviderPace, at_once: int) -> float:
    """Return the seconds that `calls` requests take: the slower of the limits and the answers."""
    if limits is None or not calls:
        return 0.0
    by_rate = max(0, calls - limits.burst) * 60.0 / limits.per_minute
    return max(by_rate, ceil(calls / at_once) * pace.seconds_a_call)
